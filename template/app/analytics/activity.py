"""Single facts, in the order of time: a page of the latest, or all of a period."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Row, bindparam, select, tuple_

from app.analytics.models import Fact
from app.analytics.people import NOBODY, names_by_id
from app.analytics.periods import Period
from app.tenancy import prepared

PAGE = 20
BATCH = 2_000
LOWEST = UUID(int=0)
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

COLUMNS = select(Fact.id, Fact.at, Fact.name, Fact.actor_id, Fact.facts)
PLACE = tuple_(Fact.at, Fact.id)
MARK = tuple_(
    bindparam("at", type_=Fact.__table__.c.at.type), bindparam("id", type_=Fact.__table__.c.id.type)
)
# A place in time, not a page number: pages neither skip nor repeat while new facts arrive.
BEFORE = prepared(
    COLUMNS.where(PLACE < MARK, Fact.at >= bindparam("begins"))
    .order_by(Fact.at.desc(), Fact.id.desc())
    .limit(PAGE + 1)
)
AFTER = prepared(
    COLUMNS.where(PLACE > MARK, Fact.at < bindparam("ends")).order_by(Fact.at, Fact.id).limit(BATCH)
)


@dataclass(frozen=True, slots=True)
class Activity:
    """A fact as people read it."""

    at: datetime
    name: str
    person: str
    facts: str

    @property
    def details(self) -> str:
        """Its facts in one line for people: `project: Apollo, size: 3`. Ids tell them nothing."""
        told = orjson.loads(self.facts)
        return ", ".join(
            f"{key}: {plain(value)}" for key, value in told.items() if not is_id(value)
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Some activities, newest first, and the mark of where older ones begin."""

    activities: list[Activity]
    older: str | None


def page_of(period: Period, before: str = "") -> Page:
    """The latest activities of a period, or those before a mark."""
    at, fact_id = read_mark(before) or (period.ends, LOWEST)
    rows = BEFORE.all(begins=period.begins, at=min(at, period.ends), id=fact_id)
    shown = rows[:PAGE]
    return Page(activities_of(shown), mark_of(shown[-1]) if len(rows) > PAGE else None)


def batches_of(period: Period) -> Iterator[list[Activity]]:
    """Every activity of a period, oldest first, some at a time: memory stays flat."""
    at, fact_id = period.begins, LOWEST
    while rows := AFTER.all(ends=period.ends, at=at, id=fact_id):
        yield activities_of(rows)
        at, fact_id = rows[-1].at, rows[-1].id


def activities_of(rows: list[Row[Any]]) -> list[Activity]:
    names = names_by_id({row.actor_id for row in rows if row.actor_id})
    return [Activity(row.at, row.name, names.get(row.actor_id, NOBODY), row.facts) for row in rows]


def is_id(value: object) -> bool:
    return isinstance(value, str) and ID.fullmatch(value) is not None


def plain(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def mark_of(row: Row[Any]) -> str:
    return f"{row.at.isoformat()}~{row.id.hex}"


def read_mark(text: str) -> tuple[datetime, UUID] | None:
    """The place that a mark names, or None for one that nobody gave out."""
    at, _, fact_id = text.partition("~")
    try:
        moment = datetime.fromisoformat(at)
        return (moment.astimezone(UTC), UUID(fact_id)) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
