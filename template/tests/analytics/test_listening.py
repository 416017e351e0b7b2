"""What analytics hears of auth: who comes, who goes, who is invited."""

import pytest
from sqlalchemy import select

from app.analytics.models import Fact
from app.db import db

DEEDS = {
    "signed in": lambda acme, member: acme.app.test_client().post(
        "/login", data={"email": "ada@acme.test", "password": "correct horse battery"}
    ),
    "member invited": lambda acme, member: acme.post(
        "/members/invitations", data={"email": "eve@acme.test", "role": "member"}
    ),
    "member left": lambda acme, member: member.post("/members/leaving"),
}


@pytest.mark.parametrize(("name", "deed"), DEEDS.items(), ids=DEEDS.keys())
def test_what_happens_to_people_is_counted(acme, member, name, deed):
    deed(acme, member)

    acme.work()

    with acme.serving():
        assert db.session.scalars(select(Fact.name)).all() == [name]
