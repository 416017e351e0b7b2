"""Tenants that are not served: people are told, jobs wait, and every process soon knows."""

import re
from http import HTTPStatus

import pytest

from app.db import db
from app.jobs import Job, job, later
from app.stages.hardened.catalog import api
from app.tenancy import serving
from tests.hardened.catalog.placed import API, World
from tests.hardened.catalog.waiting import wait_for
from tests.world import Company, sign_in

RAN: list[str] = []


@job
def be_noticed() -> None:
    from app.tenancy import current_tenant

    RAN.append(current_tenant().slug)


def put(app, tenant, state: str, reason: str = "") -> None:
    with app.app_context():
        api.set_state(tenant, state, reason=reason)
        db.session.commit()


def status(company: Company, path: str = API) -> int:
    return company.get(path).status_code


# --- In one process, and in two that share a database --------------------------------------------


def test_who_is_suspended_is_told_so_and_whom_to_ask(make_app, app, acme: Company):
    put(app, acme.tenant, "suspended", "Unpaid since May")
    other = make_app(support_address="help@product.example")
    browser = sign_in(other, acme)

    page, answer = browser.get("/projects/"), browser.get(API)

    assert page.status_code == answer.status_code == HTTPStatus.FORBIDDEN
    assert "This workspace is suspended" in page.text
    assert "“Acme” is suspended: Unpaid since May." in page.text
    assert "help@product.example" in answer.json["detail"]
    assert answer.json["title"] == "This workspace is suspended"


def test_nobody_else_notices(app, acme: Company, initech: Company):
    put(app, acme.tenant, "suspended")
    wait_for(lambda: status(acme) == HTTPStatus.FORBIDDEN)

    assert status(initech) == HTTPStatus.OK
    assert acme.client.get("/").status_code in {HTTPStatus.OK, HTTPStatus.FOUND}


def test_another_process_knows_within_a_second(make_app, app, acme: Company):
    browsers = [sign_in(make_app(), acme) for _ in range(2)]
    assert [status(browser) for browser in browsers] == [HTTPStatus.OK] * 2
    put(app, acme.tenant, "suspended")

    seconds = wait_for(
        lambda: [status(browser) for browser in browsers] == [HTTPStatus.FORBIDDEN] * 2
    )
    put(app, acme.tenant, "active")
    seconds_back = wait_for(
        lambda: [status(browser) for browser in browsers] == [HTTPStatus.OK] * 2
    )

    assert max(seconds, seconds_back) < 1


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        ("provisioning", 503, "is being set up"),
        ("deleting", 403, "is being deleted"),
        ("moving", 200, ""),
    ],
)
def test_each_state_has_its_answer(make_app, app, acme: Company, state, code, words):
    put(app, acme.tenant, state)
    browser = sign_in(make_app(), acme)

    answer = browser.get(API)

    assert answer.status_code == code
    assert words in answer.text
    assert ("Retry-After" in answer.headers) == (code == 503)


def test_a_tenant_that_doesnt_exist_is_not_found(acme: Company):
    assert acme.client.get("/t/nobody/api/v1/projects/").status_code == HTTPStatus.NOT_FOUND


def test_a_suspended_tenants_jobs_wait_until_it_is_resumed(make_app, app, acme: Company, initech):
    RAN.clear()
    for company in (acme, initech):
        with company.serving():
            later(be_noticed)
            db.session.commit()
    put(app, acme.tenant, "suspended")
    app.extensions["not_served"].looked_at = float("-inf")  # As if some time had passed.

    acme.work()
    with app.app_context():
        waiting = db.session.query(Job).filter_by(tenant_id=acme.tenant.id).one()
        assert (waiting.state, waiting.attempts) == ("queued", 0)
        job_id = str(waiting.id)
        waiting.due_at = waiting.created_at
        db.session.commit()
    assert RAN == ["initech"]

    put(app, acme.tenant, "active")
    app.extensions["not_served"].looked_at = float("-inf")
    with app.app_context():
        app.extensions["tasks"]["run_job"](job_id)
    acme.work()
    assert RAN == ["initech", "acme"]


# --- In processes that learn it from auth --------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.processes
def test_other_services_know_within_a_second(world: World):
    company = world.company()
    second = sign_in(world.process("features"), company)
    assert [status(company), status(second)] == [HTTPStatus.OK] * 2

    world.suspend(company.tenant, "Unpaid.")

    seconds = wait_for(
        lambda: [status(company), status(second)] == [HTTPStatus.FORBIDDEN] * 2, seconds=10
    )
    assert seconds < 1.5  # They share two cores with everything else that is tested here.
    assert "is suspended: Unpaid." in company.get(API).json["detail"]


@pytest.mark.postgres
@pytest.mark.processes
def test_a_token_of_a_suspended_tenant_opens_nothing(world: World):
    company = world.company()
    page = sign_in(world.auth, company).post("/settings/tokens", data={"name": "CI"}).text
    headers = {"Authorization": f"Bearer {re.search('sct_[A-Za-z0-9_-]+', page)[0]}"}
    program = world.features.test_client()
    path = f"/t/{company.tenant.slug}{API}"
    assert program.get(path, headers=headers).status_code == HTTPStatus.OK

    world.suspend(company.tenant)

    wait_for(lambda: program.get(path, headers=headers).status_code == HTTPStatus.FORBIDDEN)


@pytest.mark.postgres
@pytest.mark.processes
def test_a_suspended_tenants_jobs_wait_in_its_silo(world: World):
    RAN.clear()
    company = world.company()
    world.in_silo(company.tenant)
    with world.features.app_context(), serving(company.tenant):
        later(be_noticed)
        db.session.commit()
    world.suspend(company.tenant)
    with world.features.app_context():
        changes = world.features.extensions["identity_changes"]
        wait_for(lambda: ("tenant", company.tenant.id) in changes.latest)

    world.work()

    assert RAN == []
    with world.features.app_context(), serving(company.tenant):
        assert [row.state for row in db.session.query(Job)] == ["queued"]
