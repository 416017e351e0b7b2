"""A claim gives roles of the workspace's own: none above whoever set it, none that is gone."""

from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from app.db import db
from app.stages.hardened.signin.models import Sso
from tests.auth.letters import letters_to, text_of
from tests.auth.people import is_signed_in, log_in
from tests.hardened.rbac.conftest import ada, join
from tests.hardened.signin.test_sso import enter, people, provider, set_up, sso
from tests.world import sign_in

__all__ = ["ada", "join", "provider", "sso"]
# Enough to set the provider; the last two are all that members are given besides.
SETTER = "workspace:write"


def roles_of(acme, email):
    """What somebody is, and which of the workspace's own roles they have."""
    answer = acme.get("/api/v1/members").json["items"]
    (found,) = [one for one in answer if one["email"] == email]
    person = acme.get(f"/api/v1/members/{found['id']}/roles").json["items"]
    return found["role"], sorted(one["name"] for one in person)


def map_to(acme, provider, text):
    answer = set_up(acme, provider.issuer, role_map=text)
    assert answer.status_code == 302, answer.text


CASES = {
    "one": (["desk"], ("member", ["Support"])),
    "two": (["desk", "books"], ("member", ["Accounts", "Support"])),
    "one value, two roles": (["both"], ("member", ["Accounts", "Support"])),
    "a built-in one": (["guests"], ("member", ["Viewer"])),
    "with plain members": (["staff", "desk"], ("member", ["Support"])),
    "an owner needs no other": (["admins", "desk"], ("owner", [])),
    "none": (["wheel"], ("member", [])),
}
MAPPED = (
    "desk = support\nbooks = Accounts\nboth = Support\nboth = Accounts\n"
    "guests = viewer\nstaff = member\nadmins = owner"
)


@pytest.mark.parametrize(("groups", "wanted"), CASES.values(), ids=CASES.keys())
def test_a_claim_gives_roles_of_the_workspaces_own(acme, ada, sso, visitor, groups, wanted):
    ada.make("Support", "members:read")
    ada.make("Accounts", "members:read", "billing:read")
    map_to(acme, sso, MAPPED)
    sso.claims = {"groups": groups}

    enter(visitor)

    assert roles_of(acme, "eve@acme.test") == wanted


def test_another_name_of_a_role_changes_nothing(acme, ada, sso, visitor):
    role = ada.make("Support", "members:read")
    map_to(acme, sso, "desk = Support")
    answer = acme.patch(f"/api/v1/members/roles/{role}", json={"name": "Help desk"})
    assert answer.status_code == 200
    sso.claims = {"groups": ["desk"]}

    enter(visitor)

    assert roles_of(acme, "eve@acme.test") == ("member", ["Help desk"])
    assert "desk = Help desk" in acme.get("/settings/sso").text


def test_a_role_that_is_not_there_is_refused(acme, ada, sso):
    answer = set_up(acme, sso.issuer, role_map="desk = Back office")

    assert answer.status_code == 422
    assert "no role here is called “Back office”" in answer.text


def test_another_workspaces_role_is_not_there(acme, initech, sso):
    answer = initech.post(
        "/api/v1/members/roles", json={"name": "Theirs", "permissions": ["members:read"]}
    )
    role = answer.json["id"]

    assert set_up(acme, sso.issuer, role_map="desk = Theirs").status_code == 422
    assert set_up(acme, sso.issuer, role_map=f"desk = {role}").status_code == 422


# --- Nobody gives what they don't have ------------------------------------------------------------


def all_of_a_member(app):
    return [name for name, one in app.extensions["permissions"].items() if one.member]


@pytest.mark.parametrize("given", ["owner", "Admin", "Boss"])
def test_whoever_sets_it_gives_nothing_above_them(app, acme, ada, join, provider, given):
    ada.make("Boss", "billing:write")
    setter = join("Cleo", permissions=[*all_of_a_member(app), SETTER])

    answer = set_up(setter.at, provider.issuer, role_map=f"admins = {given}")

    assert answer.status_code == 422
    assert "It takes what you don" in answer.text
    with acme.serving():
        assert db.session.scalars(select(Sso)).all() == []


def test_whoever_sets_it_gives_what_they_have(app, acme, ada, join, provider, visitor):
    ada.make("Support", "members:read")
    setter = join("Cleo", permissions=[*all_of_a_member(app), SETTER])

    map_to(setter.at, provider, "desk = Support")

    provider.claims = {"groups": ["desk"]}
    enter(visitor)
    assert roles_of(acme, "eve@acme.test") == ("member", ["Support"])


def test_whoever_lacks_what_it_gives_cannot_say_which_provider_is_believed(
    app, acme, join, provider, sso
):
    """Else they'd name a provider of their own, which says that they're an owner."""
    setter = join("Cleo", permissions=[*all_of_a_member(app), SETTER])

    answer = set_up(setter.at, provider.issuer, domains="evil.test")

    assert "It takes what you don" in answer.text
    with acme.serving():
        assert db.session.scalars(select(Sso)).one().domains == "acme.test"


# --- A role that goes -----------------------------------------------------------------------------


def test_who_is_given_only_a_role_that_was_deleted_is_not_let_in(app, acme, ada, sso, visitor):
    role = ada.make("Support", "members:read")
    map_to(acme, sso, "desk = Support\nstaff = member")
    assert acme.delete(f"/api/v1/members/roles/{role}").status_code == 204
    sso.claims = {"groups": ["desk"]}

    answer = enter(visitor)

    assert answer.status_code == 403
    assert "doesn&#39;t have any more" in answer.text
    assert not is_signed_in(visitor)
    assert "eve@acme.test" not in people(app)
    sso.claims = {"groups": ["desk", "staff"]}
    enter(visitor)
    assert roles_of(acme, "eve@acme.test") == ("member", [])


def test_the_owners_are_told_and_see_where(app, acme, ada, sso):
    role = ada.make("Support", "members:read")
    map_to(acme, sso, "desk = Support")
    acme.delete(f"/api/v1/members/roles/{role}")

    found = letters_to(app, "ada@acme.test")
    (letter,) = [one for one in found if "single sign-on" in one["Subject"]]
    assert "“Support”" in text_of(letter)
    assert "desk = (a role that was deleted)" in acme.get("/settings/sso").text
    answer = set_up(acme, sso.issuer, role_map="desk = (a role that was deleted)")
    assert answer.status_code == 422


def test_what_gave_a_deleted_role_gives_the_one_in_its_place(acme, ada, sso, visitor):
    role, other = ada.make("Support", "members:read"), ada.make("Desk", "members:read")
    map_to(acme, sso, "desk = Support")
    answer = acme.delete(f"/api/v1/members/roles/{role}", query_string={"move_to": other})
    assert answer.status_code == 204, answer.text
    sso.claims = {"groups": ["desk"]}

    enter(visitor)

    assert roles_of(acme, "eve@acme.test") == ("member", ["Desk"])


def test_who_connects_their_account_gets_the_role(app, acme, initech, ada, sso, visitor):
    ada.make("Support", "members:read")
    map_to(acme, sso, "desk = Support")
    sign_in(app, initech.join("eve@acme.test", "Eve"))
    sso.claims = {"groups": ["desk"]}
    path = enter(visitor).location
    log_in(visitor, "eve@acme.test")

    visitor.post(parse_qs(urlsplit(path).query)["next"][0])

    assert roles_of(acme, "eve@acme.test") == ("member", ["Support"])
