"""`flask rollout follow`: beside each gateway, it brings the pins from the database to Caddy.

While the database is away the last pins stay as they are, and so they do when this is stopped.
"""

import http.client
import shlex
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from app.stages.services.rollout import pins as files
from app.stages.services.rollout.store import Pins, Store

PULSE_SECONDS = 5
ANSWER_SECONDS = 30
Say = Callable[[str], None]


class NotReloaded(Exception):
    """Caddy runs on with what it had."""


class OverSocket(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_SECONDS)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(ANSWER_SECONDS)
        self.sock.connect(str(self.path))


@dataclass
class Caddy:
    """The gateway beside us: its Caddyfile, and the socket that it's told through."""

    file: Path
    reload_command: str = ""

    @property
    def socket(self) -> Path:
        return self.file.parent.absolute() / "admin.sock"

    @property
    def pins(self) -> Path:
        return self.file.parent.absolute() / "pins"

    def write(self, text: str) -> bool:
        """Write the Caddyfile; says whether it's another than before."""
        if self.file.exists() and self.file.read_text("utf-8") == text:
            return False
        self.file.parent.mkdir(parents=True, exist_ok=True)
        draft = self.file.with_suffix(".new")
        draft.write_text(text, "utf-8")
        draft.replace(self.file)
        return True

    def reload(self) -> None:
        """Let Caddy take the file up. One that is as before costs it nothing.

        Raises `NotReloaded`.
        """
        if self.reload_command:
            self.reload_by_command()
        else:
            self.reload_by_socket()

    def reload_by_command(self) -> None:
        done = subprocess.run(  # noqa: S603  # Whoever starts us says it.
            shlex.split(self.reload_command), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise NotReloaded(f"{self.reload_command} failed: {done.stderr.strip()[-300:]}")

    def reload_by_socket(self) -> None:
        """Caddy reads the file itself, with its own environment."""
        connection = OverSocket(self.socket)
        headers = {"Content-Type": "text/caddyfile"}
        try:
            connection.request("POST", "/load", self.file.read_bytes(), headers)
            answer = connection.getresponse()
            said = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise NotReloaded(f"Caddy doesn't answer at {self.socket}: {error!r}") from None
        finally:
            connection.close()
        if answer.status != 200:
            raise NotReloaded(f"Caddy refuses the Caddyfile: {said.strip()[:300]}")


@dataclass
class Follower:
    """What brings the pins to one gateway."""

    store: Store
    caddy: Caddy
    base: str
    template: str
    domain: str
    name: str
    say: Say
    version: int = -1
    problem: str = ""
    loaded: bool = False
    release: str | None = None
    silent_until: float = field(default=0, repr=False)

    def text(self, pins: Pins) -> str:
        upstreams = files.upstreams_of(self.template, pins.releases)
        caddy = self.caddy
        return files.caddyfile(self.base, pins, caddy.pins, caddy.socket, upstreams, self.domain)

    def prepare(self) -> None:
        """Before Caddy starts: a Caddyfile, with the pins if they can be had."""
        try:
            pins = self.asked()
        except DBAPIError as error:
            self.say(f"The database is away: {error.orig}".strip())
            if not self.caddy.file.exists():
                self.caddy.write(self.text(Pins()))
            return
        files.write(self.caddy.pins, pins)
        self.caddy.write(self.text(pins))

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
            self.store.close()
            if self.problem != "database":
                self.say(f"The database is away, the last pins stay: {error.orig}".strip())
            self.problem = "database"

    def take_up(self, pins: Pins) -> None:
        """First the releases that there are, then who gets which: a pin has somewhere to lead."""
        problem = self.problem
        try:
            if self.caddy.write(self.text(pins)) or not self.loaded:
                self.loaded = False
                self.caddy.reload()
            self.loaded, self.release, self.problem = True, pins.release, ""
        except NotReloaded as error:
            self.problem = str(error)
            if self.problem != problem:
                self.say(self.problem)
        if not self.problem or self.release == pins.release:
            files.write(self.caddy.pins, pins)
        self.silent_until = 0
        if not self.problem:
            self.version = pins.version
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
