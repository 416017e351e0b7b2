"""A request finds its tenant's rows: in the pool, in a silo, and where they have just gone to."""

import threading
from math import inf
from uuid import UUID

import pytest
from sqlalchemy import text

from app.db import db
from app.stages.hardened.catalog import knowing
from app.stages.hardened.catalog.places import Entry
from app.tenancy import serving
from tests.hardened.catalog.placed import API, World
from tests.hardened.catalog.waiting import wait_for
from tests.world import Company

pytestmark = [pytest.mark.postgres, pytest.mark.processes]
TABLE = "projects"


def names(company: Company) -> list[str]:
    return [one["name"] for one in company.get(API).json["items"]]


def believe_in_the_pool(world: World, tenant_id: UUID) -> None:
    """As a process that has heard of no move, and won't for long."""
    memory: knowing.Memory = world.features.extensions["placements"]
    memory.put(tenant_id, knowing.Known(Entry(tenant_id), inf, inf))


def test_rows_of_a_tenant_in_a_silo_are_there_and_nowhere_else(world: World):
    pooled, siloed = world.company(), world.company()
    target = world.in_silo(siloed.tenant)

    for company in (pooled, siloed):
        assert company.post(API, json={"name": company.tenant.slug}).status_code == 201

    assert [names(pooled), names(siloed)] == [[pooled.tenant.slug], [siloed.tenant.slug]]
    assert world.count_in_silo(target, TABLE, siloed.tenant.id) == 1
    assert world.count_in_pool(TABLE, siloed.tenant.id) == 0
    assert world.count_in_pool(TABLE, pooled.tenant.id) == 1
    assert world.count_in_silo(target, TABLE, pooled.tenant.id) == 0


def test_what_commits_with_the_rows_is_in_the_silo_too(world: World):
    company = world.company()
    target = world.in_silo(company.tenant)

    key = {"Idempotency-Key": "once"}
    for _ in range(2):
        company.post(API, json={"name": "Once"}, headers=key)

    assert names(company) == ["Once"]
    for table in ("shared_outbox", "shared_audit", "shared_idempotency"):
        assert world.count_in_silo(target, table, company.tenant.id) > 0, table
        assert world.count_in_pool(table, company.tenant.id) == 0, table


def test_a_placement_rides_along_so_a_page_asks_nobody(world: World):
    company = world.company()
    world.in_silo(company.tenant)
    asked = world.system["auth"].asked

    def asks_nobody() -> bool:
        asked.clear()
        names(company)
        return asked == []

    # For half a second after a change it's taken to be unheard: clocks differ.
    wait_for(asks_nobody)


def test_a_request_that_comes_to_the_old_place_starts_over_at_the_new_one(world: World):
    company = world.company()
    names(company)
    target = world.in_silo(company.tenant)
    believe_in_the_pool(world, company.tenant.id)

    answer = company.post(API, json={"name": "In the middle of a move"})

    assert answer.status_code == 201
    assert world.count_in_silo(target, TABLE, company.tenant.id) == 1
    assert names(company) == ["In the middle of a move"]


def test_who_is_being_moved_is_asked_to_come_again(world: World):
    company = world.company()
    world.fence(company.tenant, world.system.databases["features"].owner_url, "fenced", 0)

    answer = company.post(API, json={"name": "Too early"})

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "2"
    assert "being moved right now" in answer.json["detail"]
    world.fence(company.tenant, world.system.databases["features"].owner_url, "active", 0)
    assert names(company) == []


def test_without_auth_a_tenant_is_believed_to_be_where_it_was(world: World):
    pooled, siloed = world.company(), world.company()
    target = world.in_silo(siloed.tenant)
    with world.features.app_context(), serving(siloed.tenant):
        assert knowing.place_here(siloed.tenant).target == target

    world.system["auth"].stop()

    for company, where in ((pooled, "features"), (siloed, target.database)):
        with world.features.app_context(), serving(company.tenant):
            asked = text("SELECT current_database()")
            assert db.session.connection().execute(asked).scalar() == where


def test_of_many_silos_a_process_keeps_only_some_open(world: World):
    app = world.process("features", silo_pools=2)
    companies = [world.company() for _ in range(4)]
    for company in companies:
        world.in_silo(company.tenant)

    for company in companies + companies:
        with app.app_context(), serving(company.tenant):
            asked = text("SELECT current_setting('app.tenant_id')")
            assert db.session.connection().execute(asked).scalar() == str(company.tenant.id)

    assert len(app.extensions["silos"].pairs) == 2


def test_a_silo_that_is_in_use_isnt_closed(world: World):
    app = world.process("features", silo_pools=1)
    companies = [world.company() for _ in range(3)]
    for company in companies:
        world.in_silo(company.tenant)
    first, *others = companies

    with app.app_context(), serving(first.tenant):
        backend = db.session.connection().execute(text("SELECT pg_backend_pid()")).scalar()
        for other in others:
            with serving(other.tenant):
                db.session.connection().execute(text("SELECT 1"))
        again = db.session.connection().execute(text("SELECT pg_backend_pid()")).scalar()
        db.session.commit()

    assert again == backend


def test_threads_of_many_tenants_each_see_their_own(world: World):
    companies = [world.company() for _ in range(4)]
    for company in companies[:2]:
        world.in_silo(company.tenant)
    wrong = []

    def use(company: Company) -> None:
        for number in range(10):
            company.post(API, json={"name": f"{company.tenant.slug} {number}"})
        found = names(company)
        if not found or not all(name.startswith(f"{company.tenant.slug} ") for name in found):
            wrong.append(found)

    threads = [threading.Thread(target=use, args=[company]) for company in companies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
