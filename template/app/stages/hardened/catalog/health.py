"""What this process knows of the servers of silos: one that is away doesn't hold our threads.

To connect to a server that doesn't answer takes seconds. So only some threads try at once, and
after a failure nobody does for a moment; then one tries, and the others wait for how that goes.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, Semaphore

import psycopg
import structlog

from app.errors import Unavailable

log = structlog.get_logger()

REST_SECONDS, LONGEST_REST_SECONDS = 1.0, 10.0
# How long a thread waits for its turn to try: a server that is well needs some milliseconds.
TURN_SECONDS = 0.5


class SiloAway(Unavailable):
    """The database of one tenant doesn't answer."""

    def __init__(self) -> None:
        super().__init__("The database of this workspace doesn't answer right now.")


@dataclass
class Health:
    """How a server, or one database there, did when we last tried."""

    failures: int = 0
    rests_until: float = 0
    lock: Lock = field(default_factory=Lock)

    def may_try(self) -> bool:
        """Whether to try now. After a rest one thread does, and the others don't meanwhile."""
        with self.lock:
            at = time.monotonic()
            if not self.failures:
                return True
            if at < self.rests_until:
                return False
            self.rests_until = at + LONGEST_REST_SECONDS
            return True

    def worked(self) -> None:
        with self.lock:
            self.failures = 0

    def failed(self) -> None:
        with self.lock:
            self.failures += 1
            rest = min(REST_SECONDS * 2 ** (self.failures - 1), LONGEST_REST_SECONDS)
            self.rests_until = time.monotonic() + rest


class Servers:
    """The health of each server and of each database on it, and who is trying."""

    def __init__(self, at_once: int, failed: Callable[[], None] = lambda: None) -> None:
        self.at_once = at_once
        self.failed = failed  # Called for each connection that fails, so that it's counted.
        self.known: dict[tuple[str, ...], Health] = {}
        self.turns: dict[tuple[str, ...], Semaphore] = {}
        self.lock = Lock()

    @contextmanager
    def trying(self, server: str, database: str) -> Iterator[None]:
        """Connect in here. Raises `SiloAway` at once where that makes no sense now."""
        healths = [self.health_of(server), self.health_of(server, database)]
        turn = self.turn_at(server)
        if not all(health.may_try() for health in healths) or not turn.acquire(
            timeout=TURN_SECONDS
        ):
            raise SiloAway()
        try:
            yield
        except psycopg.Error as error:
            blamed = healths[1] if refused(error) else healths[0]
            blamed.failed()
            for health in healths:
                if health is not blamed:
                    health.worked()
            self.failed()
            log.error("silo away", server=server, database=database, reason=str(error).strip())
            raise SiloAway() from error
        else:
            for health in healths:
                health.worked()
        finally:
            turn.release()

    def health_of(self, *what: str) -> Health:
        with self.lock:
            return self.known.setdefault(what, Health())

    def turn_at(self, server: str) -> Semaphore:
        with self.lock:
            return self.turns.setdefault((server,), Semaphore(self.at_once))


def refused(error: psycopg.Error) -> bool:
    """Whether the server answered and let nobody in, rather than being away.

    While a connection is made libpq tells no SQLSTATE, but whether a password was asked for.
    """
    if error.sqlstate:
        return error.sqlstate[:2] != "57"
    return error.pgconn is not None and error.pgconn.used_password
