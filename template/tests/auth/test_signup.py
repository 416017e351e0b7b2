"""Signing up: from a name to a workspace, with an address that is really one's own."""

import re

import pytest

from app.auth import passwords
from app.auth.models import User
from app.db import db
from tests.auth.letters import letters, letters_to, link_to, text_of
from tests.auth.people import has_account, is_signed_in, log_in, row_of

GRACE = {"name": "Grace Hopper", "email": "grace@navy.test", "new_password": "nanoseconds of wire"}


def sign_up(browser, **changes):
    return browser.post("/signup", data=GRACE | changes)


def test_from_the_sign_up_to_the_first_page_of_a_workspace(app, browser):
    assert sign_up(browser).location == "/signup/sent"
    assert "grace@navy.test" in browser.get("/signup/sent").text

    link = link_to(app, "grace@navy.test")
    assert browser.get(link).status_code == 200
    assert browser.post(link).location == "/workspaces"

    answer = browser.post("/workspaces/new", data={"name": "Navy"})
    assert answer.location == "/t/navy/"
    assert browser.get("/t/navy/", follow_redirects=True).status_code == 200


def test_nobody_logs_in_with_an_address_that_is_not_confirmed(app, browser):
    sign_up(browser)

    answer = log_in(browser, GRACE["email"], GRACE["new_password"])

    assert answer.status_code == 422
    assert not is_signed_in(browser)


def test_opening_the_link_changes_nothing_before_the_button(app, browser):
    """Mail scanners open links."""
    sign_up(browser)
    link = link_to(app, GRACE["email"])

    browser.get(link)
    browser.head(link)

    with app.app_context():
        assert row_of(GRACE["email"]).email_confirmed_at is None


def test_another_browser_needs_the_password_to_confirm(app, browser, another_browser):
    sign_up(browser)
    link = link_to(app, GRACE["email"])

    refused = another_browser.post(link, data={"password": "not the right one"})
    assert refused.status_code == 422
    assert not is_signed_in(another_browser)

    another_browser.post(link, data={"password": GRACE["new_password"]})
    assert is_signed_in(another_browser)


def test_nobody_makes_an_account_real_that_somebody_else_signed_up_for(
    app, browser, another_browser
):
    """Mallory signs up with Grace's address, and hopes that Grace confirms it."""
    mallory, grace = browser, another_browser
    sign_up(mallory, new_password="known to mallory")
    link = link_to(app, GRACE["email"])

    grace.post(link)

    assert log_in(mallory, GRACE["email"], "known to mallory").status_code == 422


def test_the_latest_sign_up_of_an_unconfirmed_address_counts(app, browser, another_browser):
    sign_up(another_browser, new_password="known to mallory")
    first = link_to(app, GRACE["email"])
    sign_up(browser)

    assert browser.get(first).status_code == 410
    browser.post(link_to(app, GRACE["email"]))
    assert is_signed_in(browser)


def test_a_known_address_looks_the_same_and_is_told_by_mail(app, acme, browser, another_browser):
    known = sign_up(browser, email="ADA@acme.test")
    unknown = sign_up(another_browser)

    assert (known.status_code, known.location) == (unknown.status_code, unknown.location)
    page = page_without(browser.get("/signup/sent"), "ADA@acme.test")
    assert page == page_without(another_browser.get("/signup/sent"), GRACE["email"])
    (letter,) = letters_to(app, "ada@acme.test")
    assert "has an account already" in text_of(letter)
    with app.app_context():
        assert row_of("ada@acme.test").name == "Ada"


def page_without(answer, email):
    """A page, but for the address and the form's token."""
    return re.sub(r'name="csrf_token" value="[^"]*"', "", answer.text).replace(email, "X")


def test_a_sign_up_costs_one_hash_for_known_and_unknown_addresses(
    app, acme, browser, another_browser, monkeypatch
):
    hashes = []
    real = passwords.hash_password
    monkeypatch.setattr(passwords, "hash_password", lambda text: hashes.append(text) or real(text))

    sign_up(browser, email="ada@acme.test")
    assert len(hashes) == 1
    sign_up(another_browser)
    assert len(hashes) == 2


def test_the_link_can_be_sent_again(app, browser, another_browser):
    sign_up(browser)
    another_browser.post("/confirm/again", data={"email": GRACE["email"]})

    assert len(letters_to(app, GRACE["email"])) == 2
    link = link_to(app, GRACE["email"])
    assert browser.post(link).status_code == 422  # A link that anybody may ask for wants more.
    browser.post(link, data={"password": GRACE["new_password"]})
    assert is_signed_in(browser)


@pytest.mark.parametrize("email", ["ada@acme.test", "nobody@acme.test"])
def test_asking_for_the_link_again_tells_nothing(app, acme, browser, email):
    answer = browser.post("/confirm/again", data={"email": email}, follow_redirects=True)

    assert "If this address waits for its confirmation" in answer.text
    assert letters(app) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"email": "not an address"}, "must have an @-sign"),
        ({"email": ""}, "Enter an e-mail address"),
        ({"email": "ada@acme.test\r\nBcc: all@acme.test"}, "invalid characters"),
        ({"name": " \u200b "}, "Enter a name"),
        ({"name": "x" * 81}, "longer than 80"),
        ({"name": "Win at https://evil.test"}, "can&#39;t hold a web address"),
        ({"new_password": "too short"}, "12 characters or more"),
        ({"new_password": "x1" * 100}, "128 characters at most"),
        ({"new_password": "Password1234"}, "first passwords"),
        ({"new_password": "grace hopper"}, "guess this from your name"),
        ({"new_password": "GRACE@navy.test"}, "guess this from your name"),
    ],
)
def test_what_is_wrong_with_a_sign_up_is_said(app, browser, changes, problem):
    answer = sign_up(browser, **changes)

    assert answer.status_code == 422
    assert problem in answer.text
    assert letters(app) == []


def test_a_form_cannot_set_what_it_does_not_show(app, browser):
    sign_up(
        browser,
        id="0190a5e8-0000-7000-8000-000000000000",
        email_confirmed_at="2026-01-01",
        session_stamp="mine",
        role="owner",
        tenant_id="0190a5e8-0000-7000-8000-000000000000",
    )

    with app.app_context():
        user = db.session.scalars(db.select(User)).one()
        assert user.email_confirmed_at is None
        assert user.session_stamp != "mine"
        assert user.id.hex != "0190a5e8000070008000000000000000"
        assert user.memberships == []


def test_a_sign_up_that_fails_leaves_nothing(app, browser):
    sign_up(browser, new_password="short")

    assert not has_account(app, GRACE["email"])


def test_whoever_is_signed_in_needs_no_sign_up(acme):
    assert acme.client.get("/signup").location == "/workspaces"
