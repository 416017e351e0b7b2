"""A silo that is down: its tenant is told so, at once, and nobody else notices."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import psycopg
import pytest

from app.db import db
from app.dev.postgres import Postgres
from app.stages.hardened.catalog import api
from app.stages.hardened.catalog.health import Health, Servers, SiloAway
from tests.hardened.catalog.placed import API, World
from tests.hardened.catalog.waiting import wait_for
from tests.world import Company, sign_in

pytestmark = [pytest.mark.postgres, pytest.mark.processes]


@pytest.fixture
def mortal(world: World) -> Iterator[World]:
    """The world with a server of silos that a test may stop."""
    with TemporaryDirectory(prefix="mortal-") as folder, Postgres(Path(folder)) as server:
        yield World(world.system, server)


class Visitors:
    """People who use a workspace all the time, each in a thread."""

    def __init__(self, *companies: Company) -> None:
        self.answers: dict[str, Counter[int]] = {one.tenant.slug: Counter() for one in companies}
        self.slowest = 0.0
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.use, args=[one]) for one in companies]

    def use(self, company: Company) -> None:
        while not self.over.is_set():
            began = time.monotonic()
            self.answers[company.tenant.slug][company.get(API).status_code] += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.over.wait(0.02)

    def __enter__(self) -> Self:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def failures(self, company: Company) -> int:
        answers = self.answers[company.tenant.slug]
        return sum(number for status, number in answers.items() if status >= 500)


def test_only_the_tenant_of_a_server_that_is_down_suffers(mortal: World, world: World):
    unlucky, pooled, other = mortal.company(), mortal.company(), world.company()
    mortal.in_silo(unlucky.tenant)
    world.in_silo(other.tenant)
    assert unlucky.post(API, json={"name": "Before"}).status_code == 201

    with Visitors(unlucky, pooled, other) as visitors:
        wait_for(lambda: all(answers[200] > 5 for answers in visitors.answers.values()))
        mortal.silos.stop()
        wait_for(lambda: visitors.failures(unlucky) > 20)
        answer = unlucky.get(API)
        mortal.silos.start()
        wait_for(lambda: unlucky.get(API).status_code == 200)

    assert answer.status_code == 503
    assert "The database of this workspace doesn't answer right now." in answer.json["detail"]
    assert answer.headers["Retry-After"]
    assert [visitors.failures(pooled), visitors.failures(other)] == [0, 0], visitors.answers
    assert [one["name"] for one in unlucky.get(API).json["items"]] == ["Before"]


@pytest.fixture
def black_hole() -> Iterator[int]:
    """The port of somebody who takes connections, and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        yield listener.getsockname()[1]


def test_a_server_that_says_nothing_doesnt_hold_all_threads(world: World, black_hole: int):
    company = world.company()
    target = world.in_silo(company.tenant)
    with world.auth.app_context():
        api.add_target(replace(target, name=f"{target.name}-hole", port=black_hole))
        api.set_placement(
            company.tenant, "features", f"{target.name}-hole", expected_epoch=1, epoch=2
        )
        db.session.commit()
    statuses = []

    def ask() -> None:
        statuses.append(sign_in(world.features, company).get(API).status_code)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    waiting_at_most = 0
    servers = world.features.extensions["silos"].servers
    while any(thread.is_alive() for thread in threads):
        turn = servers.turns.get((f"127.0.0.1:{black_hole}",))
        waiting_at_most = max(waiting_at_most, servers.at_once - turn._value if turn else 0)
        time.sleep(0.01)
    seconds = time.monotonic() - began

    assert statuses == [503] * 8
    assert waiting_at_most == servers.at_once == 2
    # One after the other they would have waited 16 s.
    assert seconds < 8
    began = time.monotonic()
    assert company.get(API).status_code == 503
    assert time.monotonic() - began < 1


# --- The breaker by itself -----------------------------------------------------------------------


def test_after_a_rest_one_tries_and_the_others_wait_for_that():
    health = Health()
    health.failed()
    assert not health.may_try()
    health.rests_until = 0

    assert [health.may_try(), health.may_try()] == [True, False]
    health.worked()
    assert health.may_try()


def test_a_database_that_is_refused_says_nothing_of_its_server():
    servers = Servers(2)
    with (
        pytest.raises(SiloAway),
        servers.trying("db:5432", "silo_a"),
    ):
        raise psycopg.errors.InvalidCatalogName('database "silo_a" does not exist')

    with pytest.raises(SiloAway), servers.trying("db:5432", "silo_a"):
        raise AssertionError("It rests.")
    with servers.trying("db:5432", "silo_b"):
        pass


def test_a_server_that_is_gone_is_gone_for_all_its_databases():
    servers = Servers(2)
    with pytest.raises(SiloAway), servers.trying("db:5432", "silo_a"):
        raise psycopg.OperationalError("connection refused")

    with pytest.raises(SiloAway), servers.trying("db:5432", "silo_b"):
        raise AssertionError("It rests.")
    with servers.trying("other:5432", "silo_c"):
        pass
