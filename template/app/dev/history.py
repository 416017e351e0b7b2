"""Some weeks of believable life for the demo tenants: busy on weekdays, quiet at the weekend."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from uuid import UUID

from app.analytics import Happened
from app.db import now
from app.tenancy import current_tenant

WEEKS = 6
BUSY = {5: 0.25, 6: 0.15}  # Saturday and Sunday; every other day is 1.
EVENTS_A_DAY = 9
# What people do, and how often it is what they do.
DEEDS = {
    "signed in": 30,
    "project updated": 28,
    "project created": 12,
    "report built": 16,
    "report downloaded": 10,
    "member invited": 2,
}


def history_of(people: list[UUID]) -> list[Happened]:
    """What the people of the current tenant did; the same every time it's asked on one day."""
    random = Random(current_tenant().slug)  # noqa: S311  # Repeatable, not secret.
    today = now().date()
    days = [today - timedelta(days=ago) for ago in range(WEEKS * 7, -1, -1)]
    happened = [one for day in days for one in events_of(day, people, random)]
    return [one for one in happened if one.at < now()]


def events_of(day: date, people: list[UUID], random: Random) -> Iterator[Happened]:
    busy = BUSY.get(day.weekday(), 1.0) * len(people) * EVENTS_A_DAY / 3
    for _ in range(round(random.gauss(busy, busy / 4))):
        (name,) = random.choices(list(DEEDS), list(DEEDS.values()))
        # The first person does most, the last one least.
        (person,) = random.choices(people, range(len(people), 0, -1))
        yield Happened(name, moment_in(day, random), person)


def moment_in(day: date, random: Random) -> datetime:
    """A moment in working hours, mostly."""
    hour = min(max(random.gauss(13, 3), 0), 23.9)
    return datetime.combine(day, time.min, UTC) + timedelta(hours=hour)
