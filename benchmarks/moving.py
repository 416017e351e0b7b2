"""Measures the move of a living workspace from the pool to a silo: how long it's read-only.

    python benchmarks/moving.py PROJECT [--rows 100000 1000000] [--json FILE]

It uses the project's own Python and a PostgreSQL of its own, files in memory where there are some.
Eight writers insert, change and delete projects of the workspace through the application's session,
about fifty transactions a second in all, one of them with transactions of 0.2 seconds; two more
write in a neighbour's. "Read-only" is what the mover measures: from when new transactions had to
wait until the catalog names the silo. "Longest write" is what a writer saw, waits and second tries
included. In the end every acknowledged write is looked for. Then it's taken back under the same
load.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import own_python

MEMORY = Path("/dev/shm")  # noqa: S108  # Files in memory, on Linux.
WRITERS = 8
EACH = WRITERS / 50
QUIET_SECONDS = 5
# As long as commands let people wait before they call a switch off.
PATIENCE = 2.5


def main(arguments: list[str]) -> None:
    wish = wishes(arguments)
    project = wish.project.resolve()
    own_python.enter(project, __file__, arguments)
    runs = [measure(rows) for rows in wish.rows]
    show(runs)
    if wish.json:
        wish.json.write_text(json.dumps(runs, indent=2))


def wishes(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("project", type=Path, help="A generated project of the hardened stage.")
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[100_000, 1_000_000], help="Rows of the workspace."
    )
    parser.add_argument("--json", type=Path, help="Write the figures to this file too.")
    return parser.parse_args(arguments)


@contextmanager
def world(rows: int) -> Iterator[Any]:
    """A pool with a workspace of so many rows and two of a tenth, and an empty silo."""
    from app import create_app
    from app.dev.postgres import Postgres
    from tests.hardened.moving.world import Place, make_store, new_tenant

    where = MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 8e9 else None
    with (
        TemporaryDirectory(prefix="postgres-", dir=where) as home,
        Postgres(Path(home)) as server,
    ):
        url = server.url("postgres")
        pool, silo = make_store(url, "pool", "pool"), make_store(url, "silo", "silo")
        app = create_app({"app_env": "testing", "database_url": pool})
        place = Place(app, url, pool, silo, new_tenant("acme"), [])
        place.others = [new_tenant("initech"), new_tenant("hooli")]
        place.fill(place.acme, rows)
        for other in place.others:
            place.fill(other, rows // 10)
        with place.opened("pool") as connection:
            connection.execute("VACUUM ANALYZE")
        yield place
        for pair in (place.pairs["silo"], *app.extensions["engines_by_url"].values()):
            for engine in pair:
                engine.dispose()


def measure(rows: int) -> dict[str, Any]:
    """There under load, a while in the silo, and back under load."""
    from tests.hardened.moving.writers import Writer

    with world(rows) as place:
        mine = [
            Writer(place.app, place.acme, slow=number == 0, pause=EACH).start()
            for number in range(WRITERS)
        ]
        neighbours = [Writer(place.app, place.others[0], pause=EACH).start() for _ in range(2)]
        time.sleep(QUIET_SECONDS)
        quiet = [part for writer in neighbours for part in writer.times]
        there = phase(place, mine, neighbours, place.mover(say=say, longest=PATIENCE), "silo")
        time.sleep(QUIET_SECONDS)
        back = phase(
            place,
            mine,
            neighbours,
            place.mover("silo", "pool", back=True, longest=PATIENCE),
            "pool",
        )
        for writer in (*mine, *neighbours):
            writer.stop()
        lost = check(place, mine, "pool")
        theirs = ids_of(place, place.others[0])
        lost += sum(one not in theirs for writer in neighbours for one in writer.known)
        return {
            "rows": rows,
            "there": there,
            "back": back,
            "writes": sum(writer.count for writer in mine),
            "lost or wrong": lost,
            "errors": sum(len(writer.errors) for writer in (*mine, *neighbours)),
            "neighbour quiet, p99 ms": p99(quiet),
            "rows of a neighbour at rest": len(ids_of(place, place.others[1])),
        }


def phase(
    place: Any, mine: list[Any], neighbours: list[Any], mover: Any, home: str
) -> dict[str, Any]:
    """One direction, with what the writers saw meanwhile."""
    for writer in (*mine, *neighbours):
        writer.longest, writer.times = 0.0, []
    counts = sum(writer.count for writer in mine)
    begin = time.monotonic()
    mover.run()
    seconds = time.monotonic() - begin
    done = sum(writer.count for writer in mine) - counts
    return {
        **mover.notes.evidence["switch"],
        "whole move, seconds": round(seconds, 1),
        "writes per second meanwhile": round(done / seconds),
        "longest write, ms": round(1000 * max(writer.longest for writer in mine)),
        "neighbour, p99 ms": p99([part for writer in neighbours for part in writer.times]),
        "served in": place.served,
        "as it should be": place.served == home,
    }


def check(place: Any, writers: list[Any], kind: str) -> int:
    from tests.hardened.moving.writers import wrong

    found = wrong(writers, place.names(kind))
    return sum(len(found[name]) for name in ("lost", "wrong", "back"))


def ids_of(place: Any, tenant: Any) -> set[Any]:
    with place.opened("pool") as connection:
        asked = "SELECT id FROM projects WHERE tenant_id = %s"
        return {one for (one,) in connection.execute(asked, (tenant.id,))}


def p99(times: list[float]) -> float:
    ordered = sorted(times)
    return round(1000 * ordered[int(len(ordered) * 0.99)], 1) if ordered else 0.0


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def show(runs: list[dict[str, Any]]) -> None:
    for run in runs:
        say(f"\n{run['rows']:,} rows, {run['writes']:,} acknowledged writes:")
        for way in ("there", "back"):
            say(f"  {way}:")
            for name, value in run[way].items():
                say(f"    {name:32} {value}")
        for name in (
            "lost or wrong",
            "errors",
            "rows of a neighbour at rest",
            "neighbour quiet, p99 ms",
        ):
            say(f"  {name:34} {run[name]}")


if __name__ == "__main__":
    main(sys.argv[1:])
