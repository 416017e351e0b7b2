"""Making a tenant: in the pool, with silos, and after being killed at any moment."""

import pytest
import sqlalchemy as sa
from sqlalchemy import create_engine, text

from app.auth.models import Invitation, Membership, Organisation
from app.db import db
from app.stages.hardened.catalog import api as catalog
from app.stages.hardened.lifecycle.creating import NewTenant, create
from app.stages.hardened.lifecycle.models import Operation
from tests.hardened.lifecycle.conftest import killed_at
from tests.world import Company

pytestmark = pytest.mark.postgres
OWNER = ("--owner", "ada@acme.test")


def ok(result):
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result


def run(app, *args):
    return app.test_cli_runner().invoke(args=["tenant", *args])


def people_of(app, slug):
    with app.app_context():
        found = db.session.scalars(sa.select(Organisation).filter_by(slug=slug)).one()
        members = db.session.scalars(sa.select(Membership).filter_by(tenant_id=found.id))
        invited = db.session.scalars(sa.select(Invitation).filter_by(tenant_id=found.id))
        return [one.user.email for one in members], [one.email for one in invited]


def test_somebody_with_an_account_owns_the_new_tenant(app, acme: Company):
    output = ok(run(app, "create", "hooli", "--owner", "ada@acme.test")).output

    assert "hooli is there" in output
    assert people_of(app, "hooli") == (["ada@acme.test"], [])


def test_somebody_without_one_is_invited(app, acme: Company):
    ok(run(app, "create", "hooli", "--owner", "gavin@hooli.test"))

    assert people_of(app, "hooli") == ([], ["gavin@hooli.test"])


def test_to_run_it_again_changes_nothing(app, acme: Company):
    first = ok(run(app, "create", "hooli", *OWNER)).output
    again = ok(run(app, "create", "hooli", *OWNER)).output

    assert first.splitlines()[-1] == again.splitlines()[-1]
    with app.app_context():
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Organisation)) == 2


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["acme", "--owner", "other@acme.test"], "“acme” is taken"),
        (["No Slug", *OWNER], "Use letters a to z"),
        (["admin", *OWNER], "is reserved"),
        (["hooli", "--owner", "nobody"], "is no e-mail address"),
        (["hooli", *OWNER, "--place", "silo"], "With SERVES=all"),
    ],
)
def test_what_cannot_be_is_refused(app, acme: Company, args, says):
    answer = run(app, "create", *args)

    assert answer.exit_code == 1
    assert says in answer.output
    with app.app_context():
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Operation)) == 0


def test_a_full_installation_takes_no_more(make_app, acme: Company):
    answer = run(make_app(most_tenants=1), "create", "hooli", *OWNER)

    assert answer.exit_code == 1
    assert "MOST_TENANTS is 1" in answer.output


# --- Silos -------------------------------------------------------------------------------------


@pytest.fixture
def admin(postgres_server: str, world):
    """The server of silos; those that a test made are gone afterwards."""
    yield {"silo_admin_database_url": postgres_server}
    engine = create_engine(postgres_server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        for organisation in tenants_of(world):
            asked = text("SELECT datname FROM pg_database WHERE datname LIKE 'silo_%' || :id")
            for name in connection.scalars(asked, {"id": organisation.hex}).all():
                connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))


def tenants_of(world):
    with world.app.app_context():
        return list(db.session.scalars(sa.select(Organisation.id)))


def databases(server: str, tenant_id):
    engine = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        asked = text("SELECT datname FROM pg_database WHERE datname LIKE '%' || :id ORDER BY 1")
        return list(connection.scalars(asked, {"id": tenant_id.hex}))


def test_a_silo_for_each_service(world, admin, postgres_server):
    app = world.make(**admin)

    ok(run(app, "create", "hooli", *OWNER, "--place", "silo"))

    with app.app_context():
        hooli = db.session.scalars(sa.select(Organisation).filter_by(slug="hooli")).one()
        entry = catalog.entry_of(hooli.id)
        assert entry.state == "active"
        assert {name: (one.kind, one.epoch) for name, one in entry.placements.items()} == {
            "features": ("silo", 1),
            "billing": ("silo", 1),
            "analytics": ("silo", 1),
        }
    assert len(databases(postgres_server, hooli.id)) == 3


def test_a_full_server_is_refused_before_anything_is_made(world, admin):
    answer = run(
        world.make(**admin, silos_per_server=2), "create", "hooli", *OWNER, "--place", "silo"
    )

    assert answer.exit_code == 1
    assert "SILOS_PER_SERVER is 2" in answer.output
    assert tenants_of(world) == []


@pytest.mark.processes
@pytest.mark.kills
@pytest.mark.parametrize("when", ["before", "after", "noted"])
@pytest.mark.parametrize("step", ["found", "silos", "place"])
def test_killed_anywhere_and_run_again_it_is_one_tenant(world, admin, postgres_server, step, when):
    if (step, when) == ("place", "noted"):
        pytest.skip("That is its end.")
    command = ("create", "hooli", *OWNER, "--place", "silo")
    killed_at(world, step, when, *command, **admin)

    ok(run(world.make(**admin), *command))

    (hooli,) = tenants_of(world)
    assert len(databases(postgres_server, hooli)) == 3
    with world.app.app_context():
        assert catalog.entry_of(hooli).state == "active"
        assert [one.name for one in catalog.targets()] == sorted(databases(postgres_server, hooli))
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Invitation)) == 1


def test_two_who_make_it_at_once_make_one(app, acme: Company):
    from threading import Thread

    results = []

    def make():
        with app.app_context():
            try:
                results.append(create(NewTenant("hooli", "ada@acme.test"), "somebody").tenant_id)
            except Exception as error:
                results.append(error)

    threads = [Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with app.app_context():
        made = db.session.scalars(sa.select(Organisation).filter_by(slug="hooli")).all()
    assert len(made) == 1
    assert {one for one in results if not isinstance(one, Exception)} <= {made[0].id}
