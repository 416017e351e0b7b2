"""A circuit breaker: a neighbour that failed again and again is left alone for a moment.

pybreaker would hold its lock while it calls, and make all threads of a process wait in a row for
one neighbour. This one is asked before a question and told afterwards how it went.
"""

import time
from dataclasses import dataclass, field
from threading import Lock

FAILURES = 5  # In a row.
REST = 5.0  # Seconds.


@dataclass
class Breaker:
    """What this process knows of a neighbour: open means that it isn't asked."""

    failures: int = 0
    rests_until: float = 0
    lock: Lock = field(default_factory=Lock)

    @property
    def open(self) -> bool:
        return self.failures >= FAILURES

    def may_ask(self) -> bool:
        """Whether to ask now. After a rest one question tries it, and the others wait for that."""
        with self.lock:
            at = time.monotonic()
            if self.open and at < self.rests_until:
                return False
            if self.open:
                self.rests_until = at + REST
            return True

    def succeeded(self) -> bool:
        """It answered. True if it's back after it was left alone."""
        with self.lock:
            was_open, self.failures = self.open, 0
            return was_open

    def failed(self) -> bool:
        """It didn't answer. True if it's left alone from now on."""
        with self.lock:
            self.failures += 1
            self.rests_until = time.monotonic() + REST
            return self.failures == FAILURES
