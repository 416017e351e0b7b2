"""A real PostgreSQL for the tests: at TEST_DATABASE_URL, or from a wheel."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from app.dev.postgres import Postgres
from tests.databases import make_database


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a server's `postgres` database, as its superuser."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    # Not below pytest's own folder: each start of pytest closes that to other users, and under
    # root the server runs as one.
    with TemporaryDirectory(prefix="postgres-") as folder, Postgres(Path(folder)) as server:
        yield server.url("postgres")


@pytest.fixture(scope="session")
def postgres_database_url(postgres_server: str, worker_id: str) -> str:
    """An empty database of this test process's own, as the role that the application works as."""
    return make_database(postgres_server, f"test_{worker_id}")
