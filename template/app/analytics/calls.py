"""What other packages may ask analytics."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

import orjson

from app import doors, events
from app.analytics.keeping import keep
from app.analytics.models import Fact
from app.tenancy import current_tenant

RECORDED = "analytics.recorded"
BACKFILLED = "analytics.backfilled"
AT_ONCE = 500


def record(name: str, /, **facts: object) -> None:
    """Say that something happened: `analytics.record("project created", project=project.id)`.

    It counts once the caller's transaction commits; a rollback takes it back. Call it before the
    commit. The name says what kind of thing happened, in plain words; what varies (ids, amounts)
    goes into the facts, which are JSON values, UUIDs and moments. Who did it and when are noted
    by themselves. Raises `NoTenant` where no tenant is served.
    """
    current_tenant()
    events.publish(RECORDED, what=name, facts=facts)


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that happened at a known moment, for `backfill`."""

    name: str
    at: datetime
    actor_id: UUID | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def backfill(history: Iterable[Happened]) -> None:
    """Keep what happened before anybody recorded it: an import, or demo data.

    Unlike `record` it's written at once, in the caller's transaction, and twice if called twice.
    Where analytics runs elsewhere it's told, and writes it a moment after the commit.
    """
    if not doors.serves("analytics"):
        for some in batched(history, AT_ONCE):
            events.publish(BACKFILLED, history=[asdict(one) for one in some])
        return
    keep_all(history)


def keep_all(history: Iterable[Happened]) -> None:
    keep(
        Fact(
            name=one.name, at=one.at, actor_id=one.actor_id, facts=orjson.dumps(one.facts).decode()
        )
        for one in history
    )


def batched(history: Iterable[Happened], count: int) -> Iterator[list[Happened]]:
    """A long history in parts."""
    rest = iter(history)
    while some := list(islice(rest, count)):
        yield some
