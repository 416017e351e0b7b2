"""`flask tenant rotate`: a silo's passwords change while people work, and nobody notices."""

from types import SimpleNamespace
from uuid import UUID

import psycopg
import pytest
from flask import Flask

from app.db import db
from app.stages.hardened.catalog import api, drivers
from app.stages.hardened.catalog.places import Target
from app.stages.hardened.catalog.pools import Pools, close
from tests.hardened.catalog.placed import API, World, plain
from tests.hardened.catalog.test_outages import Visitors
from tests.hardened.catalog.waiting import wait_for
from tests.hardened.lifecycle.conftest import killed_at
from tests.world import Company

# The plan takes three projects; what comes after them was counted in the silo, too.
WELL = {200, 201, 402}
pytestmark = [pytest.mark.postgres, pytest.mark.processes]


class Newcomers(Visitors):
    """People for each of whom a connection is made anew, as in a process that has just begun."""

    def use(self, company: Company) -> None:
        while not self.over.is_set():
            hang_up(company)
            answers = self.answers[company.tenant.slug]
            answers[company.get(API).status_code] += 1
            answers[company.post(API, json={"name": "One more"}).status_code] += 1

    def served(self, company: Company) -> int:
        return sum(self.answers[company.tenant.slug].values())


def hang_up(company: Company) -> None:
    """Close the connections to this workspace's silo: nobody else uses them."""
    silos: Pools = company.app.extensions["silos"]
    for pair in list(silos.pairs.values()):
        if str(pair.writer.url.database).endswith(company.tenant.id.hex):
            close(pair)


def rotate(world: World, company: Company, *args: str) -> str:
    app = operators_app(world)
    answer = app.test_cli_runner().invoke(args=["tenant", "rotate", company.tenant.slug, *args])
    assert answer.exit_code == 0, answer.output + repr(answer.exception)
    return answer.output


def operators_app(world: World) -> Flask:
    return world.process("auth", silo_admin_database_url=world.silos.url("postgres"))


def urls_of(world: World, tenant_id: UUID) -> tuple[str, str]:
    """How a silo is reached by what the catalog says: as the service, and as the owner."""
    with world.auth.app_context():
        target = api.place_of(tenant_id, "features").target
        assert target
        return drivers.engine_url(target), drivers.owner_url(target)


def opens(url: str) -> bool:
    try:
        psycopg.connect(plain(url)).close()
    except psycopg.OperationalError as error:
        return "password authentication failed" not in str(error)
    return True


def test_passwords_change_while_people_work_and_nobody_notices(world: World):
    company, neighbour = world.company(), world.company()
    world.in_silo(company.tenant)
    world.in_silo(neighbour.tenant)
    before = urls_of(world, company.tenant.id)
    theirs = urls_of(world, neighbour.tenant.id)

    with Newcomers(company, neighbour) as people:
        wait_for(lambda: people.served(company) > 10)
        output = rotate(world, company)
        here = people.served(company)
        wait_for(lambda: people.served(company) > here + 10)

    assert "1 silos have other passwords" in output
    assert set(people.answers[company.tenant.slug]) == WELL, people.answers
    assert set(people.answers[neighbour.tenant.slug]) == WELL, people.answers
    assert [opens(url) for url in before] == [False, False]
    assert [opens(url) for url in urls_of(world, company.tenant.id)] == [True, True]
    assert urls_of(world, neighbour.tenant.id) == theirs


@pytest.mark.kills
@pytest.mark.parametrize("step", ["choose", "passwords", "catalog"])
def test_killed_in_the_middle_people_work_on_and_it_goes_on(world: World, step: str):
    company = world.company()
    world.in_silo(company.tenant)
    before = urls_of(world, company.tenant.id)

    with Newcomers(company) as people:
        kill_rotation(world, company, step)
        here = people.served(company)
        wait_for(lambda: people.served(company) > here + 10)
        rotate(world, company)
        here = people.served(company)
        wait_for(lambda: people.served(company) > here + 10)

    assert set(people.answers[company.tenant.slug]) == WELL, people.answers
    assert [opens(url) for url in before] == [False, False]
    assert [opens(url) for url in urls_of(world, company.tenant.id)] == [True, True]
    with world.auth.app_context():
        target = api.place_of(company.tenant.id, "features").target
        assert target
        assert target.secret_ref.endswith(":2")  # Once, though it was begun twice.


def kill_rotation(world: World, company: Company, step: str) -> None:
    databases, system = world.system.databases["auth"], world.system
    urls = {f"{name}_url": f"http://127.0.0.1:{port}" for name, port in system.ports.items()}
    settings = {
        "serves": "auth",
        "worker": "separate",
        "redis_url": system.redis_url,
        "migrations_database_url": databases.owner_url,
        "silo_admin_database_url": world.silos.url("postgres"),
        **urls,
    }
    process = SimpleNamespace(urls={"auth": databases.url}, folder=system.folder, settings=settings)
    killed_at(process, step, "after", "rotate", company.tenant.slug)  # type: ignore[arg-type]


def test_who_is_in_the_pool_has_no_passwords_of_its_own(world: World):
    company = world.company()

    answer = (
        operators_app(world)
        .test_cli_runner()
        .invoke(args=["tenant", "rotate", company.tenant.slug])
    )

    assert answer.exit_code == 1
    assert "is in the pool, whose passwords are everybody's" in answer.output


def test_a_silo_on_another_server_is_refused_before_anything_changes(world: World):
    company = world.company()
    world.in_silo(company.tenant)
    elsewhere = world.silos.url("postgres").replace("127.0.0.1", "localhost")

    answer = (
        world.process("auth", silo_admin_database_url=elsewhere)
        .test_cli_runner()
        .invoke(args=["tenant", "rotate", company.tenant.slug])
    )

    assert answer.exit_code == 1
    assert "SILO_ADMIN_DATABASE_URL names localhost" in answer.output
    assert [opens(url) for url in urls_of(world, company.tenant.id)] == [True, True]


def test_a_wrong_password_is_its_own_tenants_trouble(world: World):
    company, neighbour = world.company(), world.company()
    target: Target = world.in_silo(company.tenant)
    world.in_silo(neighbour.tenant)
    assert neighbour.get(API).status_code == 200
    with world.auth.app_context():
        api.set_secret(target.name, target.secret_ref.replace(":1", ":7"))
        db.session.commit()

    with Newcomers(company) as people:
        wait_for(lambda: people.failures(company) > 3)
        answers = [neighbour.get(API).status_code for _ in range(10)]

    assert answers == [200] * 10
