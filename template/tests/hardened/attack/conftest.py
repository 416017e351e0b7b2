"""The field of the attacks."""

import os
from collections.abc import Callable

import pytest
from flask import Flask

from tests.hardened.attack.field import Field, prepare
from tests.world import Company


@pytest.fixture
def field(
    request: pytest.FixtureRequest, app: Flask, acme: Company, make_app: Callable[..., Flask]
) -> Field:
    """Two workspaces full of rows; on PostgreSQL the attacks may turn its walls off."""
    server = ""
    if os.environ.get("TEST_DATABASE") == "postgres":
        server = request.getfixturevalue("postgres_server")
    return prepare(app, acme, make_app, server)
