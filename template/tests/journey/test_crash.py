"""The power goes while people and the worker are busy. Afterwards nothing is lost, nothing doubled.

Only the system that the tests start themselves is killed. A job that was under way is taken up
again when its worker has been silent for long enough, so this takes a minute or two.
"""

import http.client
import secrets
import threading
from typing import Any

import pytest

from app import stage
from app.db import PACKAGES
from tests.browser import sign_in
from tests.journey.people import Person, eventually
from tests.journey.programs import Program
from tests.journey.system import GIVEN

pytestmark = [
    pytest.mark.journey,
    pytest.mark.skipif(bool(GIVEN), reason=f"{GIVEN} isn't ours to kill: unset JOURNEY_URL"),
]

OWNER = "ada@acme.example"  # Of a demo workspace whose plan includes reports.
CLIENTS = 3
ENOUGH = 12
PATIENCE_SECONDS = 240


class Client(threading.Thread):
    """Asks for one report after the other, each under a key of its own, until nobody answers."""

    def __init__(self, program: Program) -> None:
        super().__init__(daemon=True)
        self.program = program
        self.keys: list[str] = []
        self.answers: dict[str, Any] = {}

    def run(self) -> None:
        try:
            while True:
                self.keys.append(secrets.token_hex(8))
                self.ask(self.keys[-1])
        except (OSError, http.client.HTTPException, ValueError):
            return  # Cut off, maybe in the middle of an answer: whether it was done is unknown.

    def ask(self, key: str) -> None:
        status, report = self.program.post("/api/v1/projects/reports/", Idempotency_Key=key)
        assert status == 202, report
        assert self.answers.setdefault(key, report) == report


@pytest.fixture
def program(browser, system) -> Program:
    """A program that may do what the owner of Acme may do."""
    ada = Person(browser, system.url, "Ada")
    sign_in(ada.page, OWNER)
    ada.goes("/t/acme/settings/tokens")
    ada.fills({"What is it for": "Reports"})
    ada.clicks("Make the token")
    token = ada.page.locator("code").first.inner_text()
    ada.close()
    return Program(f"{system.url}/t/acme", token)


def test_what_is_killed_is_all_that_the_stage_runs(system):
    """One server and its worker; from the services stage on, one for each package."""
    services = set(PACKAGES) - {"shared"} if stage.names() else set()

    assert bool(system.parts) == bool(services)
    assert services <= set(system.parts)


def test_what_was_asked_for_before_a_crash_is_done_once(program, system):
    billed_before = billed(program)
    clients = [Client(program) for _ in range(CLIENTS)]

    for client in clients:
        client.start()
    eventually(lambda: sum(len(client.answers) for client in clients) >= ENOUGH)
    system.crash()
    for client in clients:
        client.join()
    system.start()
    for client in clients:
        for key in client.keys:
            client.ask(key)  # Again: what was accepted is the same report, what wasn't begins.

    reports = [report["id"] for client in clients for report in client.answers.values()]
    assert len(set(reports)) == sum(len(client.keys) for client in clients)
    eventually(lambda: all(is_built(program, one) for one in reports), patience=PATIENCE_SECONDS)
    eventually(lambda: billed(program) - billed_before == len(reports), patience=PATIENCE_SECONDS)


def is_built(program: Program, report: str) -> bool:
    _status, shown = program.get(f"/api/v1/projects/reports/{report}")
    return shown["built_at"] is not None


def billed(program: Program) -> int:
    _status, billing = program.get("/api/v1/billing")
    return int(billing["meters"]["reports.built"]["used"])
