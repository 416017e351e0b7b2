"""Databases of the tests on PostgreSQL: each with an owner, and a role that owns nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

PASSWORD = "only-for-tests"  # The server is gone after them.


def make_database(server: str, name: str) -> str:
    """An empty database with an owner and a role for the application, as deployments have them."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        for role in (f"{name}_owner", f"{name}_app"):
            known = text("SELECT 1 FROM pg_roles WHERE rolname = :role")
            if connection.scalar(known, {"role": role}) is None:
                connection.execute(text(f"CREATE ROLE \"{role}\" LOGIN PASSWORD '{PASSWORD}'"))
        connection.execute(text(f'CREATE DATABASE "{name}" OWNER "{name}_owner"'))
    url = make_url(server).set(database=name, username=f"{name}_app", password=PASSWORD)
    return url.render_as_string(hide_password=False)


@contextmanager
def database_of_its_own(server: str, prefix: str) -> Iterator[str]:
    """Such a database for a while, under a name that no other has; its roles go with it."""
    name = f"{prefix}_{uuid4().hex[:10]}"
    yield make_database(server, name)
    engine = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        for role in (f"{name}_owner", f"{name}_app"):
            connection.execute(text(f'DROP ROLE "{role}"'))


def owner_of(url: str) -> str:
    """The URL of the owner of a test database, by that of the application's role."""
    parsed = make_url(url)
    if parsed.drivername == "sqlite" or not (parsed.username or "").endswith("_app"):
        return url
    owner = parsed.set(username=f"{parsed.database}_owner")
    return owner.render_as_string(hide_password=False)
