"""A running server, for the tests of what only shows in one."""

import os
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import create_engine, make_url, text

from app import migrate, stage
from app.db import close_connections
from tests.conftest import build
from tests.ops.server import Server


@pytest.fixture(scope="session")
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What production may run on: a later stage refuses SQLite there."""
    kind = "postgres" if "hardened" in stage.names() else os.environ.get("TEST_DATABASE")
    if kind == "postgres":
        url: str = request.getfixturevalue("postgres_database_url")
        return url
    return f"sqlite:///{tmp_path_factory.mktemp('database') / 'test.db'}"


@pytest.fixture(scope="session")
def migrated_app(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The application on that database."""
    app = build(database_url, tmp_path_factory.mktemp("instance"))
    migrate.upgrade(app)
    yield app
    close_connections(app)


@pytest.fixture
def serve(app, database_url, tmp_path) -> Iterator[Callable[..., Server]]:
    """Starts gunicorn on the test's database; none outlives the test."""
    started = []

    def start(database: str = database_url, **settings: str) -> Server:
        server = Server(tmp_path, database, **settings)
        started.append(server)
        server.wait_until_it_serves()
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture
def empty_database_url(request, tmp_path) -> str:
    """A database without tables, of the kind that the tests run on."""
    if os.environ.get("TEST_DATABASE") != "postgres":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    server = make_url(request.getfixturevalue("postgres_server"))
    name = f"empty_{uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return server.set(database=name).render_as_string(hide_password=False)
