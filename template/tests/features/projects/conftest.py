"""What the tests of projects have in common."""

import pytest

from app import billing
from app.db import db
from tests.features.projects.deeds import begin
from tests.world import Company


@pytest.fixture
def pro(acme: Company) -> Company:
    """Acme on a plan with reports, and room for many projects."""
    with acme.serving():
        billing.grant("pro")
        db.session.commit()
    return acme


@pytest.fixture
def apollo(acme: Company) -> str:
    """The path of a project of Acme's."""
    return begin(acme, "Apollo", "To the moon.")
