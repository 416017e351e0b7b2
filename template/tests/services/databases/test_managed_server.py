"""The databases on a server whose administrator is no superuser, as at RDS."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from click.testing import CliRunner
from sqlalchemy import make_url

from app.dev.postgres import Postgres
from app.stages.services.databases import command
from app.stages.services.settings import SERVICES

pytestmark = [pytest.mark.postgres, pytest.mark.processes]
MANAGED = "CREATE ROLE administrator LOGIN PASSWORD 'admin' CREATEDB CREATEROLE"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with TemporaryDirectory(prefix="postgres-") as folder, Postgres(Path(folder)) as server:
        with psycopg.connect(plain(server.url("postgres")), autocommit=True) as connection:
            connection.execute(MANAGED)
        yield server


@pytest.fixture(scope="module")
def environment(server) -> dict[str, str]:
    base = make_url(server.url("postgres"))
    urls = {"ADMIN_DATABASE_URL": base.set(username="administrator", password="admin")}
    for service in SERVICES:
        own = base.set(database=service)
        urls[f"{service.upper()}_DATABASE_URL"] = own.set(username=service, password="it's")
        urls[f"{service.upper()}_MIGRATIONS_DATABASE_URL"] = own.set(
            username=f"{service}_owner", password="owner"
        )
    return {name: url.render_as_string(hide_password=False) for name, url in urls.items()}


@pytest.fixture(scope="module")
def made(environment) -> str:
    done = CliRunner().invoke(command, env=environment)
    assert done.exit_code == 0, done.output
    return done.output


def plain(url: str) -> str:
    found = make_url(url).set(drivername="postgresql")
    return found.render_as_string(hide_password=False)


def ask(url: str, question: str) -> object:
    with psycopg.connect(plain(url)) as connection:
        return connection.execute(question).fetchone()[0]


def test_all_four_are_made_and_closed(made):
    assert [line.split(":")[0] for line in made.splitlines()[:4]] == list(SERVICES)
    assert "No service can connect to a neighbour's database." in made


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_works_and_its_owner_migrates(made, environment, service):
    creates = "SELECT has_schema_privilege('public', 'CREATE')"

    assert ask(environment[f"{service.upper()}_DATABASE_URL"], creates) is False
    assert ask(environment[f"{service.upper()}_MIGRATIONS_DATABASE_URL"], creates) is True


@pytest.mark.parametrize("role", ["billing", "billing_owner"])
def test_a_neighbours_database_is_closed(made, environment, role):
    url = make_url(environment["AUTH_DATABASE_URL"]).set(username=role)

    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(plain(url.render_as_string(hide_password=False)))


def test_a_second_run_changes_nothing(made, environment):
    with psycopg.connect(plain(environment["AUTH_MIGRATIONS_DATABASE_URL"])) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (id int)")

    again = CliRunner().invoke(command, env=environment)

    assert again.output == made
    assert ask(environment["AUTH_MIGRATIONS_DATABASE_URL"], "SELECT count(*) FROM kept") == 0


def test_a_wall_that_fell_is_named(made, environment, server):
    with psycopg.connect(plain(server.url("postgres")), autocommit=True) as connection:
        connection.execute("GRANT CONNECT ON DATABASE auth TO billing")

    found = CliRunner().invoke(command, ["--check"], env=environment)

    assert found.exit_code == 1
    assert "billing -> auth" in found.output
    with psycopg.connect(plain(server.url("postgres")), autocommit=True) as connection:
        connection.execute("REVOKE CONNECT ON DATABASE auth FROM billing")


def test_what_is_missing_is_named_at_once(environment):
    missing = dict.fromkeys(["ADMIN_DATABASE_URL", "BILLING_DATABASE_URL"], "")

    done = CliRunner().invoke(command, env=environment | missing)

    assert done.exit_code == 1
    assert "set ADMIN_DATABASE_URL, BILLING_DATABASE_URL" in done.output


def test_a_service_that_would_own_its_tables_is_refused(environment):
    wrong = {"AUTH_DATABASE_URL": environment["AUTH_MIGRATIONS_DATABASE_URL"]}

    done = CliRunner().invoke(command, env=environment | wrong)

    assert done.exit_code == 1
    assert "auth: it would own its tables" in done.output
