"""Two tenants with a wall between them, and everybody who might try to get through it."""

from collections.abc import Callable

import pytest
from flask import Flask

from app.auth.identity import hash_of
from app.auth.models import ApiToken
from app.db import db
from tests.isolation.walk import MARKER, Walk, Walker
from tests.world import Company, found

TOKEN = "sct_of_the_isolation_tests"


@pytest.fixture
def walk_in(app: Flask, acme: Company) -> Callable[[Flask], Walk]:
    """Makes a walk in an application on the test's database: Initech's rows are behind the wall."""
    initech = found(app, "initech", MARKER, f"{MARKER}@initech.test", MARKER)

    def walk(walked: Flask) -> Walk:
        ours = Company(walked, acme.tenant, acme.user_id, acme.session_id)
        ours.client = walked.test_client()
        ours.client.set_cookie("session", acme.client.get_cookie("session").value)
        return Walk(walked, ours, initech)

    return walk


@pytest.fixture
def walkers(acme: Company, member: Company) -> dict[str, Callable[[Flask], Walker]]:
    """Everybody who may ask: by name, for an application."""
    give_token(acme)
    return {
        "anonymous": lambda app: Walker("a stranger", app),
        "member": lambda app: Walker("a member", app, member.session_id, role="member"),
        "owner": lambda app: Walker("an owner", app, acme.session_id, role="owner"),
        "token": lambda app: Walker("an owner's token", app, token=TOKEN, role="owner"),
    }


def give_token(company: Company) -> None:
    with company.app.app_context():
        db.session.add(
            ApiToken(
                tenant_id=company.tenant.id,
                user_id=company.user_id,
                name="Isolation",
                prefix=TOKEN[:8],
                token_hash=hash_of(TOKEN),
            )
        )
        db.session.commit()
