"""The limit of members: an invitation too many is refused, and says what helps."""

from sqlalchemy import select

from app.auth.models import Invitation
from app.billing import listeners
from app.db import db
from app.errors import Unavailable
from tests.billing.subscribers import grant


def test_invitations_fill_the_plan_and_then_are_refused(acme):
    """Free has room for three: the owner and two more."""
    assert invite(acme, "one@acme.test").status_code == 302
    assert invite(acme, "two@acme.test").status_code == 302

    refused = invite(acme, "three@acme.test")

    assert "room for 3 people" in refused.text
    assert invited(acme) == {"one@acme.test", "two@acme.test"}


def test_a_larger_plan_has_room_for_more(acme):
    grant(acme)

    for number in range(5):
        assert invite(acme, f"{number}@acme.test").status_code == 302
    assert len(invited(acme)) == 5


def test_an_outage_of_billing_keeps_nobody_out(acme, monkeypatch):
    monkeypatch.setattr(listeners, "limit", out_of_order)

    for number in range(5):
        invite(acme, f"{number}@acme.test")

    assert len(invited(acme)) == 5


def out_of_order(_name):
    raise Unavailable("Billing doesn't answer right now.")


def invite(company, email: str):
    return company.post("/members/invitations", data={"email": email, "role": "member"})


def invited(company) -> set[str]:
    with company.serving():
        mine = select(Invitation.email).where(Invitation.tenant_id == company.tenant.id)
        return set(db.session.scalars(mine))
