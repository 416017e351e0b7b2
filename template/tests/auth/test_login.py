"""Logging in and out: who gets in, where they land, and what strangers learn (nothing)."""

import re

import pytest
import time_machine
from argon2 import PasswordHasher
from sqlalchemy import select

from app import audit
from app.auth import passwords
from app.auth.models import Membership, User
from app.db import db, now
from tests.auth.people import is_signed_in, log_in, row_of
from tests.world import PASSWORD


def test_the_right_password_opens_the_only_workspace(acme, browser):
    assert log_in(browser).location == "/t/acme/"
    assert is_signed_in(browser)


def test_people_of_several_workspaces_choose_one(app, acme, initech, browser):
    with app.app_context():
        db.session.add(Membership(tenant_id=initech.tenant.id, user_id=acme.user_id, role="member"))
        db.session.commit()

    assert log_in(browser).location == "/workspaces"
    page = browser.get("/workspaces").text
    assert "/t/acme/" in page
    assert "/t/initech/" in page


def test_an_address_may_be_typed_in_any_case(acme, browser):
    log_in(browser, "  ADA@Acme.test ")

    assert is_signed_in(browser)


def test_an_accent_may_be_typed_in_two_ways(app, acme, browser):
    with app.app_context():
        accented = passwords.hash_password("caf\u00e9 caf\u00e9 cr\u00e8me")
        row_of("ada@acme.test").password_hash = accented
        db.session.commit()

    log_in(browser, password="cafe\u0301 cafe\u0301 cre\u0300me")

    assert is_signed_in(browser)


FAILURES = {
    "wrong password": ("ada@acme.test", "wrong password"),
    "unknown address": ("nobody@acme.test", PASSWORD),
    "no address": ("nonsense", PASSWORD),
    "not confirmed": ("max@acme.test", PASSWORD),
}


@pytest.mark.parametrize(("email", "password"), FAILURES.values(), ids=FAILURES.keys())
def test_every_failure_looks_the_same_and_costs_the_same(
    app, acme, member, browser, monkeypatch, email, password
):
    with app.app_context():
        row_of("max@acme.test").email_confirmed_at = None
        db.session.commit()
    checks = count_checks(monkeypatch)

    answer = log_in(browser, email, password)

    assert answer.status_code == 422
    assert "This e-mail address and password don&#39;t fit." in answer.text
    assert without(answer.text, email) == without(
        log_in(browser, "other@acme.test", "x").text, "other@acme.test"
    )
    assert len(checks) == 2  # One for each of the two tries.
    assert not is_signed_in(browser)


def without(page, email):
    # The CSRF token holds the second it was made in. It begins as a quote and a hex digit do.
    return re.sub(r"\bI[jm][\w.-]{60,}", "TOKEN", page.replace(email, "X"))


def count_checks(monkeypatch):
    checks = []
    verify = PasswordHasher.verify
    monkeypatch.setattr(
        PasswordHasher, "verify", lambda *args: checks.append(args) or verify(*args)
    )
    return checks


def test_a_session_keeps_nothing_of_the_one_before(acme, browser):
    """Session fixation: what somebody planted in the browser is gone after the log-in."""
    with browser.session_transaction() as session:
        session["planted"] = "by mallory"
        session["csrf_token"] = "known to mallory"

    log_in(browser)

    with browser.session_transaction() as session:
        assert "planted" not in session
        assert session.get("csrf_token") != "known to mallory"


def test_a_session_ends_after_14_days(acme, browser):
    with time_machine.travel(now(), tick=False) as clock:
        log_in(browser)
        clock.shift(13 * 86400)
        assert is_signed_in(browser)
        clock.shift(2 * 86400)
        assert not is_signed_in(browser)


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(acme, browser):
    cookies = log_in(browser).headers.getlist("Set-Cookie")

    for cookie in cookies:
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
    assert any(cookie.startswith("session=") for cookie in cookies)
    assert not any("remember_token" in cookie for cookie in cookies)


def test_cookies_travel_over_https_only_where_the_product_does(make_app, acme):
    app = make_app(public_url="https://app.example")

    cookies = log_in(app.test_client()).headers.getlist("Set-Cookie")

    assert len(cookies) == 2
    assert all("Secure" in cookie for cookie in cookies)


def test_logging_out_ends_the_session(acme, browser):
    log_in(browser)

    assert browser.post("/logout").location == "/login"

    assert not is_signed_in(browser)


def test_a_link_cannot_log_anybody_out(acme):
    assert acme.client.get("/logout").status_code == 405
    assert is_signed_in(acme.client)


def test_a_hash_with_old_parameters_is_made_anew_at_the_log_in(app, acme, browser):
    with app.app_context():
        old = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(PASSWORD)
        row_of("ada@acme.test").password_hash = old
        db.session.commit()

    log_in(browser)

    with app.app_context():
        user = row_of("ada@acme.test")
        assert user.password_hash != old
        assert not passwords.is_outdated(user.password_hash)
    log_in(browser)
    assert is_signed_in(browser)


