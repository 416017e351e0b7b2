"""Who somebody is, in a process that doesn't serve auth: as in the prototype, without a call."""

from time import monotonic, sleep

import pytest
from flask_login import current_user

from app import billing
from app.auth import tokens
from app.db import db
from app.stages.services.identity_changes import CLOCKS_DIFFER
from app.tenancy import serving
from tests.world import sign_in

PROJECTS = "/api/v1/projects/"
IDENTIFY = "/internal/auth/identify"
PLAN = "/internal/billing/plan_name"


def within(seconds, look) -> bool:
    """Whether something becomes true so soon."""
    ends_at = monotonic() + seconds
    while not (true := look()) and monotonic() < ends_at:
        sleep(0.02)
    return true


def token_of(person) -> dict[str, str]:
    with person.seat.app.app_context(), serving(person.seat.tenant):
        token = tokens.make("laptop", person.seat.user_id)
        db.session.commit()
        return {"Authorization": f"Bearer {token}"}


def test_somebody_who_is_signed_in_is_known_in_another_service(system, ada):
    with ada.at("features").client as client:
        answer = client.get("/t/acme/projects/")
        who = current_user

        assert answer.status_code == 200
        assert (who.id, who.name, who.email) == (ada.seat.user_id, "Ada", "ada@acme.test")
        assert (who.tenant, who.role, who.token_id) == (ada.seat.tenant, "owner", None)
        assert who.get_id() == ada.seat.session_id


def test_a_member_may_do_what_members_may(system, max_):
    assert max_.status("/billing/", "billing") == 200
    assert max_.status("/billing/invoices", "billing") == 403


def test_nobody_is_asked_to_log_in(system, ada):
    client = system["features"].app.test_client()

    page = client.get("/t/acme/projects/")
    answer = client.get("/t/acme/api/v1/projects/")

    assert (page.status_code, page.location) == (302, "/login?next=/t/acme/projects/")
    assert answer.status_code == 401


def test_another_tenant_does_not_exist(system, ada, bill):
    assert bill.at("features").client.get("/t/acme/projects/").status_code == 404
    assert bill.at("features").client.get("/t/nobodys/projects/").status_code == 404
    assert bill.status(PROJECTS) == 200


def test_an_api_token_is_good_for_its_own_tenant(system, ada, bill):
    token = token_of(ada)
    client = system["features"].app.test_client()

    assert client.get("/t/acme" + PROJECTS, headers=token).status_code == 200
    assert client.get("/t/initech" + PROJECTS, headers=token).status_code == 401
    assert client.get("/t/acme/projects/", headers=token).status_code == 302


def test_the_use_of_an_api_token_is_noted_by_auth(system, ada):
    token = token_of(ada)

    system["features"].app.test_client().get("/t/acme" + PROJECTS, headers=token)

    with ada.seat.app.app_context(), serving(ada.seat.tenant):
        (row,) = tokens.of(ada.seat.user_id)
        assert row.last_used_at


def test_a_session_that_has_ended_is_nobodys(system, ada):
    company = ada.at("features")
    with company.client.session_transaction() as session:
        session["ends_at"] = 1

    assert company.get(PROJECTS).status_code == 401


@pytest.mark.parametrize("session_id", ["", "x", "x:y", "0" * 32 + ":y"])
def test_a_session_that_auth_does_not_know_is_nobodys(system, ada, session_id):
    company = ada.at("features")
    with company.client.session_transaction() as session:
        session["_user_id"] = session_id

    assert company.get(PROJECTS).status_code == 401


def test_in_steady_state_a_page_costs_no_call(system, ada):
    assert ada.at("features").post("/projects/new", data={"name": "Apollo"}).status_code == 302
    for path in ("/projects/", PROJECTS):
        ada.status(path)
    for service in system.services.values():
        service.asked.clear()

    for path in ("/projects/", PROJECTS) * 10:
        page = ada.at("features").get(path)
        assert "Apollo" in page.text

    assert [service.asked for service in system.services.values()] == [[], [], []]


def test_a_page_shows_the_new_name_of_somebody_at_once(system, ada):
    ada.at("features").post("/projects/new", data={"name": "Apollo"})
    assert "Ada" in ada.at("features").get("/projects/").text

    ada.at("auth").client.post("/account", data={"name": "Augusta"})

    assert within(1, lambda: "Augusta</td>" in ada.at("features").get("/projects/").text)


def test_what_one_process_learned_the_others_find_in_redis(system, ada, another_process):
    ada.status(PROJECTS)
    system["auth"].asked.clear()

    other = another_process("features")
    assert sign_in(other, ada.seat).get(PROJECTS).status_code == 200
    assert IDENTIFY not in system["auth"].asked


def test_redis_holds_no_credential(system, redis, ada):
    token = token_of(ada)
    ada.status(PROJECTS)
    system["features"].app.test_client().get("/t/acme" + PROJECTS, headers=token)

    keys = redis.keys("identity:*")
    kept = b" ".join([*keys, *redis.mget(keys)]).decode()

    assert len(keys) == 2
    assert ada.seat.session_id not in kept
    assert ada.seat.session_id.partition(":")[2] not in kept
    assert token["Authorization"].split()[1] not in kept


def test_the_plan_rides_along(system, ada):
    with system["billing"].app.app_context(), serving(ada.seat.tenant):
        billing.grant("pro")
        db.session.commit()
    sleep(2 * CLOCKS_DIFFER)
    ada.status(PROJECTS)
    system["billing"].asked.clear()

    with ada.at("features").client as client:
        client.get("/t/acme" + PROJECTS)

        assert billing.plan_of().name == "pro"
    assert system["billing"].asked == []


def test_the_plan_of_another_tenant_is_asked_for(system, ada, bill):
    with system["billing"].app.app_context(), serving(bill.seat.tenant):
        billing.grant("pro")
        db.session.commit()

    with ada.at("features").client as client:
        client.get("/t/acme" + PROJECTS)
        with serving(bill.seat.tenant):
            there = billing.plan_of().name

        assert (billing.plan_of().name, there) == ("free", "pro")


def test_log_ins_do_not_each_ask_billing(system, ada, max_):
    ada.status(PROJECTS)
    max_.status(PROJECTS)

    assert system["auth"].asked.count(IDENTIFY) == 2
    assert system["billing"].asked.count(PLAN) == 1


def test_without_billing_people_are_known_without_their_plan(system, ada):
    system["billing"].stop()

    assert ada.status(PROJECTS) == 200


def test_who_somebody_is_is_told_to_services_only(system, ada):
    body = {"kind": "session", "credential": ada.seat.session_id, "slug": "acme"}
    company = ada.at("auth")

    for headers in ({}, {"X-Tenant": "acme"}, {"Authorization": "Bearer x"}, token_of(ada)):
        answer = company.client.post(IDENTIFY, json=body, headers=headers)

        assert answer.status_code == 401
