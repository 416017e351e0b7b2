"""Some weeks of believable life for the demo tenants: busy on weekdays, quiet at the weekend."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from uuid import UUID

from app.analytics import Happened
from app.db import now
from app.tenancy import current_tenant

WEEKS = 9
BUSY = {5: 0.25, 6: 0.15}  # Saturday and Sunday; every other day is 1.
DEEDS_A_DAY = 3
GROWTH = 0.6  # From the first day to the last.
# What people do, and how often it is what they do.
DEEDS = {
    "signed in": 30,
    "project updated": 28,
    "project created": 12,
    "report built": 16,
    "report downloaded": 10,
    "member invited": 2,
}
PROJECTS = ("Apollo", "Website relaunch", "Warehouse move", "Spring catalogue", "Data clean-up")
ABOUT_A_PROJECT = ("project", "report")


def history_of(people: list[UUID]) -> list[Happened]:
    """What the people of the current tenant did; the same every time it's asked on one day."""
    random = Random(current_tenant().slug)  # noqa: S311  # Repeatable, not secret.
    today = now().date()
    days = [today - timedelta(days=ago) for ago in range(WEEKS * 7, -1, -1)]
    happened = [one for day in days for one in events_of(day, people, random)]
    return [one for one in happened if one.at < now()]


def events_of(day: date, people: list[UUID], random: Random) -> Iterator[Happened]:
    for _ in range(how_many(day, random) * len(people) // 3):
        (name,) = random.choices(list(DEEDS), list(DEEDS.values()))
        # The first person does most, the last one least.
        (person,) = random.choices(people, range(len(people), 0, -1))
        facts = {"project": random.choice(PROJECTS)} if name.startswith(ABOUT_A_PROJECT) else {}
        yield Happened(name, moment_in(day, random), person, facts)


def how_many(day: date, random: Random) -> int:
    """How many deeds three people do on a day: more as the weeks go by."""
    weeks_ago = (now().date() - day).days / 7
    usual = BUSY.get(day.weekday(), 1.0) * 3 * DEEDS_A_DAY * (1 + GROWTH * (1 - weeks_ago / WEEKS))
    return max(round(random.gauss(usual, usual / 4)), 0)


def moment_in(day: date, random: Random) -> datetime:
    """A moment in working hours, mostly."""
    hour = min(max(random.gauss(13, 3), 0), 23.9)
    return datetime.combine(day, time.min, UTC) + timedelta(hours=hour)
