"""API tokens: a person's own, for one workspace, shown once."""

import re
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from app.auth.models import ApiToken, Invitation
from app.db import db, now
from tests.world import PASSWORD

MEMBERS = "/api/v1/members"


def make(company, name="nightly export"):
    """A new token's text, as the page shows it."""
    page = company.post("/settings/tokens", data={"name": name}).text
    return re.search(r">(sct_[\w-]{40,})<", page)[1]


def ask(browser, token, slug="acme", path=MEMBERS):
    return browser.get(f"/t/{slug}{path}", headers={"Authorization": f"Bearer {token}"})


def row(company):
    with company.serving():
        return db.session.scalars(select(ApiToken)).one()


def test_a_token_opens_the_api_in_its_persons_name(acme, browser):
    answer = ask(browser, make(acme), path="/api/v1/me")

    assert answer.json["email"] == "ada@acme.test"
    assert answer.json["workspace"] == {"slug": "acme", "name": "Acme", "role": "owner"}


def test_a_token_is_shown_once_and_kept_as_a_hash(acme):
    token = make(acme)

    page = acme.get("/settings/tokens").text
    assert token not in page
    assert token[:10] in page
    with acme.client.session_transaction() as session:
        assert token not in str(dict(session))
    kept = row(acme)
    assert token not in (kept.token_hash, kept.prefix, kept.name)


def test_the_page_with_a_token_is_kept_by_no_cache(acme):
    answer = acme.post("/settings/tokens", data={"name": "export"})

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.status_code == 200


def test_a_revoked_token_opens_nothing(acme, browser):
    token = make(acme)

    acme.post(f"/settings/tokens/{row(acme).id}/revocation")

    answer = ask(browser, token)
    assert answer.status_code == 401
    assert answer.mimetype == "application/problem+json"


def test_a_token_of_one_workspace_is_nothing_to_another(acme, initech, browser):
    assert ask(browser, make(acme), slug="initech").status_code == 401
    assert ask(browser, make(acme), slug="nosuch").status_code == 401


def test_a_token_opens_no_pages(acme, browser):
    assert ask(browser, make(acme), path="/members").status_code == 302


def test_a_token_does_what_its_persons_role_may(acme, member, browser):
    token = make(member)
    assert ask(browser, token).status_code == 200

    acme.post(f"/members/{member.user_id}/removal")

    assert ask(browser, token).status_code == 401


def test_somebody_who_comes_back_has_no_old_tokens(app, acme, member, browser):
    token = make(member)
    member.post("/members/leaving")
    acme.post("/members/invitations", data={"email": "max@acme.test", "role": "member"})
    with acme.serving():
        invitation_id = db.session.scalars(select(Invitation.id)).one()
    member.client.post(f"/workspaces/invitations/{invitation_id}/acceptance")

    assert member.get("/members").status_code == 200
    assert ask(browser, token).status_code == 401


def test_a_new_password_and_a_log_out_leave_tokens_alone(acme, browser):
    token = make(acme)

    acme.client.post(
        "/account/password", data={"password": PASSWORD, "new_password": "a better horse battery"}
    )
    acme.client.post("/account/sessions/end")

    assert ask(browser, token).status_code == 200


@pytest.mark.parametrize("token", ["", "x", "sct_", "sct_" + "a" * 43, "é", "sct_\x00", "a b c"])
def test_a_made_up_token_opens_nothing(acme, browser, token):
    make(acme)

    assert ask(browser, token).status_code == 401


def test_a_bad_token_is_not_saved_by_a_good_cookie(acme):
    """A request with a token has no CSRF check, so its cookies must not count."""
    assert ask(acme.client, "sct_wrong").status_code == 401


def test_nobody_revokes_another_persons_token(acme, member, initech):
    make(acme)

    for company in (member, initech):
        answer = company.post(f"/settings/tokens/{row(acme).id}/revocation")
        assert answer.status_code == 404
    assert row(acme).revoked_at is None


def test_people_see_their_own_tokens_only(acme, member):
    make(acme, "adas own")

    assert "adas own" not in member.get("/settings/tokens").text


def test_a_token_needs_a_name(acme):
    assert acme.post("/settings/tokens", data={"name": " "}).status_code == 422


def test_the_last_use_is_noted_once_in_some_minutes(acme, browser):
    token = make(acme)
    assert row(acme).last_used_at is None

    with time_machine.travel(now(), tick=False) as clock:
        ask(browser, token)
        first = row(acme).last_used_at
        clock.shift(timedelta(minutes=4))
        ask(browser, token)
        assert row(acme).last_used_at == first
        clock.shift(timedelta(minutes=2))
        ask(browser, token)
        assert row(acme).last_used_at - first == timedelta(minutes=6)


def test_a_token_cannot_make_tokens_or_change_the_account(acme, browser):
    headers = {"Authorization": f"Bearer {make(acme)}"}

    for path in ("/t/acme/settings/tokens", "/account/password", "/t/acme/members/leaving"):
        assert browser.post(path, headers=headers).status_code == 302
        assert browser.post(path, headers=headers).location.startswith("/login")
