"""Measures whether a request costs more when there are more tenants.

    python benchmarks/tenants.py PROJECT [--rounds 5] [--seconds 5] [--json FILE]

The same product runs three times on PostgreSQL, with 10, 1,000 and 5,000 tenants in the catalog,
of whom one in a hundred is suspended. Each round asks each of the three for the list of projects of
one tenant after the other, whoever is served; the figures are ratios to the same round's first.
"""

import argparse
import http.client
import itertools
import json
import os
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import own_python
from servers import Server, gunicorn

OPEN = {
    "THROTTLE": "1000000:1000000",
    "THROTTLE_ADDRESS": "1000000:1000000",
    "THROTTLE_SHARE": "1",
}
COUNTS = (10, 1000, 5000)
EACH, SUSPENDED = 20, 100  # Projects of each tenant; every so manieth tenant is suspended.
LIST = "/t/tenant-{number}/api/v1/projects/"
TENANTS = """
INSERT INTO auth_tenants (id, slug, name, created_at)
SELECT gen_random_uuid(), 'tenant-' || n, 'Tenant ' || n, now() FROM generate_series(0, %(last)s) n;
INSERT INTO auth_memberships (tenant_id, user_id, role, created_at)
SELECT t.id, u.id, 'owner', now() FROM auth_tenants t, auth_users u WHERE t.slug LIKE 'tenant-%%';
INSERT INTO auth_catalog (tenant_id, state, reason, tier, region, release, version, created_at,
                          changed_at)
SELECT id, CASE WHEN substr(slug, 8)::int %% %(suspended)s = %(suspended)s - 1
           THEN 'suspended' ELSE 'active' END, '', 'gold', 'eu', '', 1, now(), now()
FROM auth_tenants WHERE slug LIKE 'tenant-%%';
INSERT INTO projects (tenant_id, id, name, folded_name, description, created_by, created_at,
                      updated_at, version)
SELECT t.id, gen_random_uuid(), 'Project ' || n, 'project ' || n, 'What it is about.', u.id, now(),
       now(), 1
FROM auth_tenants t, auth_users u, generate_series(1, %(each)s) n WHERE t.slug LIKE 'tenant-%%'
ORDER BY t.id, n;
"""


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
    parser.add_argument("project", type=Path, help="A generated project of the hardened stage.")
    parser.add_argument("--rounds", type=int, default=5, help="How often each is asked.")
    parser.add_argument("--seconds", type=float, default=5, help="How long each time.")
    parser.add_argument("--connections", type=int, default=8, help="How many at once.")
    parser.add_argument("--json", type=Path, help="Write the figures to this file too.")
    return parser.parse_args(arguments)


def measure(project: Path, wish: argparse.Namespace) -> dict[str, object]:
    import world as worlds
    from app.dev.postgres import Postgres

    with TemporaryDirectory(prefix="bench-") as temporary, ExitStack() as stack:
        folder = Path(temporary)
        folder.chmod(0o755)  # PostgreSQL may run as somebody else.
        postgres = stack.enter_context(Postgres(folder / "postgres"))
        asked = {}
        for count in COUNTS:
            name = f"with_{count}"
            postgres.make_database(name)
            # The product starts only as a role that owns nothing.
            url, os.environ["MIGRATIONS_DATABASE_URL"] = postgres.make_roles(name)
            world = worlds.make_world(url, folder)
            fill(postgres.url(name), count, EACH)
            # Nothing is refused here: how much a tenant may ask is another benchmark's business.
            settings = world.settings | OPEN
            server = gunicorn(folder, name, "app:create_app()", project, settings)
            asked[count] = Asked(stack.enter_context(server), world.cookie, count)
        for one in asked.values():
            one.drive(wish.seconds, wish.connections)  # Warm.
        rounds = [
            {count: one.drive(wish.seconds, wish.connections) for count, one in asked.items()}
            for _ in range(wish.rounds)
        ]
    return {"rounds": wish.rounds, **{str(count): summed(rounds, count) for count in COUNTS}}


def fill(url: str, count: int, each: int) -> None:
    """Tenants that the one person there belongs to, with `each` projects and a catalog entry."""
    import psycopg

    wanted = {"last": count - 1, "suspended": SUSPENDED, "each": each}
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("SET app.at_work = 'on'")
        for statement in TENANTS.split(";\n"):
            connection.execute(statement, wanted)
        connection.execute("VACUUM ANALYZE")


class Asked:
    """One of the three, and whom to ask about: one tenant after the other."""

    def __init__(self, server: Server, cookie: str, count: int) -> None:
        self.server, self.headers = server, {"Cookie": cookie}
        served = [number for number in range(count) if number % SUSPENDED != SUSPENDED - 1]
        self.numbers = itertools.cycle(served)
        self.lock = threading.Lock()

    def drive(self, seconds: float, connections: int) -> float:
        """Requests a second."""
        ends_at = time.monotonic() + seconds
        done = [0] * connections
        threads = [
            threading.Thread(target=self.ask, args=(ends_at, done, one))
            for one in range(connections)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if not all(done):
            raise SystemExit(f"{self.server.name} answered something else than a list.")
        return sum(done) / seconds

    def ask(self, ends_at: float, done: list[int], one: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        count = 0
        while time.monotonic() < ends_at:
            with self.lock:
                path = LIST.format(number=next(self.numbers))
            connection.request("GET", path, headers=self.headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                print(f"{path}: {answer.status} {body[:200]!r}")
                return
            count += 1
        done[one] = count


def summed(rounds: list[dict[int, float]], count: int) -> dict[str, float]:
    return {
        "requests a second": round(median(one[count] for one in rounds), 1),
        "ratio": round(median(one[count] / one[COUNTS[0]] for one in rounds), 3),
    }


def show(figures: dict[str, object]) -> None:
    print(f"{'tenants':>8} {'req/s':>8} {'ratio':>7}   (median of {figures['rounds']} rounds)")
    for count in COUNTS:
        its = figures[str(count)]
        print(f"{count:8} {its['requests a second']:8} {its['ratio']:7}")


if __name__ == "__main__":
    main(sys.argv[1:])
