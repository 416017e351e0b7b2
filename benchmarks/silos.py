"""Measures a fleet of silos: made, migrated, and migrated while it's killed three times.

    python benchmarks/silos.py PROJECT [--silos 1000] [--at-once 4] [--json FILE]

It uses the project's own Python, and a PostgreSQL of its own that writes nothing through to the
disk. Silos are made as tenants' commands make them. They are migrated by `flask silos migrate`
as people run it, twice, each time by one more migration of the features: once undisturbed, once
killed (SIGKILL) after a sixth, a third and two thirds of the silos and started again each time.
Afterwards each silo is asked how often each migration ran in it.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree, ignore_patterns
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

import own_python

MAKERS = 4
KILLED_AT = (1 / 6, 1 / 3, 2 / 3)
MIGRATION = '''"""one more."""

import sqlalchemy as sa
from alembic import op

revision = "features_{number:04}"
down_revision = "features_{before:04}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("colour_{number}", sa.Text()))
    op.create_index("ix_colour_{number}", "projects", ["tenant_id", "colour_{number}"])
    op.execute("CREATE TABLE IF NOT EXISTS ran (number integer)")
    op.execute("INSERT INTO ran VALUES ({number})")
'''


def main(arguments: list[str]) -> None:
    wish = wishes(arguments)
    project = wish.project.resolve()
    own_python.enter(project, __file__, arguments)
    with system(project) as at:
        figures = measure(at, wish.silos, wish.at_once)
        for name, value in figures.items():
            print(f"{name:52}{value:>12,}")
        if wish.json:
            wish.json.write_text(json.dumps(figures, indent=2))
        print("Removing the databases' files, which takes a while.", file=sys.stderr, flush=True)


def wishes(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("project", type=Path, help="A generated project of the hardened stage.")
    parser.add_argument("--silos", type=int, default=1000, help="How many silos.")
    parser.add_argument("--at-once", type=int, default=4, help="How many are migrated at once.")
    parser.add_argument("--json", type=Path, help="Write the figures to this file too.")
    return parser.parse_args(arguments)


@contextmanager
def system(project: Path) -> Iterator[dict[str, Any]]:
    """A server, auth's database in it, and a copy of the code that gets migrations."""
    from app import create_app, migrate
    from app.dev.postgres import Postgres

    with (
        TemporaryDirectory(prefix="silos-") as folder,
        TemporaryDirectory(prefix="postgres-") as home,
        Postgres(Path(home)) as server,
    ):
        copytree(project / "app", Path(folder, "app"), ignore=ignore_patterns("__pycache__"))
        server.make_database("auth")
        given = {"database_url": server.url("auth"), "app_env": "testing"}
        migrate.upgrade(create_app(given))
        yield {"server": server, "folder": Path(folder), "admin": server.url("postgres")}


def measure(at: dict[str, Any], silos: int, at_once: int) -> dict[str, float]:
    figures = make(at, silos)
    first = write_migration(at["folder"])
    figures["migrated undisturbed, seconds"] = timed(lambda: run(at, at_once))
    figures["migrated undisturbed, silos a second"] = round(
        silos / figures["migrated undisturbed, seconds"], 1
    )
    second = write_migration(at["folder"])
    figures["migrated, killed three times, seconds"] = timed(lambda: killed(at, silos, at_once))
    figures["all looked at (flask silos status), seconds"] = timed(lambda: flask(at, "status"))
    figures["silos migrated exactly once, both times"] = exactly_once(at, [first, second])
    if figures["silos migrated exactly once, both times"] != silos:
        raise SystemExit(f"Not each silo was migrated exactly once: {figures}")
    return figures


def make(at: dict[str, Any], silos: int) -> dict[str, float]:
    """Make the silos, some at once."""
    from uuid import uuid4

    from app.stages.hardened.silos import create
    from app.stages.hardened.silos.names import Passwords

    taken = []

    def one(number: int) -> None:
        taken.append(
            timed(lambda: create.make(at["admin"], "features", uuid4(), Passwords.new()), 3)
        )
        if number % 100 == 0:
            print(f"{len(taken)} silos made", file=sys.stderr, flush=True)

    one(0)  # It makes the template.
    first = taken.pop()
    with ThreadPoolExecutor(MAKERS) as pool:
        whole = timed(lambda: list(pool.map(one, range(1, silos))))
    return {
        "silos": silos,
        "the first silo and its template, seconds": first,
        f"the others made, {MAKERS} at once, seconds": whole,
        "one silo made, median seconds": round(median(taken), 3),
        "one silo made, 99th of 100, seconds": round(quantiles(taken, n=100)[98], 3),
    }


def timed(work: Any, digits: int = 1) -> float:
    before = time.monotonic()
    work()
    return round(time.monotonic() - before, digits)


def write_migration(folder: Path) -> int:
    """The next migration of the features."""
    versions = folder / "app" / "features" / "migrations" / "versions"
    number = len(list(versions.glob("features_[0-9]*.py"))) + 1
    text = MIGRATION.format(number=number, before=number - 1)
    (versions / f"features_{number:04}_one_more.py").write_text(text)
    return number


def start(at: dict[str, Any], *arguments: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "APP_ENV": "testing",
        "DATABASE_URL": at["server"].url("auth"),
        "SILO_ADMIN_DATABASE_URL": at["admin"],
    }
    command = [sys.executable, "-m", "flask", "--app", "app", "silos", *arguments]
    return subprocess.Popen(command, cwd=at["folder"], env=environment, stdout=sys.stderr)


def flask(at: dict[str, Any], *arguments: str) -> None:
    if start(at, *arguments).wait():
        raise SystemExit(f"flask silos {' '.join(arguments)} failed.")


def run(at: dict[str, Any], at_once: int) -> None:
    flask(at, "migrate", "--at-once", str(at_once))


def killed(at: dict[str, Any], silos: int, at_once: int) -> None:
    for share in KILLED_AT:
        process = start(at, "migrate", "--at-once", str(at_once))
        while done(at) < share * silos:
            if process.poll() is not None:
                raise SystemExit("It ended before it could be killed: try with more silos.")
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
    run(at, at_once)


def done(at: dict[str, Any]) -> int:
    asked = (
        "SELECT count(*) FROM auth_fleet_visits WHERE state = 'done' "
        "AND run_id = (SELECT id FROM auth_fleet_runs WHERE state = 'running')"
    )
    return ask(at["server"].url("auth"), asked)[0][0]


def exactly_once(at: dict[str, Any], numbers: list[int]) -> int:
    """How many silos have just these migrations, each once."""
    asked = "SELECT datname FROM pg_database WHERE datname ~ '^silo_features_'"
    names = [name for (name,) in ask(at["admin"], asked)]
    once = [(number,) for number in numbers]
    ran = "SELECT number FROM ran ORDER BY number"
    return sum(ask(at["server"].url(name), ran) == once for name in names)


def ask(url: str, statement: str) -> list[Any]:
    import psycopg

    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return connection.execute(statement.encode()).fetchall()


if __name__ == "__main__":
    main(sys.argv[1:])
