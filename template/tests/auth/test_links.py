"""Links in e-mails: signed, expiring, good for one use, and nothing to any other page."""

from datetime import timedelta

import pytest
import time_machine

from app.auth import links
from app.db import db, now
from tests.auth.letters import link_to
from tests.auth.people import is_signed_in, log_in, row_of

NEW = {"new_password": "a better horse battery"}


@pytest.fixture
def reset(app, acme, browser):
    """The link that Ada got after she forgot her password."""
    browser.post("/forgot", data={"email": "ada@acme.test"})
    return link_to(app, "ada@acme.test")


def test_a_link_sets_a_new_password_and_logs_in(reset, browser):
    assert browser.get(reset).status_code == 200
    assert browser.post(reset, data=NEW).location == "/t/acme/"

    assert is_signed_in(browser)


def test_a_link_works_once(reset, browser, another_browser):
    browser.post(reset, data=NEW)

    for method in ("GET", "POST"):
        answer = another_browser.open(reset, method=method, data=NEW)
        assert answer.status_code == 410
        assert "/forgot" in answer.text
    assert not is_signed_in(another_browser)


def test_a_password_that_is_refused_does_not_use_the_link_up(reset, browser):
    assert browser.post(reset, data={"new_password": "short"}).status_code == 422

    assert browser.post(reset, data=NEW).status_code == 302


def test_a_link_is_too_old_after_its_time(reset, browser):
    with time_machine.travel(now() + timedelta(minutes=59)):
        assert browser.get(reset).status_code == 200
    with time_machine.travel(now() + timedelta(minutes=61)):
        assert browser.post(reset, data=NEW).status_code == 410


def tampered(link):
    path, _, token = link.partition("?token=")
    payload, time, signature = token.rsplit(".", 2)
    return {
        "cut off": link[:-5],
        "another signature": f"{path}?token={payload}.{time}.{signature[::-1]}",
        "another payload": f"{path}?token={payload[:-4]}AAAA.{time}.{signature}",
        "another time": f"{path}?token={payload}.{time[::-1]}.{signature}",
        "no token": path,
        "empty": f"{path}?token=",
        "nonsense": f"{path}?token=%00%FF...",
    }


def test_a_link_that_was_changed_does_nothing(reset, browser):
    for what, link in tampered(reset).items():
        assert browser.get(link).status_code == 410, what
        assert browser.post(link, data=NEW).status_code == 410, what


@pytest.mark.parametrize("path", ["/confirm", "/account/email/confirmation", "/invitation"])
def test_a_link_of_one_kind_is_nothing_to_another(reset, browser, path):
    assert browser.post(reset.replace("/reset", path)).status_code == 410


def test_a_newer_password_ends_the_links_before_it(app, reset, acme, browser):
    acme.client.post("/account/password", data={"password": "correct horse battery"} | NEW)

    assert browser.post(reset, data={"new_password": "from a stolen mailbox"}).status_code == 410


def test_of_two_uses_at_the_same_moment_one_wins(app, acme):
    """Both have read the person before either has written."""
    with app.app_context():
        token = links.RESET.url(row_of("ada@acme.test")).partition("token=")[2]
        first, _ = links.RESET.open(token)
        with app.app_context():
            second, _ = links.RESET.open(token)
            second.set_password_hash("second")
            db.session.commit()
        first.set_password_hash("first")

        with pytest.raises(Exception, match="expected to update 1 row"):
            db.session.commit()


def test_a_link_outlives_the_key_it_was_signed_with_while_that_is_a_fallback(make_app, acme):
    old = make_app(secret_key="the old key, long enough")
    rotated = make_app(
        secret_key="the new key, long enough", secret_key_fallbacks=["the old key, long enough"]
    )
    forgotten = make_app(secret_key="the new key, long enough")
    with old.app_context():
        link = links.RESET.url(row_of("ada@acme.test")).removeprefix("http://localhost:5000")

    assert rotated.test_client().get(link).status_code == 200
    assert forgotten.test_client().get(link).status_code == 410


def test_a_link_says_nothing_about_the_session(app, acme):
    with app.app_context():
        user = row_of("ada@acme.test")
        assert user.session_stamp not in links.RESET.url(user)


def test_the_log_holds_no_links(reset, browser, capfd):
    browser.get(reset)

    assert reset.partition("token=")[2] not in "".join(capfd.readouterr())


def test_a_reset_proves_the_address(app, acme, browser):
    with app.app_context():
        row_of("ada@acme.test").email_confirmed_at = None
        db.session.commit()
    browser.post("/forgot", data={"email": "ada@acme.test"})

    browser.post(link_to(app, "ada@acme.test"), data=NEW)

    browser.post("/logout")
    assert log_in(browser, password=NEW["new_password"]).status_code == 302
