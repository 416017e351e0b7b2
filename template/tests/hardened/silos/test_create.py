"""Making silos: complete, closed, and again after whatever stopped it."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url

from app.migrate import differences, opening
from app.stages.hardened.silos import create, template
from app.stages.hardened.silos.errors import Refused
from app.stages.hardened.silos.names import Passwords, database_of, silo_of
from app.stages.hardened.silos.server import connected, open_doors
from tests.hardened.silos.fleet import ask, plain

pytestmark = [pytest.mark.postgres, pytest.mark.processes]
TABLES = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"


@pytest.fixture
def make(make_app, admin):
    """Makes silos; they are removed afterwards."""
    make_app()  # With it come the models, which say what walls their tables need.
    made = []

    def make(service="features", tenant_id=None, passwords=None):
        made.append((service, tenant_id or uuid4()))
        return create.make(admin, *made[-1], passwords or Passwords.new())

    yield make
    for service, tenant_id in made:
        create.drop(admin, service, tenant_id)


@pytest.mark.parametrize("service", ["features", "billing", "analytics"])
def test_a_silo_has_the_tables_of_its_service_and_the_shared_ones(make, service):
    silo = make(service)

    with opening(silo.owner_url) as connection:
        assert [differences(package, connection) for package in silo.packages] == [[], []]
    assert ask(silo.url, f"SELECT count(*) FROM alembic_version_{service}") > 0
    assert ask(silo.url, "SELECT count(*) FROM shared_jobs") == 0


def test_the_owner_owns_every_table_and_the_app_none(make):
    silo = make()
    owners = (
        "SELECT array_agg(DISTINCT pg_get_userbyid(relowner)::text) FROM pg_class "
        "WHERE relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname IN "
        "('pg_catalog', 'information_schema', 'pg_toast'))"
    )

    assert ask(silo.owner_url, owners) == [silo.owner]
    assert ask(silo.url, "SELECT has_schema_privilege('public', 'CREATE')") is False
    assert ask(silo.owner_url, "SELECT has_schema_privilege('public', 'CREATE')") is True


def test_a_table_that_comes_later_is_the_apps_to_use_too(make):
    silo = make()
    with psycopg.connect(plain(silo.owner_url)) as connection:
        connection.execute("CREATE TABLE later (id int)")

    assert ask(silo.url, "SELECT count(*) FROM later") == 0


def test_nobody_enters_the_silo_of_another(make, admin):
    mine, others = make(), make()

    for url in (mine.url, mine.owner_url):
        theirs = make_url(url).set(database=others.database)
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(plain(theirs.render_as_string(hide_password=False)))
    with connected(admin) as connection:
        assert open_doors(connection, "silo_") == []


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_a_silos_roles_enter_no_database_of_everybodys(make, database):
    url = make_url(make().url).set(database=database)

    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(plain(url.render_as_string(hide_password=False)))


def test_a_wrong_password_opens_nothing(make):
    silo = make()
    url = make_url(silo.url).set(password="guessed")

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(plain(url.render_as_string(hide_password=False)))


def test_a_door_that_is_open_is_named(make, admin):
    mine, others = make(), make()
    with connected(admin) as connection:
        connection.execute(f"GRANT CONNECT ON DATABASE {others.database} TO {mine.role}")

        found = open_doors(connection, "silo_")
        connection.execute(f"REVOKE CONNECT ON DATABASE {others.database} FROM {mine.role}")

    assert found == [f"{mine.role} -> {others.database}"]


def test_to_make_it_again_keeps_its_rows_and_takes_the_new_passwords(make):
    tenant_id = uuid4()
    first = make(tenant_id=tenant_id)
    with psycopg.connect(plain(first.owner_url)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS row")

    again = make(tenant_id=tenant_id)

    assert ask(again.url, "SELECT count(*) FROM kept") == 1
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(plain(first.url))


@pytest.mark.parametrize("step", ["copy_template", "close", "hand_over", "build_walls"])
def test_a_maker_that_was_stopped_starts_again(make, monkeypatch, step):
    tenant_id, passwords = uuid4(), Passwords.new()

    def stop(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(create, step, stop)
        with pytest.raises(KeyboardInterrupt):
            make(tenant_id=tenant_id, passwords=passwords)
    silo = make(tenant_id=tenant_id, passwords=passwords)

    assert ask(silo.url, "SELECT count(*) FROM projects") == 0


def test_two_makers_of_one_silo_and_its_template_wait_for_each_other(make, admin):
    template_name = template.name_of("billing")
    with connected(admin) as connection:
        template.drop(connection, template_name)
    tenant_id, passwords = uuid4(), Passwords.new()

    with ThreadPoolExecutor(4) as pool:
        asked = [(tenant_id,), (tenant_id,), (None,), (None,)]
        silos = list(pool.map(lambda one: make("billing", *one, passwords), asked))

    assert len({silo.database for silo in silos}) == 3
    assert all(ask(silo.url, TABLES) > 1 for silo in silos)


def test_a_template_whose_maker_was_killed_is_made_anew(make, admin):
    name = template.name_of("analytics")
    with connected(admin) as connection:
        template.drop(connection, name)
        connection.execute(f"CREATE DATABASE {name}")

    silo = make("analytics")

    assert ask(silo.url, "SELECT count(*) FROM alembic_version_analytics") > 0


def test_templates_of_other_migrations_are_removed(make, admin):
    make()
    with connected(admin) as connection:
        connection.execute("CREATE DATABASE silo_template_features_0ld IS_TEMPLATE true")

    assert template.drop_old(admin, "features") == ["silo_template_features_0ld"]
    assert make().database


def test_a_silo_that_is_dropped_leaves_no_role_behind(make, admin):
    silo = make()

    for _ in range(2):
        create.drop(admin, silo.service, silo.tenant_id)

    left = f"SELECT count(*) FROM pg_roles WHERE starts_with(rolname, '{silo.database}')"
    assert ask(admin, left) == 0
    assert not create.exists(admin, silo.service, silo.tenant_id)


def test_who_is_connected_to_a_silo_that_is_dropped_is_cut_off(make, admin):
    silo = make()
    with psycopg.connect(plain(silo.url)) as app, psycopg.connect(plain(silo.owner_url)) as owner:
        create.drop(admin, silo.service, silo.tenant_id)

        for connection in (app, owner):
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
    assert not create.exists(admin, silo.service, silo.tenant_id)


def test_it_is_walled_like_a_pool_and_the_owner_too(make):
    silo, tenant_id = make(), uuid4()
    row = "INSERT INTO projects VALUES (%s, %s, 'a', 'a', '', %s, now(), now(), NULL, 1)"
    with psycopg.connect(plain(silo.owner_url)) as connection:
        connection.execute("SET app.at_work = 'on'")
        connection.execute(row, [tenant_id, uuid4(), uuid4()])

    assert ask(silo.url, "SELECT count(*) FROM projects") == 0
    assert ask(silo.owner_url, "SELECT count(*) FROM projects") == 0
    assert ask(silo.url, "SELECT kind FROM hardened.kind") == "silo"


def test_it_serves_nobody_until_somebody_is_placed_and_then_only_them(make):
    silo, tenant_id, other = make(), uuid4(), uuid4()
    enter = "CALL hardened.enter(%s, 0)"
    with psycopg.connect(plain(silo.url), autocommit=True) as connection:
        with pytest.raises(psycopg.Error, match="not served here"):
            connection.execute(enter, (tenant_id,))
        with pytest.raises(psycopg.Error, match="permission denied"):
            connection.execute("INSERT INTO hardened.placements VALUES (%s, 0, 'active')", (other,))
        with psycopg.connect(plain(silo.owner_url)) as owner:
            owner.execute("INSERT INTO hardened.placements VALUES (%s, 0, 'active')", (tenant_id,))

        connection.execute(enter, (tenant_id,))
        with pytest.raises(psycopg.Error, match="not served here"):
            connection.execute(enter, (other,))


def test_auth_has_no_silos():
    with pytest.raises(Refused, match="has no silos"):
        database_of("auth", uuid4())


@pytest.mark.parametrize("url", ["", "sqlite:///silos.db"])
def test_a_server_that_is_none_is_refused_by_the_settings_name(url):
    with pytest.raises(Refused, match="SILO_ADMIN_DATABASE_URL"):
        create.make(url, "features", uuid4(), Passwords.new())


def test_passwords_are_not_shown():
    silo = silo_of("postgresql://admin@db.test/postgres", "billing", uuid4(), Passwords.new())

    assert "postgresql" not in repr(silo)
    assert "Passwords()" in repr(Passwords.new())
