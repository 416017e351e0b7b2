"""A real neighbour that hangs, comes back, or is stopped."""

import os
import signal
import time
from pathlib import Path

import pytest

from app import auth
from app.errors import Unavailable
from app.stages.services import client, deadline
from app.tenancy import serving
from tests.services.wire.neighbour import two_services

pytestmark = pytest.mark.processes


@pytest.fixture
def services(tmp_path, auth_database_url):
    with two_services(tmp_path, auth_database_url) as made:
        yield made


def tell_all(server, what: signal.Signals) -> None:
    """A signal for gunicorn and its workers."""
    for process in (server.process.pid, *children_of(server.process.pid)):
        os.kill(process, what)


def children_of(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    return [int(child) for child in listed.split()]


def test_a_connection_is_kept_and_an_outage_ends(services):
    """Answers; hangs: Unavailable within the time; wakes up: answers again; stopped: at once."""
    features, server, tenant = services
    with features.app_context(), serving(tenant):
        for _ in range(10):
            assert auth.owners() == ["ada@acme.test"]
        assert client.pool_of("auth").num_connections == 1

        begun = time.monotonic()
        tell_all(server, signal.SIGSTOP)
        try:
            with pytest.raises(Unavailable):
                auth.owners()
        finally:
            tell_all(server, signal.SIGCONT)
        assert time.monotonic() - begun < deadline.PATIENCE + 1
        features.extensions["breakers"].clear()

        assert auth.owners() == ["ada@acme.test"]

        server.process.terminate()
        server.process.wait()
        begun = time.monotonic()
        with pytest.raises(Unavailable):
            auth.owners()
        assert time.monotonic() - begun < 1
