"""Members: who sees whom, who changes what, and that an owner always stays."""

import threading
from contextlib import suppress

import pytest
from sqlalchemy import func, select

from app.auth import members
from app.auth.members import LastOwner
from app.auth.models import Membership
from app.db import db
from app.events import OutboxRow
from tests.world import sign_in


def role_of(company, user_id):
    with company.serving():
        membership = db.session.get(Membership, (company.tenant.id, user_id))
        return membership.role if membership else None


def make(company, user_id, role):
    return company.post(f"/members/{user_id}/role", data={"role": role})


def remove(company, user_id):
    return company.post(f"/members/{user_id}/removal")


def test_everybody_in_a_workspace_sees_everybody_in_it(acme, member, initech):
    for company in (acme, member):
        page = company.get("/members").text
        assert "ada@acme.test" in page
        assert "max@acme.test" in page
        assert "bill@initech.test" not in page


def test_an_owner_makes_owners_and_members(acme, member):
    make(acme, member.user_id, "owner")
    assert role_of(acme, member.user_id) == "owner"

    make(member, acme.user_id, "member")
    assert role_of(acme, acme.user_id) == "member"


@pytest.mark.parametrize("role", ["", "admin", "OWNER", "superuser"])
def test_there_are_two_roles(acme, member, role):
    assert make(acme, member.user_id, role).status_code == 400
    assert role_of(acme, member.user_id) == "member"


def test_a_member_changes_nobody(acme, member):
    assert make(member, member.user_id, "owner").status_code == 403
    assert make(member, acme.user_id, "member").status_code == 403
    assert remove(member, acme.user_id).status_code == 403
    assert "Remove" not in member.get("/members").text
    assert role_of(acme, member.user_id) == "member"


def test_an_owner_of_another_workspace_reaches_nobody(acme, member, initech):
    for answer in (make(initech, member.user_id, "owner"), remove(initech, member.user_id)):
        assert answer.status_code == 404
    assert role_of(acme, member.user_id) == "member"


def test_whoever_is_removed_is_out_at_once(acme, member):
    assert remove(acme, member.user_id).location == "/t/acme/members"

    assert member.get("/members").status_code == 404
    assert member.client.get("/account").status_code == 200


def test_a_member_leaves(acme, member):
    assert member.post("/members/leaving").location == "/workspaces"

    assert role_of(acme, member.user_id) is None
    page = member.client.get("/workspaces").text
    assert "left Acme" in page
    assert "Create your first workspace" in page


LAST_DEEDS = {
    "leaves": lambda acme: acme.post("/members/leaving"),
    "is removed": lambda acme: remove(acme, acme.user_id),
    "becomes a member": lambda acme: make(acme, acme.user_id, "member"),
}


@pytest.mark.parametrize("deed", LAST_DEEDS.values(), ids=LAST_DEEDS.keys())
def test_the_last_owner_stays(acme, member, deed):
    answer = deed(acme)

    assert answer.status_code == 409
    assert "Make somebody else an owner first." in answer.text
    assert role_of(acme, acme.user_id) == "owner"


def test_one_of_two_owners_may_go(acme, member):
    make(acme, member.user_id, "owner")

    assert acme.post("/members/leaving").location == "/workspaces"


def test_two_owners_who_leave_at_the_same_moment_leave_one_behind(app, acme, monkeypatch):
    """Each would be right alone: the other one still stays."""
    other = sign_in(app, acme.join("eve@acme.test", "Eve", "owner"))
    monkeypatch.setattr(members, "make_sure_an_owner_stays", checked_together())
    outcomes = []

    def leave(company):
        with company.serving():
            try:
                members.remove(company.user_id)
                db.session.commit()
                outcomes.append("left")
            except LastOwner:
                outcomes.append("stays")

    threads = [threading.Thread(target=leave, args=(company,)) for company in (acme, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(outcomes) == ["left", "stays"]
    assert owners_of(acme) == 1


def checked_together():
    """The check, which then waits for the other one's: it comes, unless something holds it back."""
    check = members.make_sure_an_owner_stays
    both = threading.Barrier(2, timeout=0.5)

    def check_and_wait(membership):
        check(membership)
        with suppress(threading.BrokenBarrierError):
            both.wait()

    return check_and_wait


def owners_of(company):
    with company.serving():
        owners = select(func.count()).where(
            Membership.tenant_id == company.tenant.id, Membership.role == "owner"
        )
        return db.session.scalar(owners)


def test_the_rest_of_the_product_hears_who_comes_and_goes(acme, member):
    make(acme, member.user_id, "owner")
    remove(acme, member.user_id)

    with acme.serving():
        rows = db.session.scalars(select(OutboxRow).order_by(OutboxRow.id)).all()
    assert [row.name for row in rows] == ["auth.role_changed", "auth.member_left"]
    assert {row.actor_id for row in rows} == {acme.user_id}


def test_the_navigation_leads_to_the_members_and_the_settings(member):
    page = member.get("/members").text

    assert 'href="/t/acme/members"' in page
    assert 'href="/t/acme/settings"' in page
