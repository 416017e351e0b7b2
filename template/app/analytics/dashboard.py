"""The dashboard's figures: read from the daily counts, so they cost the same at any volume."""

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row, bindparam, distinct, func, select

from app.analytics.models import DailyEvents, DailyPeople
from app.analytics.people import names_by_id
from app.analytics.periods import Period
from app.tenancy import prepared

MOST_ACTIVE = 10

BY_DAY = prepared(
    select(DailyEvents.day, func.sum(DailyEvents.count).label("events"))
    .where(DailyEvents.day.between(bindparam("first"), bindparam("last")))
    .group_by(DailyEvents.day)
)
BY_DAY_AND_NAME = prepared(
    select(DailyEvents.day, DailyEvents.name, DailyEvents.count.label("events"))
    .where(DailyEvents.day.between(bindparam("first"), bindparam("last")))
    .order_by(DailyEvents.day, DailyEvents.name)
)
BY_NAME = prepared(
    select(DailyEvents.name, func.sum(DailyEvents.count).label("events"))
    .where(DailyEvents.day.between(bindparam("first"), bindparam("last")))
    .group_by(DailyEvents.name)
    .order_by(func.sum(DailyEvents.count).desc(), DailyEvents.name)
)
BY_PERSON = prepared(
    select(DailyPeople.actor_id, func.sum(DailyPeople.count).label("events"))
    .where(DailyPeople.day.between(bindparam("first"), bindparam("last")))
    .group_by(DailyPeople.actor_id)
    .order_by(func.sum(DailyPeople.count).desc(), DailyPeople.actor_id)
    .limit(MOST_ACTIVE)
)
ACTIVE = prepared(
    select(func.count(distinct(DailyPeople.actor_id))).where(
        DailyPeople.day.between(bindparam("first"), bindparam("last"))
    )
)
ANYTHING = prepared(select(DailyEvents.id).limit(1))


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, and what it was in the period before."""

    now: int
    before: int

    @property
    def change(self) -> int | None:
        """The change in percent; None where there was nothing to compare with."""
        return round(100 * (self.now - self.before) / self.before) if self.before else None


@dataclass(frozen=True, slots=True)
class Dashboard:
    """What happened in a tenant within a period."""

    period: Period
    events: Figure
    people: Figure
    by_day: list[tuple[date, int]]
    by_name: list[tuple[str, int]]
    by_person: list[tuple[str, int]]


def dashboard_of(period: Period) -> Dashboard:
    """The current tenant's figures for a period."""
    by_day = events_by_day(period)
    by_name = [(row.name, int(row.events)) for row in BY_NAME.all(**ends_of(period))]
    return Dashboard(
        period=period,
        events=Figure(total(by_day), total(events_by_day(period.before))),
        people=Figure(active_people(period), active_people(period.before)),
        by_day=by_day,
        by_name=by_name,
        by_person=most_active(period),
    )


def events_by_day(period: Period) -> list[tuple[date, int]]:
    """Each day of the period with its number of events; quiet days have 0."""
    counts = Counter({row.day: int(row.events) for row in BY_DAY.all(**ends_of(period))})
    return [(day, counts[day]) for day in period.days]


def events_by_day_and_name(period: Period) -> list[Row[Any]]:
    """Each day's number of events of each name, in order; what didn't happen is left out."""
    return BY_DAY_AND_NAME.all(**ends_of(period))


def active_people(period: Period) -> int:
    """How many different people did anything."""
    return int(ACTIVE.scalar(**ends_of(period)))


def most_active(period: Period) -> list[tuple[str, int]]:
    """The names of those who did most, with how much."""
    rows = BY_PERSON.all(**ends_of(period))
    names = names_by_id({row.actor_id for row in rows})
    return [(names[row.actor_id], int(row.events)) for row in rows]


def has_any() -> bool:
    """Whether anything has ever been recorded in the current tenant."""
    return ANYTHING.first() is not None


def total(counted: list[tuple[date, int]]) -> int:
    return sum(count for _, count in counted)


def ends_of(period: Period) -> dict[str, date]:
    return {"first": period.first, "last": period.last}
