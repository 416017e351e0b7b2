"""Browsers that aren't signed in, and an empty mailbox."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def browser(app):
    """A browser that nobody is signed in at."""
    return app.test_client()


@pytest.fixture
def another_browser(app):
    """Somebody else's."""
    return app.test_client()


@pytest.fixture(autouse=True)
def empty_mailbox(app):
    yield
    shutil.rmtree(Path(app.instance_path) / "mail", ignore_errors=True)
