"""The world of the journey, and what is left behind when it stops on the way."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser import DRIVEN, PROJECT
from tests.journey.people import Person
from tests.journey.system import System, running

EVIDENCE = PROJECT / "screenshots" / "journey"


class World:
    """Two people who don't know each other's screens, and what they have made so far."""

    workspace: str

    def __init__(self, system: System, browser: Any) -> None:
        self.system = system
        self.ada = Person(browser, system.url, "Ada")
        self.max = Person(browser, system.url, "Max")
        self.projects: dict[str, str] = {}  # Their addresses, by name.
        self.stopped_at = ""

    @property
    def people(self) -> tuple[Person, ...]:
        return (self.ada, self.max)


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The system under test: JOURNEY_URL, or the project itself, started for this."""
    system = running(tmp_path_factory.mktemp("journey"))
    yield system
    system.stop()


@pytest.fixture(scope="module")
def world(browser: Any, system: System) -> Iterator[World]:
    world = World(system, browser)
    yield world
    for person in world.people:
        person.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """A step that fails stops the journey, and leaves pictures of what people saw."""
    report = yield
    found = getattr(item, "funcargs", {})
    world = found.get("world")
    system = world.system if world else found.get("system")
    if system and report.when == "call":
        report.user_properties.append((DRIVEN, str(system)))
    if world and report.when == "call" and report.failed:
        world.stopped_at = item.name
        report.sections.append(("What people saw", "\n".join(photograph(world, item.name))))
        report.sections.append(("The end of the server's log", world.system.log()))
    return report


def photograph(world: World, step: str) -> Iterator[str]:
    """Keep every open page as picture and HTML; answers where."""
    EVIDENCE.mkdir(parents=True, exist_ok=True)
    for person in world.people:
        for number, page in enumerate(person.pages, 1):
            path = EVIDENCE / f"{step} {person.name} {number}.png"
            try:
                page.screenshot(path=path, full_page=True)
                path.with_suffix(".html").write_text(page.content())
            except Exception as error:  # A browser that died must not hide why the step failed.
                yield f"{path.name}: {error}"
            else:
                yield f"{page.url}: {path} and .html"
