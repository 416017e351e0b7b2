"""What a move needs of servers and roles, and what it does when one of them goes away."""

from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from app.dev import postgres
from app.dev.postgres import Postgres
from app.stages.hardened.moving.errors import CannotMove
from app.stages.hardened.moving.mover import Mover
from app.stages.hardened.moving.sides import Route, Side
from tests.databases import PASSWORD
from tests.hardened.moving.world import Place, Remembered, make_store, new_tenant
from tests.hardened.moving.writers import NOTHING, Writer, wrong

pytestmark = [pytest.mark.postgres, pytest.mark.processes]


@pytest.fixture
def other():
    """A server of its own for silos."""
    with TemporaryDirectory(prefix="postgres-") as folder, Postgres(Path(folder)) as server:
        yield server


def test_a_server_that_keeps_too_little_log_is_refused_in_words(monkeypatch):
    monkeypatch.setattr(postgres, "OPTIONS", f"{postgres.OPTIONS} -c wal_level=replica")
    with TemporaryDirectory(prefix="postgres-") as folder, Postgres(Path(folder)) as server:
        sides = [Side.at(kind, server.url("postgres"), "postgres") for kind in ("pool", "silo")]
        mover = Mover(Route(new_tenant("acme").id, "features", *sides), Remembered(None))

        with pytest.raises(CannotMove, match=r"wal_level is replica.*rds\.logical_replication"):
            mover.run()


def test_a_role_that_is_no_superuser_moves_once_it_has_the_rights_that_are_named(place):
    place.fill(place.acme, 300)
    place.fill(place.others[0], 300)
    with place.opened("pool") as connection:
        connection.execute("DROP ROLE IF EXISTS mover")
        connection.execute(f"CREATE ROLE mover LOGIN PASSWORD '{PASSWORD}'".encode())
    place.mover_role = "mover"

    with pytest.raises(CannotMove) as refusal:
        place.mover().run()

    for right in ("REPLICATION", "BYPASSRLS", "pg_create_subscription", "CREATE ON", "pool_owner"):
        assert right in str(refusal.value)

    with place.opened("pool") as connection:
        for statement in (
            "ALTER ROLE mover REPLICATION",
            "GRANT pg_create_subscription, pool_owner, silo_owner TO mover",
            "GRANT CREATE ON DATABASE pool, silo TO mover",
        ):
            connection.execute(statement.encode())
    blind = Remembered(None, done=["check"])
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        place.mover(notes=blind).run()

    with place.opened("pool") as connection:
        connection.execute("ALTER ROLE mover BYPASSRLS")
    writers = [Writer(place.app, place.acme, pause=0.05).start() for _ in range(3)]
    place.mover().run()
    back = place.mover("silo", "pool", back=True)
    back.run()
    for writer in writers:
        writer.stop()
    assert wrong(writers, place.names("pool")) == NOTHING


def test_a_silo_that_goes_away_in_the_switch_leaves_the_tenant_where_it_was(
    server, other, make_app
):
    pool = make_store(server.url("postgres"), "pool", "pool")
    silo = make_store(other.url("postgres"), "silo", "silo")
    place = Place(
        make_app(database_url=pool), server.url("postgres"), pool, silo, new_tenant("acme"), []
    )
    place.silo_server = other.url("postgres")
    place.fill(place.acme, 300)
    writers = [Writer(place.app, place.acme, pause=0.05).start() for _ in range(3)]

    def pull_the_plug(point):
        if point == "caught up":
            other.stop()

    mover = place.mover(reached=pull_the_plug)
    with pytest.raises(psycopg.OperationalError):
        mover.run()

    assert place.placement("pool") == ("active", 0)
    other.start()
    place.mover(notes=mover.notes).run()
    for writer in writers:
        writer.stop()
    assert place.placement("silo")[0] == "active"
    assert wrong(writers, place.names("silo")) == NOTHING
    place.mover("silo", "pool", back=True).run()  # Nobody follows the server that ends now.
    for engine in place.pairs["silo"]:
        engine.dispose()
