"""One service after the other is killed; people go on with the rest, and it comes back."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from app.stages.services.settings import SERVICES
from tests.services.system_of_processes import System, system_of
from tests.services.visitor import Page, Visitor

pytestmark = [pytest.mark.processes, pytest.mark.postgres]

PROJECTS = "/t/acme/projects/"
# A page and an address of the API that each one answers.
ITS_OWN = {
    "auth": ("/login", "/t/acme/api/v1/me"),
    "billing": ("/t/acme/billing/", "/t/acme/api/v1/billing"),
    "analytics": ("/t/acme/analytics/", "/t/acme/api/v1/analytics/daily"),
}
AWAY = {502, 503}


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """Under gunicorn, so that who wasn't killed isn't started again when the other comes back."""
    with (
        TemporaryDirectory(prefix="system-") as folder,
        system_of(Path(folder), "--gunicorn", GATEWAY_PATIENCE="1s") as system,
    ):
        yield system


@pytest.fixture(scope="module")
def ada(system: System) -> Visitor:
    """The owner of Acme, who has been here a moment ago."""
    ada = Visitor(system.url)
    ada.logs_in("ada@acme.example")
    assert ada.get(PROJECTS).status == 200
    return ada


@pytest.fixture(scope="module")
def bill(system: System) -> Visitor:
    """Somebody who has logged in, and whom the product hasn't met."""
    bill = Visitor(system.url)
    bill.logs_in("bill@initech.example")
    return bill


def test_while_billing_is_away_limits_let_people_work(system, ada):
    built_before = reports_billed(ada)
    kill(system, "billing")

    is_said_to_be_away(ada, "billing")
    others_answer(ada, "billing")
    begun = begin_a_project(ada)
    report = build_a_report(system, ada)

    brought_back(system, ada, "billing")
    assert ada.get(PROJECTS).says(begun)
    assert ada.get(report).status == 200
    system.wait_for(lambda: reports_billed(ada) == built_before + 1)


def test_while_analytics_is_away_nothing_else_knows(system, ada):
    recorded_before = recorded(ada)
    kill(system, "analytics")

    is_said_to_be_away(ada, "analytics")
    others_answer(ada, "analytics")
    begin_a_project(ada)

    brought_back(system, ada, "analytics")
    system.wait_for(lambda: recorded(ada) > recorded_before)


def test_while_auth_is_away_those_who_are_known_go_on(system, ada, bill):
    kill(system, "auth")

    is_said_to_be_away(ada, "auth")
    others_answer(ada, "auth")
    begun = begin_a_project(ada)
    who_is_this = bill.get("/t/initech/projects/")
    assert who_is_this.status == 503
    assert who_is_this.says("<h1>")

    brought_back(system, ada, "auth")
    assert bill.get("/t/initech/projects/").status == 200
    # The trail is auth's: what was done meanwhile has come there.
    system.wait_for(lambda: ada.get("/t/acme/settings/audit").says(begun))


# --- What happens to it ---------------------------------------------------------------------------


def kill(system: System, service: str) -> None:
    system.kill(service, f"{service}-worker")


def brought_back(system: System, visitor: Visitor, service: str) -> None:
    """Start it again, and nobody else's server: they find it by themselves."""
    others = {name: pid for name, pid in system.processes.items() if name in SERVICES}
    system.touch()
    system.wait_for(lambda: {service, f"{service}-worker"} <= set(system.processes))
    for path in ITS_OWN[service]:
        system.wait_for(lambda path=path: visitor.get(path).status not in AWAY)
    assert others.items() <= system.processes.items()


# --- What people see ------------------------------------------------------------------------------


def is_said_to_be_away(visitor: Visitor, service: str) -> None:
    page, address = (visitor.get(path) for path in ITS_OWN[service])

    assert page.status in AWAY
    assert page.says("<h1>")
    assert address.status in AWAY
    assert json.loads(address.text)["status"] == address.status


def others_answer(visitor: Visitor, away: str) -> None:
    """Signed-in pages of the product, and those of the services that are there."""
    assert visitor.get("/docs").status == 200
    assert visitor.get(PROJECTS).says("<h1>Projects</h1>")
    for service in set(ITS_OWN) - {away}:
        for path in ITS_OWN[service]:
            assert_well(visitor.get(path))


def assert_well(page: Page) -> None:
    # Somebody who is logged in is led on from the log-in.
    assert page.status in {200, 302}, f"{page.path} answered {page.status}: {page.text[:1000]}"


def begin_a_project(visitor: Visitor) -> str:
    """Answers its name, which the product's list shows at once."""
    name = f"Begun {secrets.token_hex(3)}"
    page = visitor.sends(f"{PROJECTS}new", name=name, description="")
    assert page.status == 302, page.text[:2000]
    assert visitor.get(PROJECTS).says(name)
    return name


def build_a_report(system: System, visitor: Visitor) -> str:
    page = visitor.sends(f"{PROJECTS}reports/", of=f"{PROJECTS}reports/")
    assert page.status == 302, page.text[:2000]
    system.wait_for(lambda: visitor.get(f"{page.leads_to}/projects.csv").status == 200)
    return page.leads_to


def reports_billed(visitor: Visitor) -> int:
    billing = json.loads(visitor.get("/t/acme/api/v1/billing").text)
    return int(billing["meters"]["reports.built"]["used"])


def recorded(visitor: Visitor) -> int:
    """How many events of the product analytics has counted."""
    page = visitor.get("/t/acme/analytics/events.csv")
    return page.text.count("project created")
