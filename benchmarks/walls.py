"""Measures what the walls in the database cost: statement by statement, and whole requests.

    python benchmarks/walls.py PROJECT [--tenants 1000] [--rows 1000] [--rounds 5] [--json FILE]

PROJECT is a generated project of the hardened stage; its own Python is used. Statements: the same
transaction by a role that passes the policies and narrows by WHERE alone, by the application's
role with the tenant set in the message that begins, and with the fence for moves in that message,
too; the ratios are of the statement, of the transaction around it, and with the fence. Requests:
the project as it is, and the same project without what stages added, which is the prototype; each
round asks one, then the other.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import Request, urlopen
from uuid import UUID, uuid4

import load
import own_python
from servers import Server, gunicorn

BLOCK = 100  # Statements of one kind before the other kind has its turn.
LIST = "/t/acme/api/v1/projects/"
GOALS = {"statements": "at most 1.05", "requests": "at least 0.8"}
# One process, so that both sides have the same processor; the throttle isn't what is measured.
OPEN = "1000000:1000000"
ONE_PROCESS = {"WEB_CONCURRENCY": "1", "WORKER": "separate", "LOG_LEVEL": "ERROR"}

FILL = """
INSERT INTO projects (tenant_id, id, name, folded_name, description, created_by, created_at,
                      updated_at, version)
SELECT CAST(%s AS uuid), gen_random_uuid(), 'Project ' || n, 'project ' || n, 'About it.',
       CAST(%s AS uuid), now(), now(), 1
FROM generate_series(1, %s) AS n
"""
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
    parser.add_argument("--turns", type=int, default=15, help="Blocks of statements of each kind.")
    parser.add_argument("--rounds", type=int, default=5, help="How often each server is asked.")
    parser.add_argument("--seconds", type=float, default=2, help="How long each time.")
    parser.add_argument("--connections", type=int, default=8, help="How many at once.")
    parser.add_argument("--json", type=Path, help="Write the figures to this file too.")
    return parser.parse_args(arguments)


def measure(
    project: Path, folder: Path, stack: ExitStack, wish: argparse.Namespace
) -> dict[str, Any]:
    from app.dev.postgres import Postgres

    folder.chmod(0o755)  # PostgreSQL may run as somebody else.
    server = stack.enter_context(Postgres(folder / "postgres"))
    server.make_database("app")
    url, owner_url = server.make_roles("app")
    os.environ["MIGRATIONS_DATABASE_URL"] = owner_url
    import world as worlds

    world = worlds.make_world(url, folder)
    server.run(
        "createdb", "-h", "127.0.0.1", "-p", server.port, "-U", "postgres", "-T", "app", "old"
    )
    return {
        "requests": requests(project, folder, server, world, stack, wish),
        "statements": statements(server, owner_url, wish),
    }


# --- Statements ----------------------------------------------------------------------------------


def statements(server: Any, owner_url: str, wish: argparse.Namespace) -> dict[str, Any]:
    """Each kind of statement as a transaction, by WHERE alone and behind the wall, in turns."""
    import psycopg

    def connect(role: str) -> Any:
        return psycopg.connect(
            f"host=127.0.0.1 port={server.port} dbname=app user={role}", autocommit=True
        )

    tenants = [UUID(int=(7 << 76) + number) for number in range(1, wish.tenants + 1)]
    with connect("postgres") as admin:
        admin.execute("CREATE ROLE passes LOGIN BYPASSRLS")
        admin.execute("GRANT SELECT, INSERT ON projects TO passes")
        for tenant in tenants:
            admin.execute(FILL, (tenant, tenant, wish.rows))
        admin.execute("VACUUM ANALYZE projects")
    found = {}
    with connect("passes") as alone, connect("app") as walled, on_one_processor(alone, walled):
        ways = [(alone, lambda _tenant: "BEGIN"), (walled, setting), (walled, entering)]
        for name in STATEMENTS:
            taken: list[list[tuple[float, float]]] = [[] for _ in ways]
            for turn in range(wish.turns):
                some = [tenants[(turn * BLOCK + n) * 7 % len(tenants)] for n in range(BLOCK)]
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


@contextmanager
def on_one_processor(*connections: Any) -> Iterator[None]:
    """Client and server take turns on one processor.

    Each waits for the other anyway. With two, an idle one has to be woken for each message, which
    on a virtual machine takes longer than a statement, or not, depending on how long it has slept.
    """
    if not hasattr(os, "sched_setaffinity"):  # Linux only.
        yield
        return
    processes = [0, *(connection.info.backend_pid for connection in connections)]
    before = os.sched_getaffinity(0)
    try:
        for process in processes:
            os.sched_setaffinity(process, {max(before)})
        yield
    finally:
        os.sched_setaffinity(0, before)


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
    """A list and a detail by API token: the hardened stage's rate over the prototype's."""
    old = folder / "prototype"
    shutil.copytree(
        project, old, ignore=shutil.ignore_patterns("stages", ".venv", ".git", "instance")
    )
    settings = world.settings | ONE_PROCESS
    systems = [
        stack.enter_context(gunicorn(folder, name, "app:create_app()", where, settings | own))
        for name, where, own in (
            ("prototype", old, {"DATABASE_URL": server.url("old")}),
            ("hardened", project, {"THROTTLE": OPEN, "THROTTLE_SHARE": "1"}),
        )
    ]
    headers = {"Authorization": f"Bearer {world.token}"}
    paths = {"list": LIST, "detail": LIST + first_id(systems[0], headers)}
    client = load.best_client()
    found: dict[str, Any] = {}
    for name, path in paths.items():
        pairs = [
            [rate(client, one, path, headers, wish) for one in systems]
            for _ in range(wish.rounds + 1)
        ][1:]
        found[name] = {
            "prototype, requests/s": round(median(pair[0] for pair in pairs)),
            "hardened, requests/s": round(median(pair[1] for pair in pairs)),
            "ratio": round(median(pair[1] / pair[0] for pair in pairs), 3),
        }
    return found


def first_id(server: Server, headers: dict[str, str]) -> str:
    with urlopen(Request(server.url(LIST), headers=headers)) as answer:  # noqa: S310  # Our own.
        told = json.loads(answer.read())
    rows = next(value for value in told.values() if isinstance(value, list))
    return str(rows[0]["id"])


def rate(client: str, server: Server, path: str, headers: dict[str, str], wish: Any) -> float:
    options = {"seconds": wish.seconds, "connections": wish.connections}
    return load.drive(client, server.url(path), headers, **options).rate


def show(figures: dict[str, Any]) -> None:
    for part, its in figures.items():
        print(f"{part} (ratio {GOALS[part]})")
        for name, values in its.items():
            print(f"  {name:8}", "  ".join(f"{what} {value}" for what, value in values.items()))


if __name__ == "__main__":
    main(sys.argv[1:])
