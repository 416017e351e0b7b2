"""Browsers that nobody is signed in at, and services side by side."""

import pytest

from tests.auth.conftest import empty_mailbox
from tests.services.identity.conftest import redis, started, system, valkey_here

__all__ = ["empty_mailbox", "redis", "started", "system", "valkey_here"]


@pytest.fixture
def visitor(app):
    """A browser that nobody is signed in at."""
    return app.test_client()


@pytest.fixture
def another_visitor(app):
    """Somebody else's."""
    return app.test_client()
