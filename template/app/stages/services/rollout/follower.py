"""`flask rollout follow`: beside each gateway, it brings the pins from the database to Caddy.

While the database is away the last pins stay as they are, and so they do when this is stopped.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from app.stages.services.rollout.pins import (
    Files,
    TooManyReleases,
    caddyfile,
    put,
    upstreams_of,
)
from app.stages.services.rollout.store import Pins, Store

PULSE_SECONDS = 5
Say = Callable[[str], None]


@dataclass
class Follower:
    """What brings the pins to one gateway."""

    store: Store
    file: Path
    base: str
    template: str
    domain: str
    name: str
    say: Say
    version: int = -1
    problem: str = ""
    silent_until: float = field(default=0, repr=False)

    @property
    def folder(self) -> Path:
        return self.file.parent.absolute()

    def prepare(self) -> None:
        """Before Caddy starts: its Caddyfile, and the pins if they can be had."""
        self.folder.mkdir(parents=True, exist_ok=True)
        put(self.file, caddyfile(self.base, self.folder, self.domain))
        try:
            self.take_up(self.asked())
        except DBAPIError as error:
            self.note_away(error)

    def asked(self) -> Pins:
        return self.store.pins() if self.store.is_prepared() else Pins()

    def look(self) -> None:
        """Once: take up what has changed, and say how far we are."""
        try:
            known = self.store.version() if self.store.is_prepared() else 0
            if known != self.version or self.problem:
                self.take_up(self.asked())
            if self.version == 0 or time.monotonic() < self.silent_until:
                return
            self.store.follows(self.name, self.version, self.problem)
            self.silent_until = time.monotonic() + PULSE_SECONDS
        except DBAPIError as error:
            self.note_away(error)

    def note_away(self, error: DBAPIError) -> None:
        self.store.close()
        if self.problem != "database":
            self.say(f"The database is away, the last pins stay: {error.orig}".strip())
        self.problem = "database"

    def take_up(self, pins: Pins) -> None:
        """Make the files as the pins are, and say what was in the way."""
        before = self.problem
        try:
            Files(self.folder).write(pins, upstreams_of(self.template, pins.releases))
        except (OSError, TooManyReleases) as error:
            self.problem = str(error)
            if self.problem != before:
                self.say(f"The pins can't be taken over: {error}")
                self.silent_until = 0
            return
        self.problem, self.version, self.silent_until = "", pins.version, 0
        self.say(described(pins))

    def follow(self, every: float, over: Callable[[], bool]) -> None:
        """Until we're told to stop."""
        while not over():
            self.look()
            time.sleep(every)


def described(pins: Pins) -> str:
    if pins.release is None:
        return "No release is adopted yet: the gateway goes by its own settings."
    if not pins.tenants:
        return f"Version {pins.version}: everybody has {pins.release}."
    counts = {one: list(pins.tenants.values()).count(one) for one in set(pins.tenants.values())}
    pinned = ", ".join(f"{count:,} to {one}" for one, count in sorted(counts.items()))
    return f"Version {pins.version}: pinned {pinned}; all others have {pins.release}."
