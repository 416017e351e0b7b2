"""Measures what the walls in the database cost: a statement, an operation, a whole request.

    python benchmarks/walls.py PROJECT [--tenants 1000] [--rows 1000] [--rounds 60] [--json FILE]

PROJECT is a generated project of the hardened stage; its own Python is used, and one processor for
all of it. Each thing is done by a role that passes the policies and narrows by WHERE alone, by the
application's role with the tenant set in the message that begins, and with the fence for moves in
that message, too, in turns.

Operations: what a feature does through its session, beginning and end included. Statements: the
same in the driver's hands, without any of the application's own work: the ratios are of the
statement, of the transaction around it, and with the fence. Requests: the project as it is, and
the same project without what stages added, which is the prototype; each round asks both, a second
each, for a machine that others use changes its speed from second to second. Where that is much,
look at the ratio of the processor's time.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import Request, urlopen
from uuid import UUID, uuid4

import load
import own_python
import tenants
from one_processor import on_one_processor
from report import quartiles
from servers import PROC, Server, cpu_seconds_of, gunicorn, stat_of

WARM_UP_SECONDS = 5.0  # Until both workers have read all templates, in all threads.
BLOCK = 100  # Statements of one kind before the other kind has its turn.
LIST, PAGE = "/t/acme/api/v1/projects/", "/t/acme/projects/"
GOALS = {
    "requests": "at least 0.8",
    "operations": "with the tenant set, at most 1.05",
    "statements": "printed beside them",
}
# Neither the throttle is what is measured, nor the worker of jobs.
UNTHROTTLED = {"THROTTLE": "1000000:1000000", "THROTTLE_SHARE": "1"}
ALONE = {"WORKER": "separate", "LOG_LEVEL": "ERROR"}

STATEMENTS = {
    "list": "SELECT id, name FROM projects WHERE tenant_id = %s ORDER BY id LIMIT 50",
    "detail": "SELECT * FROM projects WHERE tenant_id = %s AND id = %s",
    "count": "SELECT count(*) FROM projects WHERE tenant_id = %s",
    "create": """
        INSERT INTO projects (tenant_id, id, name, folded_name, description, created_by, created_at,
                              updated_at, version)
        VALUES (%s, %s, 'New', 'new', 'About it.', %s, now(), now(), 1)
    """,
}


def main(arguments: list[str]) -> None:
    wish = wishes(arguments)
    project = wish.project.resolve()
    own_python.enter(project, __file__, arguments)
    with TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        figures = measure(project, Path(name), stack, wish)
    show(figures)
    if wish.json:
        wish.json.write_text(json.dumps(figures, indent=2))


def wishes(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("project", type=Path, help="A generated project of the hardened stage.")
    parser.add_argument("--tenants", type=int, default=1000, help="How many there are.")
    parser.add_argument("--rows", type=int, default=1000, help="How many rows each has.")
    parser.add_argument("--turns", type=int, default=30, help="Blocks of statements of each kind.")
    parser.add_argument("--rounds", type=int, default=60, help="How often each server is asked.")
    parser.add_argument("--seconds", type=float, default=1, help="How long each time.")
    parser.add_argument("--connections", type=int, default=8, help="How many at once.")
    parser.add_argument("--json", type=Path, help="Write the figures to this file too.")
    return parser.parse_args(arguments)


def measure(
    project: Path, folder: Path, stack: ExitStack, wish: argparse.Namespace
) -> dict[str, Any]:
    from app.dev.postgres import Postgres

    folder.chmod(0o755)  # PostgreSQL may run as somebody else.
    # For all that is started from here on: so nothing waits for another processor to wake, and no
    # side has more of the machine because its connections happen to be spread over its workers.
    stack.enter_context(on_one_processor())
    server = stack.enter_context(Postgres(folder / "postgres"))
    server.make_database("app")
    url, owner_url = server.make_roles("app")
    os.environ["MIGRATIONS_DATABASE_URL"] = owner_url
    import operations
    import world as worlds

    world = worlds.make_world(url, folder)
    server.run(
        "createdb", "-h", "127.0.0.1", "-p", server.port, "-U", "postgres", "-T", "app", "old"
    )
    found = {"requests": requests(project, folder, server, world, stack, wish)}
    tenants.fill(server.url("app"), wish.tenants, wish.rows)
    with connect(server, "postgres") as admin:
        admin.execute("CREATE ROLE passes LOGIN BYPASSRLS IN ROLE app")
        found["operations"] = operations.measure(admin, url, wish.turns)
        found["statements"] = statements(server, admin, wish.turns)
    return found


# --- Statements ----------------------------------------------------------------------------------


def statements(server: Any, admin: Any, turns: int) -> dict[str, Any]:
    """Each kind of statement as a transaction, by WHERE alone and behind the wall, in turns."""
    each = "SELECT DISTINCT tenant_id FROM projects ORDER BY 1"
    ids = [row[0] for row in admin.execute(each).fetchall()]
    found = {}
    with connect(server, "passes") as alone, connect(server, "app") as walled:
        ways = [(alone, lambda _tenant: "BEGIN"), (walled, setting), (walled, entering)]
        for name in STATEMENTS:
            taken: list[list[tuple[float, float]]] = [[] for _ in ways]
            for turn in range(turns):
                some = [ids[(turn * BLOCK + n) * 7 % len(ids)] for n in range(BLOCK)]
                given = [parameters(alone, name, tenant) for tenant in some]
                for place in range(turn, turn + len(ways)):  # Each way is first as often.
                    connection, begin = ways[place % len(ways)]
                    taken[place % len(ways)] += block(connection, name, some, given, begin)
            bare, policies, behind = (
                [median(kind) for kind in zip(*way, strict=True)] for way in taken
            )
            found[name] = {
                "WHERE alone, statement and transaction, µs": [
                    round(seconds * 1e6) for seconds in bare
                ],
                "policies, µs": [round(seconds * 1e6) for seconds in policies],
                "statement": round(policies[0] / bare[0], 3),
                "transaction": round(policies[1] / bare[1], 3),
                "with the fence": round(behind[1] / bare[1], 3),
            }
    return found


def connect(server: Any, role: str) -> Any:
    import psycopg

    return psycopg.connect(
        f"host=127.0.0.1 port={server.port} dbname=app user={role}", autocommit=True
    )


def setting(tenant: UUID) -> str:
    return f"BEGIN; SET LOCAL app.tenant_id = '{tenant}'"


def entering(tenant: UUID) -> str:
    return f"BEGIN; CALL hardened.enter('{tenant}', 0)"


def parameters(connection: Any, name: str, tenant: UUID) -> tuple[Any, ...]:
    if name == "create":
        return tenant, uuid4(), tenant
    if name == "detail":
        one = "SELECT id FROM projects WHERE tenant_id = %s OFFSET 10 LIMIT 1"
        return tenant, connection.execute(one, (tenant,)).fetchone()[0]
    return (tenant,)


def block(
    connection: Any,
    name: str,
    tenants: list[UUID],
    given: list[tuple[Any, ...]],
    begin: Callable[[UUID], str],
) -> list[tuple[float, float]]:
    """The seconds of some statements, and of the transactions around them; the first warm up."""
    taken = []
    for tenant, values in zip(tenants, given, strict=True):
        started = time.perf_counter()
        connection.pgconn.exec_(begin(tenant).encode())
        begun = time.perf_counter()
        cursor = connection.execute(STATEMENTS[name], values)
        if cursor.description:
            cursor.fetchall()
        answered = time.perf_counter()
        # What was created is taken back, so that the last block sees as many rows as the first:
        # by a message, as the application does it, so that the driver keeps what it has prepared.
        connection.pgconn.exec_(b"ROLLBACK" if name == "create" else b"COMMIT")
        taken.append((answered - begun, time.perf_counter() - started))
    return taken[10:]


# --- Requests ------------------------------------------------------------------------------------


def requests(
    project: Path, folder: Path, server: Any, world: Any, stack: ExitStack, wish: Any
) -> dict[str, Any]:
    """A list and a detail by API token, a page by session: this stage over the prototype."""
    old = folder / "prototype"
    shutil.copytree(
        project, old, ignore=shutil.ignore_patterns("stages", ".venv", ".git", "instance")
    )
    settings = world.settings | ALONE
    sides = [
        Side(stack.enter_context(gunicorn(folder, name, "app:create_app()", where, own)), database)
        for name, where, database, own in (
            ("prototype", old, "old", settings | {"DATABASE_URL": server.url("old")}),
            ("hardened", project, "app", settings | UNTHROTTLED),
        )
    ]
    key, cookie = {"Authorization": f"Bearer {world.token}"}, {"Cookie": world.cookie}
    asked = {
        "list": (LIST, key),
        "detail": (LIST + first_id(sides[0].server, key), key),
        "page": (PAGE, cookie),
    }
    client = load.best_client()
    with connect(server, "postgres") as admin:
        found = {}
        for name, (path, headers) in asked.items():
            for side in sides:
                side.ask(client, path, headers, admin, wish, WARM_UP_SECONDS)
            rounds = []
            for number in range(wish.rounds):
                order = (-1) ** number  # A machine that gets slower slows both the same.
                turn = sides[::order]
                asks = [side.ask(client, path, headers, admin, wish, wish.seconds) for side in turn]
                rounds.append(asks[::order])
            found[name] = compared(rounds)
        return found


def compared(rounds: list[list["Answered"]]) -> dict[str, Any]:
    """The ratio of each round's two rates, and of what all rounds' requests used."""
    old, new = (list(side) for side in zip(*rounds, strict=True))
    ratios = [pair[1].rate / pair[0].rate for pair in rounds]
    found: dict[str, Any] = {
        "prototype, requests/s": round(median(one.rate for one in old)),
        "hardened, requests/s": round(median(one.rate for one in new)),
        "ratio": round(median(ratios), 3),
        "ratio, quartiles": [round(one, 3) for one in quartiles(ratios)],
    }
    if old[0].cpu_seconds is not None:  # Where another machine's work slows this one, it's stabler.
        used = [
            sum(one.cpu_seconds or 0 for one in side) / requests_of(side) for side in (old, new)
        ]
        found["processor, ms each"] = [round(seconds * 1000, 2) for seconds in used]
        found["of the processor"] = round(used[0] / used[1], 3)
    return found


def requests_of(side: list["Answered"]) -> int:
    return sum(one.requests for one in side)


@dataclass(frozen=True, slots=True)
class Answered:
    """What was answered in one round, and what all processes used for it, PostgreSQL's too."""

    requests: int
    rate: float
    cpu_seconds: float | None


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two systems."""

    server: Server
    database: str

    def ask(
        self,
        client: str,
        path: str,
        headers: dict[str, str],
        admin: Any,
        wish: argparse.Namespace,
        seconds: float,
    ) -> Answered:
        options = {"seconds": seconds, "connections": wish.connections}
        before = self.cpu_seconds(admin)
        done = load.drive(client, self.server.url(path), headers, **options)
        after = self.cpu_seconds(admin)
        used = None if before is None or after is None else after - before
        return Answered(done.requests, done.rate, used)

    def cpu_seconds(self, admin: Any) -> float | None:
        """What its own processes and those of its connections have used so far."""
        backends = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
        pids = [row[0] for row in admin.execute(backends, (self.database,)).fetchall()]
        servers = cpu_seconds_of(stat_of(PROC / str(pid)) for pid in pids)
        own = self.server.cpu_seconds()
        return None if own is None or servers is None else own + servers


def first_id(server: Server, headers: dict[str, str]) -> str:
    with urlopen(Request(server.url(LIST), headers=headers)) as answer:  # noqa: S310  # Our own.
        told = json.loads(answer.read())
    rows = next(value for value in told.values() if isinstance(value, list))
    return str(rows[0]["id"])


def show(figures: dict[str, Any]) -> None:
    for part, its in figures.items():
        print(f"{part} (ratio {GOALS[part]})")
        for name, values in its.items():
            print(f"  {name:8}", "  ".join(f"{what} {value}" for what, value in values.items()))


if __name__ == "__main__":
    main(sys.argv[1:])
