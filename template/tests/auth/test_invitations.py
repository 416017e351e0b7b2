"""Invitations: a link for one address, for seven days, for one use."""

from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from app.auth import joining
from app.auth.models import Invitation, Membership
from app.db import db, now
from app.errors import Refused
from app.events import OutboxRow
from tests.auth.letters import letters_to, link_to, text_of
from tests.auth.people import has_account, is_signed_in, log_in, row_of
from tests.world import found, sign_in

EVE = "eve@elsewhere.test"
ACCOUNT = {"name": "Eve", "new_password": "a better horse battery"}


def invite(company, email=EVE, role="member", **more):
    return company.post("/members/invitations", data={"email": email, "role": role} | more)


@pytest.fixture
def link(app, acme):
    """The link that Eve got."""
    invite(acme)
    return link_to(app, EVE)


@pytest.fixture
def eve(app):
    """Eve, who has an account and a workspace of her own."""
    return sign_in(app, found(app, "elsewhere", "Elsewhere", EVE, "Eve"))


def roles_in(company):
    with company.serving():
        mine = select(Membership.role).where(Membership.tenant_id == company.tenant.id)
        return sorted(db.session.scalars(mine))


def test_the_letter_says_who_invites_to_what(app, acme, link):
    (letter,) = letters_to(app, EVE)

    assert letter["Subject"].startswith("Ada invites you to Acme on ")
    assert "seven days" in text_of(letter)


def test_a_new_person_joins_with_a_name_and_a_password(app, link, browser):
    assert EVE in browser.get(link).text
    assert browser.post(link, data=ACCOUNT).location == "/t/acme/"

    assert browser.get("/t/acme/members").status_code == 200
    browser.post("/logout")
    assert log_in(browser, EVE, ACCOUNT["new_password"]).location == "/t/acme/"


def test_a_new_person_cannot_choose_the_role_or_the_address(app, acme, link, browser):
    browser.post(
        link, data=ACCOUNT | {"role": "owner", "email": "mallory@evil.test", "tenant_id": "x"}
    )

    assert roles_in(acme) == ["member", "owner"]
    assert has_account(app, EVE)
    assert not has_account(app, "mallory@evil.test")


def test_a_weak_password_does_not_use_the_invitation_up(link, browser):
    assert browser.post(link, data=ACCOUNT | {"new_password": EVE}).status_code == 422
    assert browser.post(link, data=ACCOUNT).status_code == 302


def test_opening_the_link_changes_nothing(acme, link, browser, eve):
    browser.get(link)
    eve.client.get(link)

    assert roles_in(acme) == ["owner"]


def test_a_person_with_an_account_logs_in_and_joins_with_a_button(acme, link, eve, browser):
    page = browser.get(link)
    assert "You have an account" in page.text

    log_in(browser, EVE)
    assert "Join Acme" in browser.get(link).text
    assert browser.post(link).location == "/t/acme/"
    assert roles_in(acme) == ["member", "owner"]


def test_the_log_in_leads_back_to_the_invitation(link, eve, browser):
    browser.get(link)

    assert log_in(browser, EVE, query_string={"next": link}).location == link


def test_somebody_with_an_account_is_not_given_another_password(app, link, eve, browser):
    browser.post(link, data=ACCOUNT)

    assert not is_signed_in(browser)
    assert log_in(browser, EVE).status_code == 302


def test_an_address_that_somebody_signed_up_but_never_confirmed_is_the_invited_persons(
    app, link, browser, another_browser
):
    another_browser.post(
        "/signup", data={"name": "M", "email": EVE, "new_password": "known to mallory"}
    )

    browser.post(link, data=ACCOUNT)

    assert log_in(another_browser, EVE, "known to mallory").status_code == 422
    with app.app_context():
        assert row_of(EVE).email_confirmed_at is not None


def test_an_invitation_is_nothing_to_a_person_with_another_address(acme, initech, link):
    page = initech.client.get(link)
    answer = initech.client.post(link)

    assert "This invitation is for" in page.text
    assert answer.status_code == 403
    assert roles_in(acme) == ["owner"]


def test_an_invitation_works_once(acme, link, browser, another_browser):
    browser.post(link, data=ACCOUNT)

    answer = another_browser.get(link)
    assert answer.status_code == 410
    assert "Ask whoever invited you" in answer.text


def test_an_invitation_is_good_for_seven_days(link, browser):
    with time_machine.travel(now() + timedelta(days=6, hours=23)):
        assert browser.get(link).status_code == 200
    with time_machine.travel(now() + timedelta(days=7, minutes=1)):
        assert browser.post(link, data=ACCOUNT).status_code == 410


