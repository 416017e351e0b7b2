"""API keys: they open less than their person does, for a while, and owners see them all."""

import re
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import delete, select

from app.auth.models import ApiToken
from app.db import db, now
from app.settings import BadSettings
from app.stages.hardened.rbac import granting
from app.stages.hardened.signin import keys
from app.stages.hardened.signin.models import KeyLimits
from tests.services.identity.test_who import PROJECTS, within
from tests.world import found, sign_in

MEMBERS = "/api/v1/members"


def make(company, *scopes, name="export", days="90"):
    """A new key's text, as the page shows it; without scopes it may do everything."""
    form = {
        "name": name,
        "days": days,
        "reach": "some" if scopes else "all",
        "scopes": list(scopes),
    }
    page = company.post("/settings/tokens", data=form).text
    return re.search(r">(sct_[\w-]{40,})<", page)[1]


def ask(browser, key, path=MEMBERS, slug="acme", method="GET", **kwargs):
    headers = {"Authorization": f"Bearer {key}"}
    return browser.open(f"/t/{slug}{path}", method=method, headers=headers, **kwargs)


def row(company):
    with company.serving():
        return db.session.scalars(select(ApiToken)).one()


def test_a_key_opens_what_its_scopes_say_and_nothing_else(acme, visitor):
    key = make(acme, "members:read")

    assert ask(visitor, key).status_code == 200
    assert ask(visitor, key, PROJECTS).status_code == 403
    assert ask(visitor, key, "/api/v1/me/keys").status_code == 403


def test_a_key_without_scopes_does_what_its_person_may(acme, visitor):
    key = make(acme)

    assert ask(visitor, key).status_code == 200
    assert ask(visitor, key, PROJECTS).status_code == 200


def test_a_scope_that_its_person_has_lost_is_worth_nothing(app, acme, visitor):
    other = sign_in(app, acme.join("bea@acme.test", "Bea", "owner"))
    key = make(other, "keys:write", "members:read")
    assert ask(visitor, key, "/api/v1/members/keys").status_code == 200

    acme.post(f"/members/{other.user_id}/role", data={"role": "member"})

    assert ask(visitor, key, "/api/v1/members/keys").status_code == 403
    assert ask(visitor, key).status_code == 200


def test_nobody_gives_a_key_what_they_do_not_have(acme, member):
    assert "keys:write" not in member.get("/settings/tokens").text
    form = {"name": "x", "reach": "some", "scopes": ["keys:write"], "days": "5"}
    assert member.post("/settings/tokens", data=form).status_code == 422

    answer = member.post("/api/v1/me/keys", json={"name": "x", "scopes": ["keys:write"]})

    assert answer.status_code == 403
    assert "what you may not: keys:write" in answer.json["detail"]
    assert acme.get("/api/v1/members/keys").json["items"] == []


def test_a_scope_that_does_not_exist_is_refused(acme):
    answer = acme.post("/api/v1/me/keys", json={"name": "x", "scopes": ["members:fly"]})

    assert answer.status_code == 403
    assert "members:fly" in answer.json["detail"]


def test_choosing_no_scope_is_no_way_to_all_of_them(acme):
    form = {"name": "kept text", "reach": "some", "days": "5"}

    answer = acme.post("/settings/tokens", data=form)

    assert answer.status_code == 422
    assert "Choose at least one." in answer.text
    assert "kept text" in answer.text
    assert acme.post("/api/v1/me/keys", json={"name": "x", "scopes": []}).status_code == 422


def test_a_key_ends_on_its_day(acme, visitor):
    with time_machine.travel(now(), tick=False) as clock:
        key = make(acme, days="3")
        clock.shift(timedelta(days=3, seconds=-1))
        assert ask(visitor, key).status_code == 200
        clock.shift(timedelta(seconds=1))
        assert ask(visitor, key).status_code == 401
        assert "ended" in sign_in(acme.app, acme).get("/settings/tokens").text


def test_a_key_is_good_for_90_days_unless_its_maker_says_else(acme):
    acme.post("/settings/tokens", data={"name": "export"})

    with acme.serving():
        limits = db.session.scalars(select(KeyLimits)).one()
        assert limits.expires_at - now() == pytest.approx(
            timedelta(days=90), abs=timedelta(minutes=1)
        )


@pytest.mark.parametrize("days", ["0", "-1", "366", "x", "1e9", "99999999999999999999"])
def test_a_key_for_ever_is_refused_and_what_was_typed_stays(acme, days):
    answer = acme.post("/settings/tokens", data={"name": "kept text", "days": days})

    assert answer.status_code == 422
    assert "kept text" in answer.text
    assert "sct_" not in answer.text


def test_how_long_keys_may_be_good_is_a_setting(make_app, acme):
    company = sign_in(make_app(api_key_max_days=7, api_key_days=7), acme)

    assert "sct_" in company.post("/settings/tokens", data={"name": "x"}).text
    body = {"name": "x", "scopes": ["members:read"], "days": 8}
    answer = company.post("/api/v1/me/keys", json=body)
    assert answer.status_code == 422
    assert "1 to 7 days" in answer.json["detail"]


