"""Databases of services that run in production, which a later stage has on PostgreSQL only."""

from collections.abc import Iterator

import pytest

from tests.databases import database_of_its_own


@pytest.fixture
def auth_database_url(postgres_server: str) -> Iterator[str]:
    """An empty database of auth's own, as the role that the service works as."""
    with database_of_its_own(postgres_server, "auth") as url:
        yield url
