"""A server on which tenants move: what a move needs of one, and what it costs, is real."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from app.dev.postgres import Postgres
from tests.hardened.moving.world import Place, make_store, new_tenant


@pytest.fixture(scope="package")
def server() -> Iterator[Postgres]:
    with TemporaryDirectory(prefix="postgres-") as folder, Postgres(Path(folder)) as server:
        yield server


@pytest.fixture
def place(server: Postgres, make_app: Callable[..., object]) -> Iterator[Place]:
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
