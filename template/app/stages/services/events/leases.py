"""Leases: of several workers, one at a time does a thing, and another takes over if it dies.

They save work and keep order; they are not what makes an event count once. That is the inbox: a
worker that was paused beyond its lease and goes on does no harm.
"""

import threading
import time
from uuid import uuid4

import structlog
from redis import Redis
from redis.exceptions import RedisError

log = structlog.get_logger()

# How long the work of a worker that was killed rests.
LEASE_SECONDS = 5.0
RENEW_SECONDS = 1.0

RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end"


class Leases:
    """The leases that this worker holds; a thread of its own renews them meanwhile."""

    def __init__(self, client: Redis) -> None:
        self.client = client
        self.token = uuid4().hex
        self.until: dict[str, float] = {}
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.renew_all_the_time, name="leases", daemon=True)
        self.renew_script = client.register_script(RENEW)
        self.release_script = client.register_script(RELEASE)

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        """Release all, so that others needn't wait."""
        self.stopping.set()
        if self.thread.is_alive():
            # Whoever stops us may close the connection, which it may be using just now.
            self.thread.join(RENEW_SECONDS)
        self.release(*self.until)

    def holds(self, name: str) -> bool:
        """Whether the lease is surely ours, by our own clock."""
        return time.monotonic() < self.until.get(name, 0)

    def take(self, name: str) -> bool:
        """Take a lease unless somebody has it; answers whether we hold it."""
        if self.holds(name):
            return True
        until = time.monotonic() + LEASE_SECONDS
        taken = self.client.set(name, self.token, nx=True, px=int(LEASE_SECONDS * 1000))
        if taken or self.renew_script([name], [self.token, int(LEASE_SECONDS * 1000)]):
            self.until[name] = until
            return True
        return False

    def release(self, *names: str) -> None:
        """Release leases, as far as Redis answers: it knows when they run out."""
        for name in names:
            self.until.pop(name, None)
        try:
            for name in names:
                self.release_script([name], [self.token])
        except RedisError as error:
            log.info("leases not released, they run out", error=repr(error))

    def renew_all_the_time(self) -> None:
        while not self.stopping.wait(RENEW_SECONDS):
            try:
                for name in list(self.until):
                    self.renew(name)
            except RedisError as error:
                log.warning("leases not renewed", error=repr(error))

    def renew(self, name: str) -> None:
        until = time.monotonic() + LEASE_SECONDS
        renewed = self.renew_script([name], [self.token, int(LEASE_SECONDS * 1000)])
        if name in self.until:  # It may have been released meanwhile.
            self.until[name] = until if renewed else 0
