"""What the relay and the consumer have in common: a thread that goes on, whatever happens."""

import threading

import structlog
from flask import Flask
from redis.exceptions import RedisError

from app.stages.services.events.leases import Leases
from app.stages.services.events.streams import connect

log = structlog.get_logger()
LONGEST_PAUSE_SECONDS = 5.0
GRACE_SECONDS = 8


class Loop:
    """Takes turn after turn until stopped. A turn that fails is followed by a longer pause."""

    name = ""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.stopping = threading.Event()
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread. Nothing connects before: processes are forked in between."""
        self.start_connections()
        self.leases.start()
        self.thread = threading.Thread(target=self.run, name=self.name, daemon=True)
        self.thread.start()

    def start_connections(self) -> None:
        self.client = connect(self.app.config["SETTINGS"].redis_url)
        self.leases = Leases(self.client)

    def stop(self) -> None:
        """Let the turn end, release the leases and go."""
        self.stopping.set()
        if self.thread is not None:
            self.thread.join(GRACE_SECONDS)
            self.leases.stop()
            self.client.close()

    def run(self) -> None:
        failures = 0
        with self.app.app_context():
            while not self.stopping.is_set():
                try:
                    self.turn()
                    failures = 0
                except Exception as error:
                    failures += 1
                    away = isinstance(error, RedisError)  # That says it all.
                    trace = None if away else error
                    log.warning(f"{self.name} interrupted", error=repr(error), exc_info=trace)
                    self.begin_again()
                    self.stopping.wait(min(0.1 * 2**failures, LONGEST_PAUSE_SECONDS))

    def turn(self) -> None:
        """Do some of the work; wait a moment if there is none."""
        raise NotImplementedError

    def begin_again(self) -> None:
        """Forget what the failed turn left."""
