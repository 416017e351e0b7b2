"""Limits: how often one may try, and that guessing locks nobody out."""

from datetime import timedelta

import pytest
import time_machine

from app import limits
from app.auth import emails
from app.db import now
from tests.auth.letters import letters_to
from tests.auth.people import is_signed_in, log_in
from tests.world import PASSWORD


def guess(browser, email="ada@acme.test", times=1, address="10.0.0.1"):
    """Try wrong passwords from an address; answers the last response."""
    for _ in range(times):
        answer = log_in(browser, email, "a guess", environ_overrides={"REMOTE_ADDR": address})
    return answer


def test_guessing_at_an_account_ends_with_429_and_says_when_to_come_back(acme, browser):
    assert guess(browser, times=10).status_code == 422

    answer = guess(browser)

    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 600
    assert "Too many tries" in answer.text


def test_another_address_or_spelling_gives_no_more_guesses_at_an_account(acme, app):
    for number in range(10):
        guess(app.test_client(), address=f"10.0.0.{number}")

    full_width = "ada@\uff41\uff43\uff4d\uff45.test"
    for spelling in ("ada@acme.test", "ADA@Acme.test", "  ada@acme.test", full_width):
        assert guess(app.test_client(), spelling, address="10.9.9.9").status_code == 429


def test_the_right_password_does_not_help_a_guesser_over_the_limit(acme, browser):
    guess(browser, times=10)

    assert log_in(browser).status_code == 429


def test_a_limit_is_over_after_a_while(acme, browser):
    with time_machine.travel(now(), tick=False) as clock:
        guess(browser, times=11)
        clock.shift(timedelta(minutes=11))
        assert log_in(browser).status_code == 302


def test_guessing_does_not_lock_the_owner_out(acme, browser, another_browser):
    """Ada's own browser has logged in before; Mallory's has not."""
    ada, mallory = browser, another_browser
    log_in(ada)
    ada.post("/logout")

    assert guess(mallory, times=11).status_code == 429

    assert log_in(ada).status_code == 302


def test_a_device_that_one_account_knows_is_a_stranger_to_others(
    acme, initech, browser, another_browser
):
    log_in(browser, "bill@initech.test")
    browser.post("/logout")
    guess(another_browser, times=10)

    assert guess(browser).status_code == 429
    assert log_in(browser, "bill@initech.test").status_code == 302


def test_a_known_device_has_no_more_guesses_than_others(acme, browser):
    log_in(browser)
    browser.post("/logout")

    assert guess(browser, times=11).status_code == 429


def test_a_forged_device_is_a_stranger(acme, app, browser):
    guess(browser, times=10)
    forger = app.test_client()
    account = emails.print_of("ada@acme.test")
    forger.set_cookie("device", f'["{account}","x"].c2lnbmF0dXJl')

    assert guess(forger).status_code == 429


def test_whoever_is_locked_out_gets_in_by_mail(app, acme, browser, another_browser):
    guess(another_browser, times=11)

    browser.post("/forgot", data={"email": "ada@acme.test"})

    assert len(letters_to(app, "ada@acme.test")) == 1


def test_one_address_cannot_try_many_accounts(acme, app):
    for number in range(30):
        guess(app.test_client(), f"person{number}@acme.test")

    assert guess(app.test_client(), "another@acme.test").status_code == 429
    assert guess(app.test_client(), "another@acme.test", address="10.0.0.2").status_code == 422


@pytest.mark.parametrize("path", ["/forgot", "/confirm/again", "/signup"])
@pytest.mark.parametrize("email", ["ada@acme.test", "nobody@acme.test"])
def test_nobody_floods_a_mailbox(app, acme, path, email):
    answers = [
        app.test_client().post(
            path,
            data={"email": email, "name": "A", "new_password": "a better horse battery"},
            environ_overrides={"REMOTE_ADDR": f"10.0.0.{number}"},
        )
        for number in range(6)
    ]

    assert [answer.status_code for answer in answers] == [302] * 5 + [429]
    assert len(letters_to(app, email)) <= 5


def test_a_stolen_session_cannot_guess_the_password(acme):
    def guess_at(path):
        return acme.client.post(path, data={"password": "a guess"}).status_code

    paths = ["/account/password", "/account/email", "/account/deletion"]
    assert [guess_at(paths[number % 3]) for number in range(10)] == [422] * 10
    assert [guess_at(path) for path in paths] == [429] * 3
    assert is_signed_in(acme.client)


def test_nobody_invites_the_whole_world(acme):
    answers = [
        acme.post("/members/invitations", data={"email": "nonsense", "role": "member"}).status_code
        for _ in range(61)
    ]

    assert answers[-1] == 429


def test_looking_at_the_log_in_is_not_limited(browser):
    assert {browser.get("/login").status_code for _ in range(40)} == {200}


def test_the_api_and_pages_answer_429_each_in_their_way(acme, browser):
    guess(browser, times=10)

    answer = log_in(browser, headers={"Accept": "application/json"})

    assert answer.status_code == 429
    assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8:1:1::1", "2001:db8:1:1:ffff::2", True),
        ("2001:db8:1:1::1", "2001:db8:1:2::1", False),
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "10.0.0.1", True),
        ("unknown", "unknown", True),
    ],
)
def test_a_household_is_one_address(app, first, second, same):
    def counted_as(address):
        with app.test_request_context(environ_base={"REMOTE_ADDR": address}):
            return limits.address()

    assert (counted_as(first) == counted_as(second)) is same


def test_the_limiters_store_holds_no_addresses(app, acme, browser):
    guess(browser)

    assert not [key for key in limits.limiter.storage.events if "ada@" in key]
    assert PASSWORD not in str(list(limits.limiter.storage.events))
