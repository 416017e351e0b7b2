"""Nobody gives what they don't have, in whatever way they try."""

import threading

import pytest
from sqlalchemy import func, select

from app.auth.identity import hash_of
from app.auth.models import ApiToken, Membership
from app.db import db
from tests.auth.letters import link_to
from tests.hardened.rbac.people import Somebody, somebody
from tests.world import sign_in

# Enough to try everything, and little to give.
CLERK = ["members:read", "members:write", "roles:read", "roles:write", "projects:read"]


@pytest.fixture
def clerk(join):
    return join("Cleo", permissions=CLERK)


def test_a_clerk_makes_a_role_of_what_they_have(clerk):
    assert clerk.post_role("Reader", "projects:read").status_code == 201


def test_a_clerk_makes_no_role_of_what_they_lack(clerk):
    answer = clerk.post_role("Deleter", "projects:read", "projects:delete")

    assert answer.status_code == 403
    assert "“Delete projects for good”" in answer.json["detail"]
    assert "Deleter" not in clerk.roles()


def test_a_clerk_widens_no_role_not_even_their_own(clerk):
    role = clerk.role_called("Role of Cleo")

    answer = clerk.at.patch(
        f"/api/v1/members/roles/{role}", json={"permissions": [*CLERK, "billing:write"]}
    )

    assert answer.status_code == 403
    assert clerk.may() == set(CLERK)


def test_a_clerk_touches_no_role_above_theirs(ada, clerk):
    role = ada.make("Boss", "audit:read", "projects:read")

    for answer in (
        clerk.at.patch(f"/api/v1/members/roles/{role}", json={"permissions": ["projects:read"]}),
        clerk.at.patch(f"/api/v1/members/roles/{role}", json={"name": "Boo"}),
        clerk.at.delete(f"/api/v1/members/roles/{role}"),
    ):
        assert answer.status_code == 403


@pytest.mark.parametrize("role", ["Admin", "Viewer", "Boss"])
def test_a_clerk_gives_no_role_above_theirs_to_anybody(ada, clerk, join, role):
    ada.make("Boss", "audit:read")
    nobody = join("Noa", permissions=[])

    for person in (nobody, clerk):
        assert clerk.put_roles(person, ada.role_called(role)).status_code == 403
    assert clerk.may() == set(CLERK)


def test_a_clerk_makes_nobody_a_plain_member(clerk, join):
    """A member may do more than a clerk has to give."""
    nobody = join("Noa", permissions=[])

    assert clerk.put_roles(nobody).status_code == 403
    assert clerk.put_roles(clerk).status_code == 403


def test_a_clerk_makes_no_owner_and_unmakes_none(ada, clerk, join):
    owner, nobody = join("Otto"), join("Noa", permissions=[])
    ada.at.post(f"/members/{owner.id}/role", data={"role": "owner"})

    for person, role in ((clerk, "owner"), (nobody, "owner"), (owner, "member")):
        answer = clerk.at.post(f"/members/{person.id}/role", data={"role": role})
        assert answer.status_code == 403
    for person in (ada, owner):
        assert clerk.at.post(f"/members/{person.id}/removal").status_code == 403


@pytest.mark.parametrize("choice", ["owner", "member", "Admin", "Boss"])
def test_a_clerk_invites_nobody_to_more(app, ada, clerk, choice):
    ada.make("Boss", "audit:read")
    role = choice if choice.islower() else ada.role_called(choice)

    body = {"email": "eve@elsewhere.test", "role": role}
    assert clerk.at.post("/api/v1/members/invitations", json=body).status_code == 403
    page = clerk.at.post("/members/invitations", data=body)
    assert page.status_code == 422
    assert "It takes what you don" in page.text
    assert "eve@elsewhere.test" not in ada.at.get("/members").text


def test_a_clerk_neither_renews_nor_revokes_an_invitation_to_more(ada, clerk):
    body = {"email": "eve@elsewhere.test", "role": "owner"}
    invitation = ada.at.post("/api/v1/members/invitations", json=body).json["id"]
    reader = clerk.make("Reader", "projects:read")

    for path in (f"{invitation}/letter", f"{invitation}/revocation"):
        assert clerk.at.post(f"/members/invitations/{path}").status_code == 403
    again = clerk.at.post("/api/v1/members/invitations", json=body | {"role": reader})
    assert again.status_code == 403


