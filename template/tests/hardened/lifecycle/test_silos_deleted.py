"""Deleting a tenant that has silos: they are dropped, and what lay elsewhere is gone, too."""

import json
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy import create_engine, text

from app import audit
from app.auth.models import Organisation
from app.db import METADATA, db
from app.stages.hardened.catalog import api as catalog
from app.stages.hardened.catalog import drivers
from app.stages.hardened.lifecycle.archive.files import Reader
from app.stages.hardened.moving.models import Move
from app.stages.hardened.silos import create as silos
from app.tenancy import Tenant
from tests.hardened.lifecycle.conftest import killed_at
from tests.hardened.lifecycle.test_archive import ok
from tests.hardened.lifecycle.test_deletion import found_anywhere
from tests.isolation import rows as made
from tests.world import take_seat

pytestmark = pytest.mark.postgres
SERVICES = ("features", "billing", "analytics")


@pytest.fixture
def hooli(world, postgres_server: str):
    """A tenant with rows and a trail in three silos, and a row that a move has left in a pool."""
    app = world.make(silo_admin_database_url=postgres_server)
    ok(world.flask("create", "hooli", "--owner", "gavin@hooli.test", "--place", "silo", app=app))
    with app.app_context():
        tenant = db.session.scalars(sa.select(Organisation)).one().as_tenant()
    seat = take_seat(app, tenant, "max@hooli.test", "Max", "member")
    for service in SERVICES:
        fill(app, service, seat)
    world.fill("features", seat, "left in the pool")
    yield tenant
    for service in SERVICES:
        silos.drop(postgres_server, service, tenant.id)


def fill(app, service: str, seat) -> None:
    """A row in every table of a silo, and a deed in its trail."""
    with app.app_context():
        url = drivers.owner_url(catalog.place_of(seat.tenant.id, service).target)
    engine = create_engine(url, poolclass=sa.NullPool)
    rows: dict = {}
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL app.at_work = 'on'"))
        for table in METADATA[service].sorted_tables:
            if "tenant_id" in table.c:
                rows[table.name] = made.make(table, seat, "hooli", rows)
                connection.execute(table.insert(), rows[table.name])
        deed = {"action": "something.happened", "target": service, "details": "{}"}
        connection.execute(
            sa.insert(audit.AuditRow.__table__).values(
                id=uuid4(), tenant_id=seat.tenant.id, request_id="", **deed
            )
        )


def names(postgres_server: str, tenant: Tenant) -> list[str]:
    """Databases and roles that name the tenant."""
    engine = create_engine(postgres_server, poolclass=sa.NullPool)
    asked = text(
        "SELECT datname FROM pg_database WHERE datname LIKE :like "
        "UNION ALL SELECT rolname FROM pg_roles WHERE rolname LIKE :like"
    )
    with engine.connect() as connection:
        return list(connection.scalars(asked, {"like": f"%{tenant.id.hex}%"}))


def nothing_is_left(world, app, tenant: Tenant, server: str) -> None:
    assert names(server, tenant) == []
    assert found_anywhere(world, tenant.id, str(tenant.id)).hits == []
    with app.app_context():
        assert catalog.targets() == []
    for service in SERVICES:
        with world.connect(service) as connection:
            asked = text("SELECT target FROM shared_audit WHERE action = 'something.happened'")
            assert list(connection.scalars(asked)) == [service]


def said_by(world) -> dict:
    answer = ok(world.flask("certificate", "hooli", "--verify"))
    return json.loads(answer.output[: answer.output.rindex("}") + 1])


