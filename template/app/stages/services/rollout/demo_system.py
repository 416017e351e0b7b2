"""Two real releases of this project side by side, over the same four databases, behind one Caddy.

A PostgreSQL, a Valkey, four gunicorn servers of each release, the gateway, and what follows the
pins beside it. The second release is a copy of the code with a fault in it.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import urllib3
from flask import Flask, current_app
from flask.sessions import SecureCookieSessionInterface

from app import create_app
from app.auth.models import Membership, Organisation, User
from app.db import close_connections, db, now
from app.dev.postgres import Postgres, free_port, somebody_listens
from app.stages.services import dev_databases, gateway, keys
from app.stages.services.dev_databases import Database
from app.stages.services.dev_system import NOT_HANDED_ON, caddy, valkey
from app.stages.services.rollout.at_releases import trouble
from app.stages.services.rollout.errors import Refused
from app.stages.services.settings import SERVICES

OLD, NEW = "1.0", "1.1"
START_SECONDS = 180
FAULT = '''

_init_app_without_fault = init_app


def init_app(app: Flask) -> None:
    """The fault of this release: every third answer of the product's pages fails."""
    from functools import wraps
    from itertools import count

    calls = count(1)

    def broken(view):
        @wraps(view)
        def answer(**values):
            found = view(**values)
            if next(calls) % 3 == 0:
                raise ZeroDivisionError("the fault of this release")
            return found

        return answer

    _init_app_without_fault(app)
    for endpoint, view in app.view_functions.items():
        if view.__module__.startswith(f"{__name__}."):
            app.view_functions[endpoint] = broken(view)
