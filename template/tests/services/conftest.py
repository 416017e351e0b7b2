"""Databases of services that run in production, which a later stage has on PostgreSQL only."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from tests.databases import make_database


@pytest.fixture
def auth_database_url(postgres_server: str) -> Iterator[str]:
    """An empty database of auth's own, as the role that the service works as."""
    name = f"auth_{uuid4().hex[:8]}"
    yield make_database(postgres_server, name)
    engine = create_engine(postgres_server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        for role in ("owner", "app"):
            connection.execute(text(f'DROP ROLE "{name}_{role}"'))