def test_settings_that_contradict_each_other_are_refused(make_app):
    with pytest.raises(BadSettings, match="API_KEY_DAYS can't be more than API_KEY_MAX_DAYS"):
        make_app(api_key_days=8, api_key_max_days=7)


def test_a_key_from_before_this_stage_goes_on_without_limits(acme, visitor):
    key = make(acme)
    with acme.serving():
        db.session.execute(delete(KeyLimits))
        db.session.commit()

    assert ask(visitor, key).status_code == 200
    assert ask(visitor, key, PROJECTS).status_code == 200
    assert "never" in acme.get("/settings/tokens").text


def test_a_key_dies_with_its_persons_membership(acme, member, visitor):
    key = make(member, "members:read")

    acme.post(f"/members/{member.user_id}/removal")

    assert ask(visitor, key).status_code == 401


def test_an_owner_sees_everybodys_keys_and_ends_any(acme, member, visitor):
    key = make(member, "members:read", name="max's export")

    page = acme.get("/settings/keys").text
    for part in ("max&#39;s export", "Max", key[:10], "members:read", "never"):
        assert part in page
    assert key not in page

    acme.post(f"/settings/keys/{row(acme).id}/revocation")

    assert ask(visitor, key).status_code == 401
    assert "max&#39;s export" not in acme.get("/settings/keys").text


def test_members_see_and_end_their_own_only(acme, member, initech):
    make(acme, name="adas own")
    key_id = row(acme).id

    assert member.get("/settings/keys").status_code == 403
    assert member.get("/api/v1/members/keys").status_code == 403
    assert member.get("/api/v1/me/keys").json["items"] == []
    assert member.post(f"/settings/keys/{key_id}/revocation").status_code == 403
    assert member.delete(f"/api/v1/me/keys/{key_id}").status_code == 404
    assert member.delete(f"/api/v1/members/keys/{key_id}").status_code == 403
    # An owner of another workspace knows nothing of it.
    assert initech.post(f"/settings/keys/{key_id}/revocation").status_code == 404
    assert initech.delete(f"/api/v1/members/keys/{key_id}").status_code == 404
    assert initech.get("/api/v1/members/keys").json["items"] == []
    assert row(acme).revoked_at is None


def test_keys_are_made_listed_and_ended_by_the_api(acme, visitor):
    body = {"name": "nightly", "scopes": ["members:read"], "days": 5}
    made = acme.post("/api/v1/me/keys", json=body)
    assert made.status_code == 201
    key, shown = made.json["token"], made.json["key"]
    assert shown["scopes"] == ["members:read"]
    assert ask(visitor, key).status_code == 200

    listed = acme.get("/api/v1/me/keys").json["items"]
    assert [(one["id"], one["person"]) for one in listed] == [(shown["id"], "Ada")]
    assert key not in str(listed)

    assert acme.delete(f"/api/v1/members/keys/{shown['id']}").status_code == 204
    assert ask(visitor, key).status_code == 401


def test_a_key_makes_no_key_that_opens_more_or_lasts_longer(acme, visitor):
    key = make(acme, "tokens:write", "members:read", days="5")

    wider = {"name": "x", "scopes": ["members:read", "members:write"]}
    assert ask(visitor, key, "/api/v1/me/keys", method="POST", json=wider).status_code == 403
    longer = {"name": "x", "scopes": ["members:read"], "days": 90}
    made = ask(visitor, key, "/api/v1/me/keys", method="POST", json=longer)

    assert made.status_code == 201
    assert made.json["key"]["expires_at"][:10] == str((now() + timedelta(days=5)).date())


def test_scopes_count_in_every_service_and_a_revoked_key_ends_within_a_second(system):
    auth = system["auth"].app
    ada = sign_in(auth, found(auth, "acme", "Acme", "ada@acme.test", "Ada"))
    key, narrow = make(ada, "projects:read"), make(ada, "members:read")
    with ada.serving():
        first = db.session.scalars(select(ApiToken.id).order_by(ApiToken.id)).first()
    features = system["features"].app.test_client()
    assert ask(features, key, PROJECTS).status_code == 200
    assert ask(features, key, PROJECTS, method="POST", json={"name": "x"}).status_code == 403
    assert ask(features, narrow, PROJECTS).status_code == 403

    ada.post(f"/settings/keys/{first}/revocation")

    assert within(1, lambda: ask(features, key, PROJECTS).status_code == 401)


def test_a_key_narrows_what_roles_give_and_not_the_other_way_round(app):
    """Whoever fills in grants stands before the keys, or a scope would be widened again."""
    facts = app.extensions["identity_facts"]

    assert facts.index(granting.FACT) < facts.index(keys.LIMITED)
