"""The services and the Valkey of the events' tests are ours, too; and one whole system."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from app.dev.seed import PASSWORD
from tests.ops.browser import TOKEN, Browser
from tests.services.events.conftest import (
    acme_there,
    listeners,
    make_service,
    tables,
    valkey,
    valkey_server,
)
from tests.services.observe.collector import Collector, collecting
from tests.services.observe.reading import Scrape
from tests.services.system_of_processes import System, system_of

__all__ = ["acme_there", "listeners", "make_service", "tables", "valkey", "valkey_server"]


@dataclass
class Watched:
    """A system that somebody uses, and the collector that its traces go to."""

    system: System
    collector: Collector
    browser: Browser

    def scraped(self) -> dict[str, Scrape]:
        """What each process tells Prometheus."""
        return {name: Scrape.at(url) for name, url in self.system.facts["metrics"].items()}

    def begin_project(self, name: str) -> None:
        """Open the form, and send it after somebody has changed their name meanwhile.

        So features must ask again who that is: otherwise it knew.
        """
        form = TOKEN.search(self.browser.open("/t/acme/projects/new"))
        assert form
        self.browser.fill_in("/account", name=f"Ada, who begins {name}")
        time.sleep(1)  # Until features has heard of it.
        self.browser.open("/t/acme/projects/new", {"csrf_token": form[1], "name": name})


@pytest.fixture(scope="session")
def watched() -> Iterator[Watched]:
    """As `flask dev --gunicorn` starts it, with Ada signed in."""
    with TemporaryDirectory(prefix="system-") as folder, collecting() as collector:
        settings = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "RELEASE": "r-42",
        }
        with system_of(Path(folder), "--gunicorn", **settings) as system:
            browser = Browser(system.url)
            browser.fill_in("/login", email="ada@acme.example", password=PASSWORD)
            yield Watched(system, collector, browser)
