"""A server on which tenants move: what a move needs of one, and what it costs, is real."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from flask import Flask

from app import migrate
from app.dev.postgres import Postgres
from app.stages.hardened.silos import create
from tests.databases import make_database, owner_of
from tests.hardened.moving.system import Movers, System
from tests.hardened.moving.world import Place, make_store, new_tenant
from tests.hardened.silos.conftest import RULES, plain
from tests.world import found


@pytest.fixture(scope="package")
def server() -> Iterator[Postgres]:
    with TemporaryDirectory(prefix="postgres-") as folder, Postgres(Path(folder)) as server:
        # A role that isn't a superuser may only subscribe with a password that is asked for.
        (server.data / "pg_hba.conf").write_text(RULES)
        with psycopg.connect(plain(server.url("postgres"))) as connection:
            connection.execute("SELECT pg_reload_conf()")
        yield server


@pytest.fixture
def place(server: Postgres, make_app: Callable[..., Flask]) -> Iterator[Place]:
    """Acme and two others in a pool; an empty silo."""
    pool = make_store(server.url("postgres"), "pool", "pool")
    silo = make_store(server.url("postgres"), "silo", "silo")
    app = make_app(database_url=pool)
    place = Place(app, server.url("postgres"), pool, silo, new_tenant("acme"), [])
    place.others = [new_tenant("initech"), new_tenant("hooli")]
    yield place
    for engine in place.pairs["silo"]:
        engine.dispose()
    remove_replication(place)


def remove_replication(place: Place) -> None:
    """A database that somebody follows can't be dropped."""
    for kind in ("pool", "silo"):
        if kind == "silo" and not place.has_silo():
            continue
        with place.opened(kind) as connection:
            asked = (
                "SELECT subname FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid "
                "WHERE datname = current_database()"
            )
            for (name,) in connection.execute(asked).fetchall():
                connection.execute(f"ALTER SUBSCRIPTION {name} DISABLE".encode())
                connection.execute(f"ALTER SUBSCRIPTION {name} SET (slot_name = NONE)".encode())
                connection.execute(f"DROP SUBSCRIPTION {name}".encode())
    with place.opened("pool") as connection:
        connection.execute(
            "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots "
            "WHERE active_pid IS NOT NULL"
        )
        while left := connection.execute(
            "SELECT slot_name, active_pid FROM pg_replication_slots"
        ).fetchall():
            for name, active in left:
                if active is None:
                    connection.execute("SELECT pg_drop_replication_slot(%s)", (name,))


@pytest.fixture
def system(server: Postgres, make_app: Callable[..., Flask]) -> Iterator[tuple[System, Movers]]:
    """Acme in a pool that has processes to move it; auth knows where it is."""
    pool = make_store(server.url("postgres"), "pool", "pool")
    auth = make_database(server.url("postgres"), "auth")
    settings = {
        "app_env": "testing",
        "serves": "auth",
        "database_url": auth,
        "migrations_database_url": owner_of(auth),
        "features_database_url": pool,
        "features_migrations_database_url": owner_of(pool),
        "silo_admin_database_url": server.url("postgres"),
        "operators": "olga@product.test",
        # Nobody answers there: what is published waits in the outbox.
        "redis_url": "redis://127.0.0.1:1/0",
        **{f"{name}_url": "http://127.0.0.1:1" for name in ("billing", "analytics", "features")},
    }
    admin = make_app(**settings)
    migrate.upgrade(admin)
    seat = found(admin, "acme", "Acme", "ada@acme.test", "Ada")
    writing = make_app(database_url=pool)
    system = System(admin, writing, server.url("postgres"), pool, auth, seat.tenant)
    movers = Movers(settings)
    yield system, movers
    movers.stop()
    for engine in system.pairs.get("silo", ()):
        engine.dispose()
    remove_replication(system)
    create.drop(server.url("postgres"), "features", seat.tenant.id)
