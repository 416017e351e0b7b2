"""The policies: made from the tables, put back when they are gone, and the last word."""

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app import migrate
from app.analytics.models import Fact
from app.db import db, engine_at_work, reading
from app.features.projects.models import Project
from app.stages.hardened.walls import lint
from app.tenancy import serving
from tests.databases import owner_of

ACROSS = {"across_tenants": "a test of what holds without the ORM"}


@pytest.fixture
def projects(acme, initech):
    """A project of each company."""
    for company in (acme, initech):
        with company.serving():
            db.session.add(Project(name=f"of {company.tenant.slug}", created_by=company.user_id))
            db.session.commit()


def names_seen() -> list[str]:
    statement = text("SELECT name FROM projects ORDER BY name").execution_options(**ACROSS)
    return list(db.session.scalars(statement))


def test_raw_sql_sees_only_the_tenants_own_rows(acme, initech, projects):
    with acme.serving():
        assert names_seen() == ["of acme"]
    with initech.serving():
        assert names_seen() == ["of initech"]


def test_without_a_tenant_nobodys_rows_are_seen(app, projects):
    with app.app_context():
        assert names_seen() == []


def test_what_a_process_keeps_is_seen_whole_where_no_tenant_is_set(app, acme, initech, projects):
    """Sweeps and relays look through all of it; within a tenant it's the tenant's own."""
    count = text("SELECT count(DISTINCT tenant_id) FROM shared_outbox").execution_options(**ACROSS)

    for company in (acme, initech):
        company.post("/projects/new", data={"name": "Apollo"})

    with app.app_context():
        assert db.session.scalar(count) == 2
    with acme.serving():
        assert db.session.scalar(count) == 1


def test_a_row_of_another_tenant_is_never_written(acme, initech, projects):
    with acme.serving():
        change = text("UPDATE projects SET tenant_id = :other").execution_options(**ACROSS)
        with pytest.raises(DBAPIError, match="row-level security"):
            db.session.execute(change, {"other": initech.tenant.id})


def test_changing_everything_changes_only_the_tenants_own(acme, initech, projects):
    with acme.serving():
        db.session.execute(text("UPDATE projects SET name = 'changed'").execution_options(**ACROSS))
        db.session.commit()

    with initech.serving():
        assert names_seen() == ["of initech"]


def test_migrating_again_puts_back_what_was_taken_down(app, by_owner, acme, initech, projects):
    by_owner(
        "ALTER TABLE projects DISABLE ROW LEVEL SECURITY",
        "DROP POLICY hardened_tenant ON analytics_events",
    )
    with acme.serving():
        assert len(names_seen()) == 2  # So the test can fail.

    migrate.upgrade(app)

    with acme.serving():
        assert names_seen() == ["of acme"]
    with app.app_context(), reading(None) as connection:
        assert lint.refusals(connection) == []


def test_a_policy_that_was_softened_is_made_anew(app, by_owner, acme, projects):
    by_owner("ALTER POLICY hardened_tenant ON projects USING (true)")

    migrate.upgrade(app)

    with acme.serving():
        assert names_seen() == ["of acme"]


def test_migrating_again_changes_nothing_that_stands(app):
    """Readers would wait for it: a change of a policy locks the table."""
    policies = text(
        "SELECT oid, xmin::text FROM pg_policy "
        "WHERE polrelid <> 'hardened.example'::regclass ORDER BY 1"
    )
    with app.app_context(), reading(None) as connection:
        before = connection.execute(policies).all()

    migrate.upgrade(app)

    with app.app_context(), reading(None) as connection:
        assert connection.execute(policies).all() == before


def test_the_owner_is_walled_unless_it_says_that_it_is_at_work(app, projects):
    url = owner_of(app.config["SETTINGS"].database_url)
    engine = engine_at_work(url)
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM projects")) == 2
        connection.execute(text("SET LOCAL app.at_work = 'off'"))
        assert connection.scalar(text("SELECT count(*) FROM projects")) == 0
    engine.dispose()


def test_the_applications_role_is_not_at_work_by_saying_so(acme, projects):
    with acme.serving():
        db.session.execute(text("SET LOCAL app.at_work = 'on'").execution_options(**ACROSS))
        assert names_seen() == ["of acme"]


def test_a_data_migration_reaches_the_rows_of_all_tenants(app, acme, initech, projects):
    """A forced owner would change none of them, and say nothing."""
    with migrate.connecting(app, "features") as connection:
        done = connection.execute(text("UPDATE projects SET name = 'migrated'"))
        connection.commit()

    assert done.rowcount == 2
    for company in (acme, initech):
        with company.serving():
            assert db.session.scalars(select(Project.name)).all() == ["migrated"]


def test_a_table_that_no_model_knows_gets_its_wall(app, by_owner, acme):
    by_owner("CREATE TABLE raw_notes (tenant_id uuid, id uuid, PRIMARY KEY (tenant_id, id))")
    try:
        migrate.upgrade(app)

        with app.app_context(), reading(None) as connection:
            assert ("raw_notes", "tenant", True) in [tuple(r) for r in lint.standing(connection)]
    finally:
        by_owner("DROP TABLE raw_notes")


def test_sweeps_find_what_is_due_and_webhooks_their_tenant(app, acme):
    """Their models say why they span tenants; in a tenant's transaction they are its own."""
    assert {"billing_subscriptions", "billing_customers"} <= set(lint.spanning())


def test_each_layer_holds_alone(app, acme, initech, projects, by_owner):
    with acme.serving():
        everything = select(Project.name).execution_options(**ACROSS)
        assert db.session.scalars(everything).all() == ["of acme"]  # The ORM's filter is off.

    by_owner("ALTER TABLE projects DISABLE ROW LEVEL SECURITY")

    with acme.serving():
        assert db.session.scalars(select(Project.name)).all() == ["of acme"]  # The wall is down.
        assert len(db.session.scalars(everything).all()) == 2  # Both are: so each was needed.


def test_one_tenant_is_left_before_the_next_is_served(app, acme, initech, projects):
    with acme.serving():
        mine = db.session.scalars(select(Project)).one()
        with serving(initech.tenant):
            assert db.session.get(Project, (mine.tenant_id, mine.id)) is None
        assert db.session.get(Project, (mine.tenant_id, mine.id)) is mine


def test_facts_of_analytics_are_walled_too(acme, initech):
    with acme.serving():
        assert db.session.scalars(select(Fact.name).execution_options(**ACROSS)).all() == []
