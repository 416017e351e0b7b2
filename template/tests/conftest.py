"""The small world of the tests: two companies, acme and initech, in a real database."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from flask import Flask

from app import billing, create_app, migrate
from app.db import METADATA, close_connections
from app.errors import Unavailable
from app.limits import limiter
from tests.databases import owner_of
from tests.world import Company, as_owner, found, sign_in

# What a stage's tests print at the end must be known before they are collected, somewhere else.
HERE = Path(__file__).parent
FIGURES = [f"tests.{file.parent.name}.figures" for file in HERE.glob("*/figures.py")]
pytest_plugins = ["tests.postgres", "tests.browser", *FIGURES]


@pytest.fixture(scope="session", autouse=True)
def fresh_loggers() -> Iterator[None]:
    """Production keeps a logger as it was first used; here the next test has other streams."""
    configure = structlog.configure

    def configure_without_keeping(**options: Any) -> None:
        configure(**options | {"cache_logger_on_first_use": False})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", configure_without_keeping)
        yield


@pytest.fixture(scope="session")
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """SQLite in a file; PostgreSQL with `TEST_DATABASE=postgres`, or at TEST_DATABASE_URL."""
    if os.environ.get("TEST_DATABASE") == "postgres":
        url: str = request.getfixturevalue("postgres_database_url")
        return url
    return f"sqlite:///{tmp_path_factory.mktemp('database') / 'test.db'}"


@pytest.fixture(scope="session")
def migrated_app(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The application, with its tables as the migrations make them."""
    app = build(database_url, tmp_path_factory.mktemp("instance"))
    migrate.upgrade(app)
    yield app
    close_connections(app)


@pytest.fixture
def make_app(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Makes applications with other settings, on the same database."""
    made = []

    def make(**config: object) -> Flask:
        url = str(config.pop("database_url", database_url))
        made.append(build(url, tmp_path, **config))
        return made[-1]

    yield make
    for app in made:
        close_connections(app)


def build(database_url: str, instance: Path, **config: object) -> Flask:
    owner = {"migrations_database_url": owner_of(database_url)}
    app = create_app({"app_env": "testing", "database_url": database_url} | owner | config)
    app.instance_path = str(instance)
    app.extensions["limiter_as_made"] = dict(vars(limiter))
    return app


def let_it_count(app: Flask) -> None:
    """Give an application the one limiter of this process, which counts where the last one did."""
    vars(limiter).update(app.extensions["limiter_as_made"])


@pytest.fixture
def app(migrated_app: Flask) -> Iterator[Flask]:
    """The application with empty tables."""
    let_it_count(migrated_app)
    yield migrated_app
    migrated_app.extensions["queue"].flush()
    let_it_count(migrated_app)
    limiter.reset()
    empty_all_tables(migrated_app)


def empty_all_tables(app: Flask) -> None:
    tables = [table for metadata in METADATA.values() for table in reversed(metadata.sorted_tables)]
    with as_owner(app) as connection:
        quoted = connection.dialect.identifier_preparer.format_table
        statements = [f"DELETE FROM {quoted(table)}" for table in tables]
        # PostgreSQL takes them in one message, which is ten times as fast.
        together = connection.dialect.name == "postgresql"
        for statement in ["; ".join(statements)] if together else statements:
            connection.exec_driver_sql(statement)


@pytest.fixture
def acme(app: Flask) -> Company:
    """Acme, as its owner Ada sees it."""
    return sign_in(app, found(app, "acme", "Acme", "ada@acme.test", "Ada"))


@pytest.fixture
def initech(app: Flask) -> Company:
    """Initech, as its owner Bill sees it."""
    return sign_in(app, found(app, "initech", "Initech", "bill@initech.test", "Bill"))


@pytest.fixture
def member(app: Flask, acme: Company) -> Company:
    """Acme, as its member Max sees it."""
    return sign_in(app, acme.join("max@acme.test", "Max"))


@pytest.fixture
def billing_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Billing answers no question; what is metered waits for it."""

    def away(*_args: object) -> None:
        raise Unavailable("Billing doesn't answer right now.")

    for question in ("plan_of", "allows", "limit", "used"):
        monkeypatch.setattr(billing, question, away)
