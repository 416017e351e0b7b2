"""Allowances: how many requests a second a workspace has, by its plan or as an operator decided."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from threading import Lock
from time import monotonic, time
from typing import Any, NamedTuple, Protocol

import structlog
from redis.exceptions import RedisError

log = structlog.get_logger()

OVERRIDES = "throttle:overrides"
READ_EVERY_SECONDS = 1.0


class Allowance(NamedTuple):
    """So many requests a second, and so many at once after a pause."""

    rate: int
    burst: int

    @classmethod
    def read(cls, text: str) -> "Allowance":
        """An allowance as it's written: `50:100`, or `50` for twice as many at once.

        Raises `ValueError` for what isn't one. The burst is never smaller than the rate: a bucket
        that is full again within a second would never be empty.
        """
        rate, _, burst = text.strip().partition(":")
        try:
            found = cls(int(rate), int(burst) if burst else 2 * int(rate))
        except ValueError:
            raise ValueError(f"{text.strip()!r} isn't RATE or RATE:BURST, such as 50:100") from None
        if not 1 <= found.rate <= found.burst <= 1_000_000:
            raise ValueError(
                f"{text.strip()!r}: the rate is 1 or more, the burst at least the rate"
            )
        return found

    def __str__(self) -> str:
        return f"{self.rate}:{self.burst}"


def of_plans(text: str) -> dict[str, Allowance]:
    """The allowances of plans as they are set: `free=10:20, pro=100:200`."""
    found = {}
    for part in filter(None, map(str.strip, text.split(","))):
        plan, equals, allowance = part.partition("=")
        if not equals or not plan.strip():
            raise ValueError(f"{part!r} isn't PLAN=RATE:BURST, such as pro=100:200")
        found[plan.strip()] = Allowance.read(allowance)
    return found


class Store(Protocol):
    """What is asked of Redis here."""

    def hgetall(self, name: str) -> Any: ...
    def hset(self, name: str, key: str, value: str) -> Any: ...
    def hdel(self, name: str, *keys: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Override:
    """What an operator decided for one workspace, why, and until when (seconds since 1970)."""

    allowance: Allowance
    until: float
    reason: str

    def dump(self) -> str:
        return json.dumps(asdict(self) | {"allowance": str(self.allowance)})

    @classmethod
    def load(cls, text: bytes | str) -> "Override":
        found = json.loads(text)
        return cls(Allowance.read(found["allowance"]), float(found["until"]), found["reason"])


def overrides(store: Store) -> dict[str, Override]:
    """Every workspace's override that still holds, by slug; what has run out is taken away."""
    found = {slug.decode(): Override.load(text) for slug, text in store.hgetall(OVERRIDES).items()}
    over = [slug for slug, override in found.items() if override.until <= time()]
    if over:
        store.hdel(OVERRIDES, *over)
    return {slug: override for slug, override in found.items() if slug not in over}


class Allowances:
    """The allowance of each workspace, as this process knows it. Read anew each second."""

    def __init__(
        self, usual: Allowance, plans: Mapping[str, Allowance], store: Store | None
    ) -> None:
        self.usual, self.plans, self.store = usual, plans, store
        self.decided: dict[str, Override] = {}
        self.due = 0.0
        self.lock = Lock()

    def of(self, slug: str, plan: str | None) -> Allowance:
        """What a workspace may: as an operator decided, else by its plan, else as everybody."""
        self.read_again()
        override = self.decided.get(slug)
        if override and override.until > time():
            return override.allowance
        return self.plans.get(plan or "", self.usual)

    def read_again(self) -> None:
        if self.store is None or monotonic() < self.due or not self.lock.acquire(blocking=False):
            return
        try:
            self.due = monotonic() + READ_EVERY_SECONDS
            self.decided = overrides(self.store)
        except RedisError as error:
            log.warning("overrides not read", error=repr(error))  # The last ones hold.
        finally:
            self.lock.release()
