"""Measures `flask promote`: a SQLite prototype of a million rows into four PostgreSQL databases.

    python benchmarks/promote.py PROJECT [--rows 1000000] [--source postgresql] [--json FILE]

It uses the project's own Python. Both passes run as the commands that people run, so the memory is
that of the whole process. Between them one row in a hundred changes, as many go, and fifty come.
All of it also with a tenth of the rows: memory that grows with them would show.
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import own_python

SERVICES = ("auth", "billing", "analytics", "features")
# A row in a hundred is changed, and another goes.
CHANGED_OF = 100
FLASK = ("-m", "flask", "--app", "app", "promote")


def main(arguments: list[str]) -> None:
    wish = wishes(arguments)
    project = wish.project.resolve()
    own_python.enter(project, __file__, arguments)
    runs = [measure(rows, wish.source) for rows in (wish.rows // 10, wish.rows)]
    show(runs)
    if wish.json:
        wish.json.write_text(json.dumps(runs, indent=2))


def wishes(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("project", type=Path, help="A generated project of the services stage.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="How many projects to move.")
    parser.add_argument("--source", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--json", type=Path, help="Write the figures to this file too.")
    return parser.parse_args(arguments)


@contextmanager
def databases(source: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The URL of a new source and of four new targets."""
    from app.dev.postgres import Postgres

    with (
        TemporaryDirectory(prefix="promote-") as folder,
        TemporaryDirectory(prefix="postgres-") as home,
        Postgres(Path(home)) as server,
    ):
        for name in ("pooled", *SERVICES):
            server.make_database(name)
        pooled = f"sqlite:///{folder}/pooled.db" if source == "sqlite" else server.url("pooled")
        yield pooled, {service: server.url(service) for service in SERVICES}


def measure(rows: int, source_kind: str) -> dict[str, object]:
    """Both passes with so many rows."""
    with databases(source_kind) as (source, targets):
        fill(source, rows)
        first = run("copy", source, targets)
        write_meanwhile(source)
        second = run("finish", source, targets)
    window = re.search(r"window was ([\d.]+) s", str(second["output"]))
    rate = re.search(r"([\d,]+) rows/s", str(first["output"]))
    if window is None or rate is None:
        raise SystemExit(f"A pass failed:\n{first['output']}\n{second['output']}")
    return {
        "source": source_kind,
        "rows": rows,
        "rows/s, first pass": int(rate[1].replace(",", "")),
        "first pass, seconds": first["seconds"],
        "first pass, peak MB": first["megabytes"],
        "second pass, read-only window, seconds": float(window[1]),
        "second pass, seconds": second["seconds"],
        "second pass, peak MB": second["megabytes"],
    }


def fill(source: str, rows: int) -> None:
    """A prototype with so many projects of fifty tenants."""
    from uuid import UUID

    from app import create_app, migrate
    from app.db import new_id
    from sqlalchemy import create_engine, text

    migrate.upgrade(create_app({"app_env": "testing", "database_url": source}))
    tenants = [new_id() for _ in range(50)]
    engine = create_engine(source)
    shown = (lambda one: one.hex) if engine.dialect.name == "sqlite" else (lambda one: one)
    statement = text(
        "INSERT INTO projects VALUES (:tenant, :id, :name, :folded, :text, :by, :at, :at, NULL, 1)"
    )

    def row(number: int) -> dict[str, object]:
        tenant: UUID = tenants[number % 50]
        return {
            "tenant": shown(tenant),
            "id": shown(new_id()),
            "name": f"Project {number}",
            "folded": f"project {number}",
            "text": f"What project {number} is about, in a sentence or two of usual length.",
            "by": shown(tenant),
            "at": f"2026-01-31 12:00:{number % 60:02}.{number % 1000000:06}"
            + ("" if engine.dialect.name == "sqlite" else "+00"),
        }

    with engine.begin() as connection:
        for begin in range(0, rows, 10_000):
            numbers = range(begin, min(begin + 10_000, rows))
            connection.execute(statement, [row(number) for number in numbers])
    engine.dispose()


def write_meanwhile(source: str) -> None:
    """Some rows change, some go, some come; spread over all of the table."""
    from sqlalchemy import create_engine, text

    engine = create_engine(source)
    number = "CAST(substr(name, 9) AS integer)"
    # The id of a new one is that of the tenant that made it, of which there are fifty.
    new = (
        "INSERT INTO projects SELECT tenant_id, created_by, 'new', 'new', description, created_by, "
        "created_at, updated_at, NULL, 1 FROM projects "
        "WHERE CAST(substr(name, 9) AS integer) < 50"
    )
    with engine.begin() as connection:
        connection.execute(text(new))
        for statement in ("UPDATE projects SET version = 2", "DELETE FROM projects"):
            kept = 1 + statement.startswith("DELETE")
            chosen = f"name <> 'new' AND {number} % {CHANGED_OF} = {kept}"
            connection.execute(text(f"{statement} WHERE {chosen}"))
    engine.dispose()


def run(command: str, source: str, targets: dict[str, str]) -> dict[str, object]:
    """One command as a process of its own; its peak memory is what the system says."""
    options = [part for name, url in targets.items() for part in (f"--{name}", url)]
    before = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *FLASK, command, "--from", source, *options],
        env=os.environ | {"APP_ENV": "development"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    output = process.stdout.read() if process.stdout else ""
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"flask promote {command} failed:\n{output}")
    return {
        "output": output,
        "seconds": round(time.monotonic() - before, 1),
        "megabytes": round(peak(used)),
    }


def peak(used: resource.struct_rusage) -> float:
    """Megabytes; Linux counts in kilobytes, macOS in bytes."""
    return used.ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)


def show(runs: list[dict[str, object]]) -> None:
    for name in runs[0]:
        values = "".join(f"{shown(run[name]):>14}" for run in runs)
        print(f"{name:42}{values}")


def shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


if __name__ == "__main__":
    main(sys.argv[1:])
