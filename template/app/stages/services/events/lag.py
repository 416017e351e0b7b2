"""Lag: what was committed and isn't heard yet, by service and partition."""

import time
from dataclasses import dataclass
from typing import Any

from redis import Redis
from sqlalchemy import func, select

from app.db import db, now
from app.events import OutboxRow
from app.stages.services.events import letters, streams


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a service is behind in a partition."""

    group: str
    partition: int
    unread: int
    unfinished: int
    seconds: float

    @property
    def events(self) -> int:
        """How many events wait: not given to a worker yet, or given and not done with."""
        return self.unread + self.unfinished


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in this database's outbox, and how long the oldest has."""

    events: int
    seconds: float


def backlog() -> Backlog:
    """What this service has committed and not shipped yet."""
    waiting = select(func.count(), func.min(OutboxRow.at)).where(OutboxRow.state == "pending")
    count, oldest = db.session.execute(waiting).one()
    return Backlog(count, (now() - oldest).total_seconds() if oldest else 0.0)


def of_all(client: Redis) -> list[Lag]:
    """How far each service is behind in each partition."""
    return [lag for partition in range(streams.PARTITIONS) for lag in of(client, partition)]


def of(client: Redis, partition: int) -> list[Lag]:
    stream = streams.stream_of(partition)
    if not client.exists(stream):
        return []
    groups: Any = client.xinfo_groups(stream)
    return [lag_of(client, partition, group) for group in groups]


def lag_of(client: Redis, partition: int, group: dict[str, Any]) -> Lag:
    stream = streams.stream_of(partition)
    last = group["last-delivered-id"].decode()
    # Redis doesn't always know; then they are counted.
    unread = group["lag"] if group["lag"] is not None else len_after(client, stream, last)
    oldest = None
    if group["pending"]:
        pending: Any = client.xpending(stream, group["name"])
        oldest = pending["min"].decode()
    elif unread:
        first: Any = client.xrange(stream, min=f"({last}", count=1)
        oldest = first[0][0].decode() if first else None
    seconds = max(0.0, time.time() - streams.as_numbers(oldest)[0] / 1000) if oldest else 0.0
    return Lag(group["name"].decode(), partition, unread, group["pending"], seconds)


def len_after(client: Redis, stream: str, last: str) -> int:
    found: Any = client.xrange(stream, min=f"({last}")
    return len(found)


def dead(client: Redis) -> int:
    """How many dead letters there are."""
    return int(client.xlen(letters.STREAM))
