"""The files for containers: their databases are made by the real script in a real PostgreSQL.

No image is pulled here.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
import yaml
from sqlalchemy import make_url

from app import migrate
from app.dev.postgres import Postgres, programs
from app.stages.services.settings import SERVICES, Settings
from tests.browser import PROJECT

COMPOSE = yaml.safe_load((PROJECT / "compose.services.yaml").read_text())["services"]
PASSWORDS = {
    f"{name.upper()}_{kind}_PASSWORD": f"{name}-{kind}"
    for name in SERVICES
    for kind in ("OWNER", "APP")
}


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("kind", ["", "-worker", "-migrate"])
def test_each_process_gets_its_own_database_and_no_other(service, kind):
    environment = COMPOSE[service + kind]["environment"]
    urls = {name: value for name, value in environment.items() if name.endswith("DATABASE_URL")}

    assert environment["SERVES"] == service
    assert all(url.endswith(f"@postgres/{service}") for url in urls.values())
    assert set(urls) == {"DATABASE_URL"} | ({"MIGRATIONS_DATABASE_URL"} if "mig" in kind else set())
    assert "OWNER" not in urls["DATABASE_URL"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_name_in_the_environment_is_a_setting(service):
    known = {name.upper() for name in Settings.model_fields}

    assert set(COMPOSE[service]["environment"]) <= known


@pytest.mark.parametrize("name", COMPOSE)
def test_every_container_is_hardened(name):
    container = COMPOSE[name]

    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    for port in container.get("ports", []):
        assert port.startswith("127.0.0.1:")


def test_only_the_gateway_and_the_mailbox_have_a_port():
    assert {name for name, one in COMPOSE.items() if "ports" in one} == {"gateway", "mailpit"}


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with TemporaryDirectory(prefix="postgres-") as folder, Postgres(Path(folder)) as server:
        subprocess.run(
            ["sh", PROJECT / "deploy" / "services-databases.sh"],
            env={
                **os.environ,
                **PASSWORDS,
                "PATH": f"{programs()}:{os.environ['PATH']}",
                "PGHOST": "127.0.0.1",
                "PGPORT": str(server.port),
                "POSTGRES_USER": "postgres",
            },
            check=True,
            capture_output=True,
        )
        yield server


@pytest.mark.postgres
@pytest.mark.processes
@pytest.mark.parametrize("role", [f"{s}{kind}" for s in SERVICES for kind in ("", "_owner")])
def test_the_scripts_roles_open_their_own_database_and_no_other(server, role):
    ours = role.removesuffix("_owner")

    for name in (*SERVICES, "postgres", "template1"):
        url = make_url(server.url(name)).set(drivername="postgresql", username=role)
        if name == ours:
            with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
                (may,) = connection.execute(
                    "SELECT has_schema_privilege('public', 'CREATE')"
                ).fetchone()
            assert may is role.endswith("_owner")
        else:
            with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                psycopg.connect(url.render_as_string(hide_password=False))


@pytest.mark.postgres
@pytest.mark.processes
def test_a_service_may_add_to_a_table_whose_key_counts_up(server, make_app):
    urls = [
        make_url(server.url("features")).set(username=role).render_as_string(hide_password=False)
        for role in ("features", "features_owner")
    ]
    app = make_app(database_url=urls[0], migrations_database_url=urls[1])
    service, owner = (make_url(url).set(drivername="postgresql") for url in urls)
    with psycopg.connect(owner.render_as_string(hide_password=False)) as connection:
        connection.execute("CREATE TABLE tickets (id serial PRIMARY KEY)")

    migrate.upgrade(app, "features")

    with psycopg.connect(service.render_as_string(hide_password=False)) as connection:
        connection.execute("INSERT INTO tickets DEFAULT VALUES")


def test_the_pages_commands_add_to_env_what_is_missing_and_replace_nothing(tmp_path):
    """Whoever climbed has an ENCRYPTION_KEYS there, and nothing else opens what it encrypted."""
    page = (PROJECT / "docs" / "services.md").read_text("utf-8")
    commands = page.split("add() {")[1].partition("```")[0].replace("uv run flask", "echo")
    file = tmp_path / ".env"
    file.write_text("ENCRYPTION_KEYS=the-prototypes\n")

    subprocess.run(["sh", "-euc", f"add() {{{commands}"], cwd=tmp_path, check=True)

    found = dict(line.split("=", 1) for line in file.read_text().splitlines())
    compose = (PROJECT / "compose.services.yaml").read_text("utf-8")
    assert found["ENCRYPTION_KEYS"] == "the-prototypes"
    assert set(re.findall(r"\$\{(\w+):\?is missing in .env}", compose)) <= found.keys()
    assert all(found.values())
