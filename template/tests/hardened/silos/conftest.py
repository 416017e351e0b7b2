"""A server for silos that asks for passwords, as a real one does, and whose administrator is no
superuser."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from sqlalchemy import make_url

from app.dev.postgres import Postgres

MANAGED = "CREATE ROLE administrator LOGIN PASSWORD 'admin' CREATEDB CREATEROLE"
RULES = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


@pytest.fixture(scope="package")
def server() -> Iterator[Postgres]:
    with TemporaryDirectory(prefix="postgres-") as folder, Postgres(Path(folder)) as server:
        (server.data / "pg_hba.conf").write_text(RULES)
        with psycopg.connect(plain(server.url("postgres")), autocommit=True) as connection:
            connection.execute("SELECT pg_reload_conf()")
            connection.execute(MANAGED)
            connection.execute("REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC")
            connection.execute("GRANT CONNECT ON DATABASE postgres TO administrator")
        yield server


@pytest.fixture(scope="package")
def admin(server: Postgres) -> str:
    """The administrator's URL: SILO_ADMIN_DATABASE_URL."""
    url = make_url(server.url("postgres")).set(username="administrator", password="admin")
    return url.render_as_string(hide_password=False)


def plain(url: str) -> str:
    found = make_url(url).set(drivername="postgresql")
    return found.render_as_string(hide_password=False)


def ask(url: str, question: str) -> object:
    with psycopg.connect(plain(url)) as connection:
        return connection.execute(question).fetchone()[0]