@pytest.mark.parametrize("token", ["", "?token=", "?token=x", "?token=%00", "?token=" + "a" * 43])
def test_a_made_up_link_opens_nothing(acme, link, browser, token):
    assert browser.get(f"/invitation{token}").status_code == 410


def test_the_table_holds_no_link(acme, link):
    with acme.serving():
        row = db.session.scalars(select(Invitation)).one()
        assert link.partition("token=")[2] not in (row.token_hash, row.email, str(row.id))


def the_only(company):
    with company.serving():
        return db.session.scalars(select(Invitation.id)).one()


def test_sending_again_makes_a_new_link_and_ends_the_old_one(app, acme, link, browser):
    acme.post(f"/members/invitations/{the_only(acme)}/letter")

    assert browser.get(link).status_code == 410
    assert browser.get(link_to(app, EVE)).status_code == 200


def test_inviting_the_same_address_again_is_sending_again(app, acme, link, browser):
    invite(acme, "EVE@elsewhere.test", role="owner")

    assert browser.get(link).status_code == 410
    browser.post(link_to(app, "EVE@elsewhere.test"), data=ACCOUNT)
    assert roles_in(acme) == ["owner", "owner"]


def test_a_revoked_invitation_is_dead(acme, link, browser):
    acme.post(f"/members/invitations/{the_only(acme)}/revocation")

    assert browser.get(link).status_code == 410
    assert "Open invitations" not in acme.get("/members").text


def test_somebody_who_is_there_is_not_invited(app, acme, member):
    answer = invite(acme, "MAX@acme.test")

    assert answer.status_code == 422
    assert "belongs to Acme already" in answer.text
    assert letters_to(app, "MAX@acme.test") == []


def test_members_invite_nobody(acme, member, link):
    assert invite(member, "friend@elsewhere.test").status_code == 403
    assert member.post(f"/members/invitations/{the_only(acme)}/letter").status_code == 403
    assert member.post(f"/members/invitations/{the_only(acme)}/revocation").status_code == 403
    assert EVE not in member.get("/members").text


def test_another_workspaces_invitations_are_out_of_reach(acme, initech, link):
    for verb in ("letter", "revocation"):
        assert initech.post(f"/members/invitations/{the_only(acme)}/{verb}").status_code == 404
    assert the_only(acme)


def test_an_invitation_that_is_not_right_keeps_what_was_typed(acme):
    answer = invite(acme, "not an address")

    assert answer.status_code == 422
    assert "not an address" in answer.text


def test_invited_people_find_the_invitation_in_their_list(acme, link, eve):
    assert "Acme" in eve.client.get("/workspaces").text

    answer = eve.client.post(f"/workspaces/invitations/{the_only(acme)}/acceptance")
    assert answer.location == "/t/acme/"
    assert roles_in(acme) == ["member", "owner"]


def test_nobody_accepts_somebody_elses_invitation_from_the_list(acme, initech, link):
    answer = initech.client.post(f"/workspaces/invitations/{the_only(acme)}/acceptance")

    assert answer.status_code == 410
    assert roles_in(acme) == ["owner"]


@pytest.fixture
def room_for_two():
    """Somebody, as billing is, who lets a workspace have two people."""

    @joining.before_joining
    def refuse_a_third(people):
        if people > 2:
            raise Refused("Your plan has room for 2 people.")

    yield
    joining.OBJECTIONS.remove(refuse_a_third)


def test_open_invitations_count_towards_the_limit(app, acme, link, room_for_two):
    answer = invite(acme, "third@elsewhere.test")

    assert answer.status_code == 422
    assert "Your plan has room for 2 people." in answer.text
    assert letters_to(app, "third@elsewhere.test") == []


def test_sending_again_and_expired_invitations_take_no_room(acme, link, room_for_two):
    assert acme.post(f"/members/invitations/{the_only(acme)}/letter").status_code == 302
    with time_machine.travel(now() + timedelta(days=8)):
        later = sign_in(acme.app, acme)
        assert invite(later, "third@elsewhere.test").status_code == 302


def test_a_workspace_that_is_full_takes_nobody_in(app, acme, link, browser, room_for_two):
    acme.join("max@acme.test", "Max")

    answer = browser.post(link, data=ACCOUNT)

    assert answer.status_code == 409
    assert "Acme can&#39;t take in more people now." in answer.text
    assert "plan" not in answer.text.partition("<main")[2].partition("</main")[0]
    assert not has_account(app, EVE)


def test_joining_by_invitation_is_heard_of(acme, link, browser):
    browser.post(link, data=ACCOUNT)

    with acme.app.app_context():
        names = db.session.scalars(select(OutboxRow.name).order_by(OutboxRow.id)).all()
    assert names == ["auth.member_invited", "auth.user_signed_up", "auth.member_joined"]
