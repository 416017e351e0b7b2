"""Two companies behind walls: a PostgreSQL with an owner and a role that owns nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from app import migrate
from app.db import close_connections
from tests.conftest import build
from tests.databases import database_of_its_own
from tests.world import as_owner


@pytest.fixture(scope="session")
def database_url(postgres_database_url: str) -> str:
    """These tests are about PostgreSQL, whatever the others run on."""
    return postgres_database_url


@pytest.fixture(scope="session")
def migrated_app(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    app = build(database_url, tmp_path_factory.mktemp("instance"))
    migrate.upgrade(app)
    yield app
    close_connections(app)


@pytest.fixture
def as_admin(postgres_server: str, database_url: str) -> Iterator[Callable[..., Any]]:
    """Runs a statement in the tests' database as the server's superuser."""
    url = make_url(postgres_server).set(database=make_url(database_url).database)
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)

    def run(statement: str) -> Any:
        with engine.connect() as connection:
            done = connection.execute(text(statement))
            return done.all() if done.returns_rows else None

    yield run
    engine.dispose()


@pytest.fixture
def by_owner(app: Flask) -> Iterator[Callable[[str], None]]:
    """Runs statements as the owner of the tables; migrating again puts the walls back."""

    def run(*statements: str) -> None:
        with as_owner(app) as connection:
            for statement in statements:
                connection.execute(text(statement))

    yield run
    migrate.upgrade(app)


@pytest.fixture
def fresh_database(postgres_server: str) -> Iterator[str]:
    """An empty database with two roles of its own, gone after the test."""
    with database_of_its_own(postgres_server, "walls") as url:
        yield url


@pytest.fixture
def fresh_app(fresh_database: str, tmp_path: Path) -> Iterator[Flask]:
    app = build(fresh_database, tmp_path)
    yield app
    close_connections(app)
