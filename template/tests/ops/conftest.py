"""A running server, for the tests of what only shows in one."""

from collections.abc import Callable, Iterator

import pytest

from tests.ops.server import Server


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