def test_its_databases_are_dropped_and_the_certificate_names_them(
    world, hooli, postgres_server, tmp_path
):
    app = world.apps[0]
    assert len(names(postgres_server, hooli)) == 9
    last = tmp_path / "last.zip"

    ok(world.flask("delete", "hooli", "--yes", "--export", str(last)))

    nothing_is_left(world, app, hooli, postgres_server)
    said = said_by(world)
    assert said["databases_dropped"] == [f"silo_{one}_{hooli.id.hex}" for one in SERVICES]
    assert said["places_released"] == []
    before = said["before"]
    assert before[f"silo silo_features_{hooli.id.hex}"]["projects"] == 1
    assert before["features's pool"]["projects"] == 1
    with app.app_context(), Reader(last) as archive:
        assert b"left in the pool" not in b"".join(archive.lines("rows/features/projects.ndjson"))


def test_a_place_that_is_not_ours_is_emptied_and_released(world, hooli, postgres_server):
    """As a database in the customer's own account: the name is theirs, and it isn't dropped."""
    app = world.apps[0]
    theirs = f"theirs_{uuid4().hex[:8]}"
    old = f"silo_features_{hooli.id.hex}"
    engine = create_engine(postgres_server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(text(f'ALTER DATABASE "{old}" RENAME TO {theirs}'))
    with world.connect("auth") as connection:
        connection.execute(
            text("UPDATE auth_targets SET database = :new WHERE name = :old"),
            {"new": theirs, "old": old},
        )
    try:
        answer = world.flask("delete", "hooli", "--yes", app=app)
        roles = [f"{old}", f"{old}_owner"]

        # Whose roles those are, nobody but us knows: the scan finds that their names are left.
        assert answer.exit_code == 1
        assert "role silo_features" in answer.output
        with engine.connect() as connection:
            connection.execute(text(f'ALTER DATABASE {theirs} OWNER TO "postgres"'))
        fresh = create_engine(
            sa.make_url(postgres_server).set(database=theirs),
            isolation_level="AUTOCOMMIT",
            poolclass=sa.NullPool,
        )
        with fresh.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM projects")) == 0
            for role in roles:
                connection.execute(text(f'REASSIGN OWNED BY "{role}" TO "postgres"'))
                connection.execute(text(f'DROP OWNED BY "{role}"'))
                connection.execute(text(f'DROP ROLE "{role}"'))

        ok(world.flask("delete", "hooli", "--yes", app=app))

        nothing_is_left(world, app, hooli, postgres_server)
        said = said_by(world)
        assert said["places_released"] == [old]
        assert len(said["databases_dropped"]) == 2
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {theirs} WITH (FORCE)"))


@pytest.mark.parametrize("command", ["delete", "restore"])
def test_while_a_move_is_open_nothing_is_replaced(world, hooli, command, tmp_path):
    app = world.apps[0]
    ok(world.flask("export", "hooli", "--file", str(tmp_path / "hooli.zip")))
    with app.app_context():
        move = Move(
            tenant_id=hooli.id,
            slug="hooli",
            service="features",
            source="pool",
            goal="silo",
            silo=f"silo_features_{hooli.id.hex}",
            state="soaking",
            open_key=f"{hooli.id}:features",
            operator="grace",
        )
        db.session.add(move)
        db.session.commit()
    args = [str(tmp_path / "hooli.zip")] if command == "restore" else []

    answer = world.flask(command, "hooli", *args, "--yes")

    assert answer.exit_code == 1
    assert "flask tenant move hooli --finish --service features" in answer.output
    with app.app_context():
        assert catalog.entry_of(hooli.id).state == "active"


@pytest.mark.processes
@pytest.mark.kills
@pytest.mark.parametrize(
    ("step", "when"), [("silos", "before"), ("silos", "after"), ("auth", "after")]
)
def test_killed_while_it_drops_them_it_goes_on(world, hooli, postgres_server, step, when):
    app = world.apps[0]
    settings = {"silo_admin_database_url": postgres_server}
    killed_at(world, step, when, "delete", "hooli", "--yes", **settings)

    ok(world.flask("delete", "hooli", "--yes", app=app))

    nothing_is_left(world, app, hooli, postgres_server)
    assert len(said_by(world)["databases_dropped"]) == 3
