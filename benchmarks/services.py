"""Measures what the services stage costs: a signed-in list request through gateway and product.

    python benchmarks/services.py PROJECT [--rounds 5] [--seconds 2] [--json FILE]

It uses the project's own Python. The same rows stand in one pooled PostgreSQL database, served by
the product in one process group as the prototype does, and, promoted, in four databases behind
Caddy. Both have as many workers; each round asks one, then the other. How many questions reached
auth and billing meanwhile is counted from their logs.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import load
import own_python
from servers import Server, free_port, gunicorn, running

LIST = "/t/acme/api/v1/projects/"
PAGE = "/t/acme/projects/"
SERVICES = ("auth", "billing", "analytics", "features")


def main(arguments: list[str]) -> None:
    wish = wishes(arguments)
    project = wish.project.resolve()
    own_python.enter(project, __file__, arguments)
    figures = measure(project, wish)
    show(figures)
    if wish.json:
        wish.json.write_text(json.dumps(figures, indent=2))


def wishes(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("project", type=Path, help="A generated project of the services stage.")
    parser.add_argument("--rounds", type=int, default=5, help="How often each is asked.")
    parser.add_argument("--seconds", type=float, default=2, help="How long each time.")
    parser.add_argument("--connections", type=int, default=16, help="How many at once.")
    parser.add_argument("--json", type=Path, help="Write the figures to this file too.")
    return parser.parse_args(arguments)


def measure(project: Path, wish: argparse.Namespace) -> dict[str, object]:
    with TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL may run as somebody else.
        pooled, gateway, world = systems(project, folder, stack)
        client = load.best_client()
        asked = {
            "list by session": (LIST, {"Cookie": world.cookie}),
            "list by API token": (LIST, {"Authorization": f"Bearer {world.token}"}),
            "page": (PAGE, {"Cookie": world.cookie}),
        }
        found: dict[str, object] = {"client": client, "rounds": wish.rounds}
        for title, (path, headers) in asked.items():
            before = questions(folder)
            rates = rates_of(pooled, gateway, path, headers, client, wish)
            one, four = ([pair[side] for pair in rates] for side in (0, 1))
            found[title] = {
                "one process group, requests/s": round(median(one)),
                "gateway and services, requests/s": round(median(four)),
                "ratio": round(median(b / a for a, b in rates), 3),
                "questions to auth and billing": questions(folder) - before,
            }
        return found


def rates_of(
    pooled: Server,
    gateway: Server,
    path: str,
    headers: dict[str, str],
    client: str,
    wish: argparse.Namespace,
) -> list[tuple[float, float]]:
    """Requests a second of both, round by round; the first round warms them up."""
    options = {"seconds": wish.seconds, "connections": wish.connections}
    rounds = [
        tuple(
            load.drive(client, server.url(path), headers, **options).rate
            for server in (pooled, gateway)
        )
        for _ in range(wish.rounds + 1)
    ]
    return rounds[1:]


# --- Two systems over the same rows --------------------------------------------------------------


def systems(project: Path, folder: Path, stack: ExitStack) -> tuple[Server, Server, object]:
    import world as worlds
    from app.dev.postgres import Postgres
    from app.stages.services.dev_system import valkey
    from app.stages.services.promote.run import promote

    postgres = stack.enter_context(Postgres(folder / "postgres"))
    for name in ("pooled", *SERVICES):
        postgres.make_database(name)
    world = worlds.make_world(postgres.url("pooled"), folder)
    promote(postgres.url("pooled"), {name: postgres.url(name) for name in SERVICES})

    redis_port = free_port()
    redis = subprocess.Popen([valkey(), "--port", str(redis_port), "--save", ""], stdout=-3)
    stack.callback(redis.wait)
    stack.callback(redis.terminate)
    common = {**world.settings, "REDIS_URL": f"redis://127.0.0.1:{redis_port}/0"}
    pooled = stack.enter_context(
        gunicorn(folder, "pooled", "app:create_app()", project, world.settings)
    )
    ports = {name: free_port() for name in SERVICES}
    for name in SERVICES:
        settings = common | neighbours(project, ports) | {"SERVES": name}
        settings |= {"DATABASE_URL": postgres.url(name), "TRUSTED_PROXIES": "1"}
        stack.enter_context(service(project, folder, name, ports[name], settings))
    return pooled, stack.enter_context(caddy(project, folder, ports)), world


def neighbours(project: Path, ports: dict[str, int]) -> dict[str, str]:
    """Where the services find each other, and a signing key of one's own."""
    key = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "app", "keys", "new"],
        cwd=project,
        env={**os.environ, "APP_ENV": "testing"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    urls = {f"{name.upper()}_URL": f"http://127.0.0.1:{port}" for name, port in ports.items()}
    return urls | {"SIGNING_KEYS": key}


@contextmanager
def service(
    project: Path, folder: Path, name: str, port: int, settings: dict[str, str]
) -> Iterator[Server]:
    """A service as it's run, with as many workers as the product in one process group has."""
    workers = ["--workers", "2", "--threads", "4", "--bind", f"127.0.0.1:{port}"]
    command = [sys.executable, "-m", "gunicorn", *workers]
    alone = settings | {"WORKER": "separate"}  # Nothing is delivered here: it would be measured.
    with running(folder, name, command, port, project, alone) as server:
        yield server


@contextmanager
def caddy(project: Path, folder: Path, ports: dict[str, int]) -> Iterator[Server]:
    from app.stages.services.dev_system import caddy as binary

    port = free_port()
    env = {f"{name.upper()}_UPSTREAMS": f"127.0.0.1:{at}" for name, at in ports.items()}
    env |= {"GATEWAY_ADDRESS": f":{port}", "GATEWAY_BIND": "127.0.0.1"}
    env |= {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    config = str(project / "deploy" / "Caddyfile")
    command = [binary(), "run", "--adapter", "caddyfile", "--config", config]
    with running(folder, "gateway", command, port, project, env) as server:
        yield server


def questions(folder: Path) -> int:
    """The questions that auth and billing have answered so far, by their own logs."""
    logs = (folder / f"{name}.log" for name in ("auth", "billing"))
    return sum(log.read_text().count("/internal/") for log in logs)


def show(figures: dict[str, object]) -> None:
    for title, its in figures.items():
        if not isinstance(its, dict):
            print(f"{title}: {its}")
            continue
        print(title)
        for name, value in its.items():
            print(f"  {name:36} {value}")


if __name__ == "__main__":
    main(sys.argv[1:])
