"""Cross-site request forgery: a form of another site does nothing."""

import re

import pytest

from app.auth.models import User
from app.db import db
from tests.auth.people import row_of
from tests.world import PASSWORD, sign_in


@pytest.fixture
def guarded(make_app, acme):
    """The application as it runs for people: with the check on."""
    app = make_app()
    app.config["WTF_CSRF_ENABLED"] = True
    return app


def token_in(page):
    return re.search(r'name="csrf_token" value="([^"]+)"', page)[1]


def test_every_form_of_auth_needs_its_token(guarded, acme):
    """Without one, nothing is even looked at."""
    browser = sign_in(guarded, acme).client
    for rule in guarded.url_map.iter_rules():
        if rule.endpoint.startswith("auth.") and "POST" in rule.methods:
            path = re.sub("<[^>]*>", str(acme.user_id), rule.rule)
            for address in (path, f"/t/acme{path}"):
                answer = browser.post(address, data={"password": PASSWORD, "name": "x"})
                assert answer.status_code == 400, address
    with guarded.app_context():
        assert db.session.scalars(db.select(User.name)).all() == ["Ada"]


def test_a_log_in_with_the_forms_token_works(guarded):
    browser = guarded.test_client()
    token = token_in(browser.get("/login").text)

    answer = browser.post(
        "/login", data={"email": "ada@acme.test", "password": PASSWORD, "csrf_token": token}
    )

    assert answer.location == "/t/acme/"


def test_another_persons_token_does_not_work(guarded, acme):
    stranger = guarded.test_client()
    token = token_in(stranger.get("/login").text)

    answer = sign_in(guarded, acme).client.post(
        "/account", data={"name": "Changed", "csrf_token": token}
    )

    assert answer.status_code == 400
    with guarded.app_context():
        assert row_of("ada@acme.test").name == "Ada"


def test_a_token_from_before_the_log_in_is_worth_nothing_after_it(guarded):
    browser = guarded.test_client()
    token = token_in(browser.get("/login").text)
    browser.post(
        "/login", data={"email": "ada@acme.test", "password": PASSWORD, "csrf_token": token}
    )

    assert browser.post("/account", data={"name": "X", "csrf_token": token}).status_code == 400
    fresh = token_in(browser.get("/account").text)
    assert browser.post("/account", data={"name": "X", "csrf_token": fresh}).status_code == 302


OURS = {"Origin": "http://localhost"}


def test_a_form_that_comes_too_late_gives_back_what_was_typed(guarded, acme, capsys):
    browser = sign_in(guarded, acme).client
    form = {"name": "<b>Ada</b> again", "password": PASSWORD, "csrf_token": "old"}

    answer = browser.post("/account", data=form, headers=OURS)

    assert answer.status_code == 400
    assert "nothing was saved" in answer.text
    assert "&lt;b&gt;Ada&lt;/b&gt; again" in answer.text
    assert PASSWORD not in answer.text
    assert "The CSRF" in capsys.readouterr().err  # Our log knows which of the reasons it was.


def test_what_another_site_sends_is_not_shown(guarded, acme):
    browser = sign_in(guarded, acme).client

    for origin in (*({"Origin": o} for o in ("https://evil.example", "null", "http://[")), {}):
        answer = browser.post("/account", data={"name": "Pay me"}, headers=origin)

        assert answer.status_code == 400
        assert "Pay me" not in answer.text


def test_a_wrong_address_or_method_is_told_before_a_missing_token(guarded, acme):
    browser = sign_in(guarded, acme).client

    assert browser.post("/nothing-here", data={"name": "x"}).status_code == 404
    assert browser.delete("/account").status_code == 405
