"""Where identities are kept: in this process, and in Redis for the other processes.

Redis keeps the signed tokens under a hash of the credential. Nobody who reads there can sign in
with what they find, and what somebody else writes there has no signature of auth's.
"""

from collections import OrderedDict
from threading import Lock
from time import monotonic, time
from typing import Any, cast

import structlog
from flask import Flask, current_app
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from app.stages.services.identity_token import Credential, Known

log = structlog.get_logger()

MOST = 10_000  # Identities in one process: some 10 MB.
PATIENCE_SECONDS = 0.25
PAUSE_SECONDS = 2  # Without Redis, while it's away: each try would cost the patience.


class Memory:
    """The identities that were asked for most recently, each with when to ask again."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.known: OrderedDict[Credential, tuple[Known, float]] = OrderedDict()
        self.lock = Lock()

    def get(self, asked: Credential) -> tuple[Known | None, float]:
        with self.lock:
            found = self.known.get(asked)
            if found is None:
                return None, 0
            self.known.move_to_end(asked)
            return found

    def put(self, asked: Credential, known: Known, due: float) -> None:
        with self.lock:
            self.known[asked] = known, due
            self.known.move_to_end(asked)
            if len(self.known) > self.most:
                self.known.popitem(last=False)

    def drop(self, asked: Credential) -> None:
        with self.lock:
            self.known.pop(asked, None)


class Shared:
    """Redis, or nothing while it's away."""

    def __init__(self, url: str) -> None:
        self.redis = client_of(url, PATIENCE_SECONDS)
        self.away_until = 0.0

    def call(self, command: str, *args: Any, **kwargs: Any) -> Any:
        """What Redis answers; None while it's away."""
        if monotonic() < self.away_until:
            return None
        try:
            return getattr(self.redis, command)(*args, **kwargs)
        except RedisError as error:
            self.away_until = monotonic() + PAUSE_SECONDS
            log.warning("redis away", command=command, error=repr(error))
            return None


def client_of(url: str, patience: float) -> Redis:
    """A client that fails soon: whoever calls it can do without."""
    return Redis.from_url(
        url,
        socket_timeout=patience,
        socket_connect_timeout=patience,
        retry=Retry(NoBackoff(), 1),  # A connection that was closed meanwhile is opened again.
    )


def init_app(app: Flask) -> None:
    app.extensions["identities"] = Memory()
    app.extensions["identities_shared"] = Shared(app.config["SETTINGS"].redis_url)


def in_memory(asked: Credential) -> tuple[Known | None, float]:
    """What this process knows, and from when on it should ask again."""
    return cast(Memory, current_app.extensions["identities"]).get(asked)


def remember(asked: Credential, known: Known, due: float) -> None:
    """Keep it in this process."""
    current_app.extensions["identities"].put(asked, known, due)


def in_redis(asked: Credential) -> str | None:
    """The token that another process left."""
    found = shared().call("get", key_of(asked))
    return found.decode("ascii", "replace") if found else None


def share(asked: Credential, token: str, until: float) -> None:
    """Leave a token for the other processes, until it ends."""
    shared().call("set", key_of(asked), token, ex=max(1, int(until - time())))


def forget(asked: Credential) -> None:
    """It's nobody's credential any more."""
    current_app.extensions["identities"].drop(asked)
    shared().call("delete", key_of(asked))


def key_of(asked: Credential) -> str:
    # A slug from the URL can be anything; it comes last.
    return f"identity:{asked.digest}:{'' if asked.slug is None else '/' + asked.slug}"


def shared() -> Shared:
    found: Shared = current_app.extensions["identities_shared"]
    return found
