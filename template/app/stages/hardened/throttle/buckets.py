"""The token buckets: in Redis, where all processes share them, or in this process without it.

While Redis doesn't answer, each process counts for itself: a workspace then has its allowance at
each of them. Nobody is locked out, and nobody has all.
"""

import math
from threading import Lock
from time import monotonic, time
from typing import Any, NamedTuple

import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry
from throttled.exceptions import StoreUnavailableError
from throttled.rate_limiter import TokenBucketRateLimiter, per_sec
from throttled.store import BaseStore, MemoryStore, RedisStore

from app.stages.hardened.throttle.allowances import Allowance

log = structlog.get_logger()

PATIENCE_SECONDS = 0.05  # Each request waits for the answer.
PAUSE_SECONDS = 2.0  # Without Redis, while it's away: each try would cost the patience.
MOST = 20_000  # Buckets in one process.


class Verdict(NamedTuple):
    """Whether a request may pass, what is left, and the seconds until there is more."""

    passes: bool
    left: int
    full_in: int
    again_in: int


class Buckets:
    """A bucket for each name."""

    def __init__(self, redis_url: str) -> None:
        self.here = MemoryStore(options={"MAX_SIZE": MOST})
        self.shared = shared_store(redis_url) if redis_url else None
        self.away_until = 0.0
        # Nothing comes in before the next whole second: an empty bucket needn't be asked again.
        self.empty: dict[tuple[str, Allowance], tuple[float, Verdict]] = {}
        self.lock = Lock()
        self.made: dict[tuple[int, Allowance], TokenBucketRateLimiter] = {}

    def take(self, name: str, allowance: Allowance) -> Verdict:
        """Take a token out of a bucket, if there is one."""
        bucket = name, allowance
        known = self.empty.get(bucket)
        if known and time() < known[0]:
            return known[1]
        verdict = self.ask(name, allowance)
        if verdict.passes:
            self.empty.pop(bucket, None)
        else:
            self.remember(bucket, verdict)
        return verdict

    def remember(self, bucket: tuple[str, Allowance], verdict: Verdict) -> None:
        with self.lock:
            if len(self.empty) >= MOST:
                self.empty.clear()
            self.empty[bucket] = math.floor(time()) + 1.0, verdict

    def ask(self, name: str, allowance: Allowance) -> Verdict:
        if self.shared is not None and monotonic() >= self.away_until:
            try:
                return self.limit(self.shared, name, allowance)
            except StoreUnavailableError as error:
                self.away_until = monotonic() + PAUSE_SECONDS
                log.warning("redis away", command="throttle", error=repr(error.__cause__))
        return self.limit(self.here, name, allowance)

    def limit(self, store: BaseStore, name: str, allowance: Allowance) -> Verdict:
        kind = id(store), allowance
        bucket = self.made.get(kind)
        if bucket is None:
            quota = per_sec(allowance.rate, burst=allowance.burst)
            bucket = self.made[kind] = TokenBucketRateLimiter(quota, store)
        found = bucket.limit(f"{name}:{allowance}")
        state = found.state
        again = 0 if not found.limited else max(1, math.ceil(state.retry_after))
        return Verdict(not found.limited, state.remaining, math.ceil(state.reset_after), again)


def shared_store(url: str) -> RedisStore:
    """Redis, asked in a way that fails soon: its client's own patience is seconds."""
    options: dict[str, Any] = {
        "SOCKET_TIMEOUT": PATIENCE_SECONDS,
        "SOCKET_CONNECT_TIMEOUT": PATIENCE_SECONDS,
        # A pool of our own: whoever else asks at this URL has another patience.
        "REUSE_CONNECTION": False,
        "CONNECTION_POOL_KWARGS": {"retry": Retry(NoBackoff(), 1)},
    }
    return RedisStore(server=url, options=options)
