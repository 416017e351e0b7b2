"""Relay and consumer taken turn by turn, so that a test says what happens when."""

import time
from collections.abc import Callable

import pytest
from flask import Flask

from app.stages.services.events import relay
from app.stages.services.events.consumer import Consumer

PATIENCE = 30


def ship(app: Flask) -> int:
    """Let the relay ship all that waits; answers how many events that was."""
    total = 0
    with app.app_context():
        while count := relay.ship():
            total += count
    return total


class Worker:
    """A consumer whose turns the test takes."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.consumer = Consumer(app)
        self.consumer.start_connections()
        self.consumer.wait = lambda: None  # type: ignore[method-assign]

    def turn(self, times: int = 1) -> None:
        with self.app.app_context():
            for _ in range(times):
                self.consumer.turn()

    def leave(self) -> None:
        """Go politely: release the leases."""
        self.consumer.leases.stop()

    def die(self) -> None:
        """Go without a word. Nobody waits for the leases to run out here."""
        for name in self.consumer.leases.until:
            self.consumer.client.delete(name)
        self.consumer.client.delete(self.consumer.alive_key)


def wait_until(is_so: Callable[[], object], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if is_so():
            return
        time.sleep(0.02)
    pytest.fail(f"Waited {seconds} seconds for it.")