def test_a_log_in_is_written_down_in_the_only_workspace(acme, browser):
    log_in(browser)

    with acme.serving():
        (row,) = db.session.scalars(
            select(audit.AuditRow).where(audit.AuditRow.action == "user.logged_in")
        )
        assert (row.tenant_id, row.actor_id) == (acme.tenant.id, acme.user_id)


def test_passwords_never_show_in_a_page(acme, browser):
    assert "wrong but private" not in log_in(browser, password="wrong but private").text


GOOD_TARGETS = [
    "/account",
    "/t/acme/projects/",
    "/t/acme/projects/?q=a%20b&page=2",
    "/t/acme/members#invite",
]
EVIL_TARGETS = [
    "//evil.test",
    "//evil.test/t/acme/",
    "///evil.test",
    "/\\evil.test",
    "\\\\evil.test",
    "/\t/evil.test",
    "/\n/evil.test",
    "\t//evil.test",
    " //evil.test",
    "/\x00/evil.test",
    "https://evil.test",
    "https:evil.test",
    "https:///evil.test",
    "http:/evil.test",
    "HTTPS://evil.test",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.test",
    "evil.test/t/acme/",
    "@evil.test",
    "?next=//evil.test",
    "/t/acme/\r\nLocation: https://evil.test",
    "/\u2028/evil.test",
    "\u3000//evil.test",
    "http://localhost:5000@evil.test/",
    "http://localhost:5000/account",
]


@pytest.mark.parametrize("target", GOOD_TARGETS)
def test_a_log_in_leads_back_to_the_page_that_was_asked_for(acme, browser, target):
    assert log_in(browser, query_string={"next": target}).location == target


@pytest.mark.parametrize("target", EVIL_TARGETS)
def test_a_log_in_never_leads_to_another_site(acme, browser, target):
    assert log_in(browser, query_string={"next": target}).location == "/t/acme/"
    again = browser.get("/login", query_string={"next": target})
    assert again.location == "/"


def test_with_subdomains_a_log_in_leads_back_to_the_tenants_host(make_app, acme):
    app = make_app(tenant_domain="example.test", public_url="https://example.test")
    good = "https://acme.example.test/projects/?q=1"
    evil = [
        "https://acme.example.test.evil.test/",
        "https://evil.test/acme.example.test/",
        "http://acme.example.test/",
        "https://acme.example.test@evil.test/",
        "https://a.b.example.test/",
        "https://acme.example.test//evil.test",
        "https://acme.example.test:8443/",
    ]

    for target in [good, *evil]:
        location = log_in(
            app.test_client(), base_url="https://example.test", query_string={"next": target}
        ).location
        assert (location == target) == (target == good), target


def test_the_log_in_is_outside_of_tenants_whatever_its_address_asks_for(browser):
    query = "next=/a&endpoint=b&external=c&next=/d"

    assert browser.get(f"/t/acme/login?{query}").location == f"/login?{query}"


def test_signed_out_people_are_led_to_the_log_in_and_back(acme, browser):
    answer = browser.get("/t/acme/members?x=1")

    assert answer.location == "/login?next=/t/acme/members?x%3D1"
    assert log_in(browser, query_string={"next": "/t/acme/members?x=1"}).location == (
        "/t/acme/members?x=1"
    )


def test_signed_out_people_learn_nothing_about_which_workspaces_there_are(acme, browser):
    for path in ("/", "/members"):
        known, unknown = browser.get(f"/t/acme{path}"), browser.get(f"/t/nosuch{path}")
        assert known.status_code == unknown.status_code == 302
        assert known.location.replace("acme", "nosuch") == unknown.location


def test_signed_in_people_learn_nothing_about_other_workspaces(acme, initech):
    for path in ("/", "/members", "/account", "/api/v1/members"):
        known = acme.client.get(f"/t/initech{path}")
        unknown = acme.client.get(f"/t/nosuch{path}")
        assert known.status_code == unknown.status_code == 404


def test_the_log_in_and_the_account_live_outside_the_workspaces(acme, browser):
    assert browser.get("/t/acme/login?next=/t/acme/members").location == (
        "/login?next=/t/acme/members"
    )
    assert acme.get("/account").location == "/account"
    assert browser.post("/t/acme/login").status_code == 307


def test_a_page_of_a_workspace_without_one_leads_to_the_choice(acme):
    answer = acme.client.get("/members", follow_redirects=True)

    assert answer.request.path == "/workspaces"
    assert "Choose a workspace first." in answer.text


def test_the_api_says_401_and_leads_nowhere(acme, browser):
    answer = browser.get("/t/acme/api/v1/members")

    assert answer.status_code == 401
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_deleted_persons_session_is_over(app, acme, browser):
    log_in(browser)
    with app.app_context():
        db.session.execute(db.delete(Membership))
        db.session.execute(db.delete(User))
        db.session.commit()

    assert not is_signed_in(browser)


def test_a_refused_log_in_is_logged_without_the_address(acme, browser, capfd):
    log_in(browser, password="a guess")

    logged = "".join(capfd.readouterr())
    assert "log-in refused" in logged
    assert "ada@acme.test" not in logged
    assert "a guess" not in logged