def test_a_clerk_gets_nowhere_by_deleting_a_role(ada, clerk, join):
    reader = clerk.make("Reader", "projects:read")
    clerk.give(join("Noa", permissions=[]), reader)

    to = ada.role_called("Admin")
    assert clerk.at.delete(f"/api/v1/members/roles/{reader}?move_to={to}").status_code == 403


def test_whoever_loses_a_role_meanwhile_gives_nothing_with_it(app, ada, clerk):
    """The request began while they had it: what counts is what they have when they give."""
    stale = clerk.may()
    reader = ada.make("Reader", "projects:read")
    ada.give(clerk, ada.make("Roles only", "roles:write"))

    assert "projects:read" in stale
    assert clerk.put_roles(clerk, reader).status_code == 403


def test_a_token_gives_no_more_than_its_person_may(app, acme, clerk):
    headers = {"Authorization": f"Bearer {token_of(clerk)}"}
    client = app.test_client()

    made = client.post(
        "/t/acme/api/v1/members/roles", json={"name": "R", "permissions": CLERK}, headers=headers
    )
    more = client.post(
        "/t/acme/api/v1/members/roles",
        json={"name": "M", "permissions": ["audit:read"]},
        headers=headers,
    )

    assert (made.status_code, more.status_code) == (201, 403)


def test_a_token_that_is_narrowed_gives_no_more_than_what_is_left(app, ada, narrow_tokens):
    """Also an owner's: it makes no owners, and no role wider than itself."""
    narrow_tokens("roles:read", "roles:write", "members:write", "projects:read")
    headers = {"Authorization": f"Bearer {token_of(ada)}"}
    client = app.test_client()

    def post(path, **body):
        answer = client.post(f"/t/acme/api/v1/members/{path}", json=body, headers=headers)
        return answer.status_code

    assert post("roles", name="R", permissions=["projects:read"]) == 201
    assert post("roles", name="M", permissions=["audit:read"]) == 403
    assert post("invitations", email="eve@elsewhere.test", role="owner") == 403
    assert post("invitations", email="eve@elsewhere.test", role="member") == 403


def token_of(person: Somebody) -> str:
    token = f"sct_{person.id.hex}"
    with person.at.app.app_context():
        row = ApiToken(
            tenant_id=person.at.tenant.id,
            user_id=person.id,
            name="T",
            prefix=token[:8],
            token_hash=hash_of(token),
        )
        db.session.add(row)
        db.session.commit()
    return token


def test_somebody_invited_to_a_role_has_that_role(app, ada):
    reader = ada.make("Reader", "projects:read")
    body = {"email": "eve@elsewhere.test", "role": reader}
    answer = ada.at.post("/api/v1/members/invitations", json=body)
    assert (answer.status_code, answer.json["role"]) == (201, "Reader")
    assert ada.at.delete(f"/api/v1/members/roles/{reader}").status_code == 409
    assert "Reader" in ada.at.get("/members").text
    ada.at.post(f"/members/invitations/{answer.json['id']}/letter")

    browser = app.test_client()
    account = {"name": "Eve", "new_password": "a better horse battery"}
    assert browser.post(link_to(app, "eve@elsewhere.test"), data=account).status_code == 302

    assert browser.get("/t/acme/api/v1/projects/").status_code == 200
    answer = browser.post("/t/acme/api/v1/projects/", json={"name": "X"})
    assert answer.status_code == 403


ROUNDS = 15


def test_two_owners_who_unmake_each_other_leave_one(app, acme, ada):
    """Through the front door, at the same moment, again and again."""
    other = somebody(acme, "Otto", "owner")
    for _ in range(ROUNDS):
        start = threading.Barrier(2)
        pairs = ((ada, other), (other, ada))
        threads = [threading.Thread(target=unmake, args=(start, *pair)) for pair in pairs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert owners_of(acme) >= 1
        make_both_owners(acme, ada, other)


def unmake(start, who, whom):
    browser = sign_in(who.at.app, who.at)
    start.wait()
    browser.post(f"/members/{whom.id}/role", data={"role": "member"})


def owners_of(company):
    with company.serving():
        return db.session.scalar(select(func.count()).where(Membership.role == "owner"))


def make_both_owners(company, *people):
    with company.serving():
        for person in people:
            db.session.get_one(Membership, (company.tenant.id, person.id)).role = "owner"
        db.session.commit()