'''


@dataclass
class TwoReleases:
    """The system, from an empty folder to tenants that can be visited."""

    folder: Path
    count: int
    faulty: bool
    stack: ExitStack
    port: int = field(default_factory=free_port)
    redis_port: int = field(default_factory=free_port)
    ports: dict[str, dict[str, int]] = field(
        default_factory=lambda: {r: {s: free_port() for s in SERVICES} for r in (OLD, NEW)}
    )
    signing_keys: dict[str, str] = field(
        default_factory=lambda: {service: keys.new_key() for service in SERVICES}
    )
    databases: dict[str, Database] = field(default_factory=dict)
    cookie: str = ""
    path: str = ""

    def start(self) -> None:
        """Bring everything up; what was started is stopped by the stack, in the other order."""
        self.databases = dev_databases.make(self.stack.enter_context(Postgres(self.folder / "pg")))
        self.run("redis", [valkey(), "--port", str(self.redis_port), "--save", ""], {})
        self.wait_for(lambda: somebody_listens(self.redis_port), "Valkey")
        for service, database in self.databases.items():
            dev_databases.bring_up_to_date(service, database, self.redis)
        self.make_tenants()
        for release in (OLD, NEW):
            self.copy(release)
            for service in SERVICES:
                command = [sys.executable, "-m", "gunicorn"]
                port = {"PORT": str(self.ports[release][service])}
                self.run(f"{service}-{release}", command, self.env(release, service) | port)
        for release in (OLD, NEW):
            self.wait_for(self.answering(release), release)
        self.start_gateway()

    def start_gateway(self) -> None:
        """The releases are made known, then the gateway follows."""
        for release in (NEW, OLD):
            known = "adopt" if release == OLD else "release"
            at = [f"--at={name}=127.0.0.1:{port}" for name, port in self.ports[release].items()]
            self.flask(release, known, release, *at)
        file, base = self.folder / "gateway" / "Caddyfile", self.folder / "Caddyfile"
        base.write_text(gateway.caddyfile(this_app()), "utf-8")
        follow = ["follow", "--file", str(file), "--base", str(base), "--name", "demo"]
        self.run("follower", self.rollout(*follow, "--every", "0.1"), self.env(OLD, "auth"), OLD)
        self.wait_for(file.exists, "the follower")
        env = {"GATEWAY_ADDRESS": f":{self.port}", "GATEWAY_BIND": "127.0.0.1"}
        env |= dict.fromkeys(("XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(self.folder))
        self.run("gateway", [caddy(), "run", "--adapter", "caddyfile", "--config", str(file)], env)
        self.wait_for(lambda: somebody_listens(self.port), "the gateway")

    # --- What it's made of -----------------------------------------------------------------------

    @property
    def redis(self) -> str:
        return f"redis://127.0.0.1:{self.redis_port}/0"

    @property
    def slugs(self) -> list[str]:
        return [f"tenant-{number}" for number in range(1, self.count + 1)]

    def places(self, release: str) -> dict[str, list[str]]:
        return {name: [f"127.0.0.1:{port}"] for name, port in self.ports[release].items()}

    def answering(self, release: str) -> Callable[[], bool]:
        """Whether a release serves people: each service is ready, and the first visit went well.

        That visit is what a pipeline's smoke test does.
        """
        http = urllib3.PoolManager(retries=False, timeout=10)
        page = f"http://127.0.0.1:{self.ports[release]['features']}/t/{self.slugs[0]}{self.path}"

        def look() -> bool:
            if trouble(self.places(release), "/readyz"):
                return False
            answer = http.request("GET", page, headers={"Cookie": self.cookie}, redirect=False)
            return answer.status in {200, 500}  # The fault is found later.

        return look

    def copy(self, release: str) -> None:
        """The code of a release, in a folder of its own."""
        root = Path(current_app.root_path)
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(root, self.folder / release / "app", ignore=ignore)
        shutil.copy(root.parent / "gunicorn.conf.py", self.folder / release)
        if release == NEW and self.faulty:
            with (self.folder / release / "app" / "features" / "__init__.py").open("a") as file:
                file.write(FAULT)

    def env(self, release: str, service: str) -> dict[str, str]:
        """What a process of a service finds, of the one release or the other."""
        neighbours = self.ports[release].items()
        return {
            "APP_ENV": "development",
            "FLASK_APP": "app",
            "SERVES": service,
            "RELEASE": release,
            "DATABASE_URL": self.databases[service].url,
            "MIGRATIONS_DATABASE_URL": self.databases[service].owner_url,
            "REDIS_URL": self.redis,
            "SIGNING_KEYS": self.signing_keys[service],
            "SECRET_KEY": current_app.config["SETTINGS"].secret_key,
            "PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "TRUSTED_PROXIES": "1",
            "WORKER": "separate",
            "WEB_CONCURRENCY": "1",
            "LOG_LEVEL": "WARNING",
            **{f"{name.upper()}_URL": f"http://127.0.0.1:{port}" for name, port in neighbours},
        }

    def run(
        self, name: str, command: list[str], env: dict[str, str], release: str = ""
    ) -> subprocess.Popen[bytes]:
        """Start a process that ends with us."""
        folder = self.folder / (release or name.rpartition("-")[2])
        log: IO[bytes] = self.stack.enter_context((self.folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(  # noqa: S603  # Ours alone.
            command,
            cwd=folder if folder.is_dir() else self.folder,
            env=inherited() | env,
            stdout=log,
            stderr=log,
        )
        self.stack.callback(end, process)
        return process

    def rollout(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "flask", "rollout", *words]

    def flask(self, release: str, *words: str) -> str:
        """A command of a release, to its end."""
        done = subprocess.run(  # noqa: S603
            self.rollout(*words),
            cwd=self.folder / release,
            env=inherited() | self.env(release, "auth"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Refused(f"flask rollout {' '.join(words)} failed:\n{done.stdout}")
        return done.stdout

    def wait_for(self, look: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not look():
            if time.monotonic() > deadline:
                raise Refused(f"{what} isn't ready after {START_SECONDS} s: see {self.folder}")
            time.sleep(0.1)

    # --- Who lives in it -------------------------------------------------------------------------

    def make_tenants(self) -> None:
        """The tenants, and one person who belongs to all of them and is logged in."""
        urls = {f"{name}_database_url": one.url for name, one in self.databases.items()}
        given = {"app_env": "development", "redis_url": self.redis, "worker": "separate"}
        app = create_app({**urls, **given, "database_url": urls["features_database_url"]})
        with app.app_context():
            person = User(
                email="demo@example.com",
                email_norm="demo@example.com",
                name="Demo",
                password_hash="-",  # noqa: S106  # Nobody can log in with it.
                email_confirmed_at=now(),
            )
            tenants = [Organisation(slug=slug, name=slug.title()) for slug in self.slugs]
            db.session.add_all([person, *tenants])
            db.session.flush()
            db.session.add_all(
                Membership(tenant_id=one.id, user_id=person.id, role="owner") for one in tenants
            )
            db.session.commit()
            self.cookie = cookie_of(app, f"{person.id.hex}:{person.session_stamp}")
            db.session.remove()
        self.path = first_page(app)
        close_connections(app)


def this_app() -> Flask:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return app


def inherited() -> dict[str, str]:
    """The environment, without what would lead to another system."""
    return {k: v for k, v in os.environ.items() if k not in {*NOT_HANDED_ON, "FLASK_RUN_PORT"}}


def cookie_of(app: Flask, session_id: str) -> str:
    signer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert signer is not None  # noqa: S101  # There is a SECRET_KEY.
    return f"session={signer.dumps({'_user_id': session_id})}"


def first_page(app: Flask) -> str:
    """A page of the product that needs nothing but a tenant."""
    for rule in app.url_map.iter_rules():
        module = app.view_functions[rule.endpoint].__module__
        plain = not rule.arguments and "GET" in (rule.methods or ())
        if plain and module.startswith("app.features.") and not rule.rule.startswith("/api/"):
            return rule.rule
    raise Refused("The demo visits a page of your features, and there is none without arguments.")


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
