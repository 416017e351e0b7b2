"""One's own account: another name, another address, and the end."""

from datetime import timedelta

import time_machine
from sqlalchemy import select

from app import audit
from app.auth.models import ApiToken, Invitation, Membership, User
from app.db import db, now
from tests.auth.letters import letters_to, link_to, text_of
from tests.auth.people import has_account, is_signed_in, log_in, row_of
from tests.world import PASSWORD

WANTED = {"email": "countess@lovelace.test", "password": PASSWORD}


def test_a_name_can_be_changed(app, acme):
    assert acme.client.post("/account", data={"name": "  Ada\n King "}).location == "/account"

    assert "Ada King" in acme.client.get("/account").text


def test_a_profile_form_changes_the_name_only(app, acme):
    acme.client.post(
        "/account", data={"name": "Ada", "email": "other@acme.test", "session_stamp": "mine"}
    )

    with app.app_context():
        user = row_of("ada@acme.test")
        assert user is not None
        assert user.session_stamp != "mine"


def test_a_new_address_counts_once_it_is_confirmed(app, acme):
    acme.client.post("/account/email", data=WANTED)

    assert has_account(app, "ada@acme.test")
    link = link_to(app, WANTED["email"])
    acme.client.get(link)
    assert has_account(app, "ada@acme.test")

    assert acme.client.post(link).location == "/account"
    assert not has_account(app, "ada@acme.test")
    assert log_in(app.test_client(), WANTED["email"]).status_code == 302


def test_the_old_address_is_told_when_it_is_asked_for_and_when_it_is_done(app, acme):
    acme.client.post("/account/email", data=WANTED)
    acme.client.post(link_to(app, WANTED["email"]))

    asked, done = map(text_of, letters_to(app, "ada@acme.test"))
    assert f"to {WANTED['email']}" in asked
    assert f"is {WANTED['email']} from now on" in done


def test_a_new_address_ends_the_sessions_elsewhere(app, acme, browser):
    log_in(browser)
    acme.client.post("/account/email", data=WANTED)

    acme.client.post(link_to(app, WANTED["email"]))

    assert is_signed_in(acme.client)
    assert not is_signed_in(browser)


def test_the_link_works_at_a_browser_that_is_not_signed_in_and_signs_nobody_in(app, acme, browser):
    acme.client.post("/account/email", data=WANTED)

    browser.post(link_to(app, WANTED["email"]))

    assert has_account(app, WANTED["email"])
    assert not is_signed_in(browser)


def test_the_link_works_once_and_for_a_day(app, acme):
    acme.client.post("/account/email", data=WANTED)
    link = link_to(app, WANTED["email"])

    with time_machine.travel(now() + timedelta(hours=25)):
        assert acme.client.post(link).status_code == 410
    assert acme.client.post(link).status_code == 302
    assert acme.client.post(link).status_code == 410


def test_a_new_password_stops_a_new_address(app, acme):
    acme.client.post("/account/email", data=WANTED)
    link = link_to(app, WANTED["email"])

    acme.client.post(
        "/account/password", data={"password": PASSWORD, "new_password": "a better horse battery"}
    )

    assert acme.client.post(link).status_code == 410


def test_an_address_needs_the_password(app, acme):
    assert acme.client.post("/account/email", data=WANTED | {"password": "x"}).status_code == 422

    assert letters_to(app, WANTED["email"]) == []


def test_an_address_of_somebody_else_looks_the_same_and_is_told_by_mail(app, acme, initech):
    free = acme.client.post("/account/email", data=WANTED)
    taken = acme.client.post("/account/email", data=WANTED | {"email": "bill@initech.test"})

    assert (free.status_code, free.location) == (taken.status_code, taken.location)
    (letter,) = letters_to(app, "bill@initech.test")
    assert "token=" not in text_of(letter)


def test_an_address_that_a_stranger_signed_up_with_is_still_free(app, acme):
    stranger = {"name": "Eve", "email": WANTED["email"], "password": "evil horse battery"}
    app.test_client().post("/signup", data=stranger)

    acme.client.post("/account/email", data=WANTED)
    acme.client.post(link_to(app, WANTED["email"]))

    assert has_account(app, WANTED["email"])
    assert not has_account(app, "ada@acme.test")


def test_an_address_that_somebody_took_meanwhile_is_not_given_twice(app, acme, initech):
    acme.client.post("/account/email", data=WANTED)
    link = link_to(app, WANTED["email"])
    initech.client.post("/account/email", data=WANTED)
    initech.client.post(link_to(app, WANTED["email"]))

    assert acme.client.post(link).status_code == 410
    assert has_account(app, "ada@acme.test")


def delete(browser, password=PASSWORD):
    return browser.post("/account/deletion", data={"password": password})


def test_a_deleted_account_is_gone(app, acme, member):
    member.post("/settings/tokens", data={"name": "export"})

    assert delete(member.client).location == "/"

    assert not has_account(app, "max@acme.test")
    assert not is_signed_in(member.client)
    with app.app_context():
        for model in (Membership, ApiToken):
            left = select(model).where(model.user_id == member.user_id)
            assert db.session.scalars(left).all() == []


def test_a_deletion_needs_the_password(app, acme, member):
    assert delete(member.client, "a guess").status_code == 422

    assert has_account(app, "max@acme.test")


def test_the_last_owner_cannot_delete_the_account(app, acme):
    answer = delete(acme.client)

    assert answer.status_code == 409
    assert "Acme would have no owner." in answer.text
    assert has_account(app, "ada@acme.test")


def test_whoever_leaves_an_owner_behind_may_go_and_the_invitations_stay(app, acme, member):
    acme.post(f"/members/{member.user_id}/role", data={"role": "owner"})
    acme.post("/members/invitations", data={"email": "eve@acme.test", "role": "member"})

    delete(acme.client)

    with app.app_context():
        assert db.session.scalars(select(User.email)).all() == ["max@acme.test"]
        assert db.session.scalars(select(Invitation)).one().invited_by is None
    assert "eve@acme.test" in member.get("/members").text


def test_what_a_deleted_person_did_stays_in_the_trail(app, acme, member):
    acme.post(f"/members/{member.user_id}/role", data={"role": "owner"})
    delete(acme.client)

    assert "A former member" in member.get("/settings/audit").text
    with app.app_context():
        deeds = select(audit.AuditRow.action).where(audit.AuditRow.action == "user.deleted")
        assert db.session.scalars(deeds).all() == ["user.deleted"]
