"""Periods: the days that a dashboard or an export is about. All days are days in UTC."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from app.db import now
from app.errors import Refused

PRESETS = (7, 30, 90)
USUAL = 30
LONGEST = 366
EARLIEST = date(2000, 1, 1)
ONE_DAY = timedelta(days=1)


class BadPeriod(Refused):
    """The days that were asked for make no sense."""

    status = 400
    title = "These dates don't work"


@dataclass(frozen=True, slots=True)
class Period:
    """Some days in a row, both ends included."""

    first: date
    last: date

    @property
    def length(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1

    @property
    def days(self) -> list[date]:
        """Its days, in order."""
        return [self.first + ONE_DAY * number for number in range(self.length)]

    @property
    def begins(self) -> datetime:
        """Its first moment."""
        return datetime.combine(self.first, time.min, UTC)

    @property
    def ends(self) -> datetime:
        """The first moment after it."""
        return datetime.combine(self.last + ONE_DAY, time.min, UTC)

    @property
    def before(self) -> "Period":
        """As many days, just before it: what it's compared with."""
        return Period(self.first - ONE_DAY * self.length, self.first - ONE_DAY)

    @property
    def preset(self) -> int | None:
        """The preset that it is, if it is one."""
        return self.length if self.length in PRESETS and self.last == today() else None


def today() -> date:
    return now().date()


def last_days(count: int = USUAL) -> Period:
    """The last days up to today."""
    return Period(today() - ONE_DAY * (count - 1), today())


def asked_for(args: Mapping[str, str]) -> Period:
    """The period that a query string names: `?days=7`, or `?from=2026-11-01&to=2026-11-24`.

    Either end may be left out. Raises `BadPeriod` with a message for people.
    """
    if args.get("days"):
        return preset_named(args["days"])
    if not args.get("from") and not args.get("to"):
        return last_days()
    last = day_named(args["to"]) if args.get("to") else today()
    first = day_named(args["from"]) if args.get("from") else last - ONE_DAY * (USUAL - 1)
    return sensible(first, last)


def preset_named(text: str) -> Period:
    if text not in {str(preset) for preset in PRESETS}:
        raise BadPeriod("Choose the last 7, 30 or 90 days, or give two dates.")
    return last_days(int(text))


def day_named(text: str) -> date:
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise BadPeriod(f"“{text[:30]}” isn't a date such as {today()}.") from None
    if day < EARLIEST:
        raise BadPeriod(f"Nothing was recorded as early as {day}.")
    return day


def sensible(first: date, last: date) -> Period:
    """The days between, if one can show them."""
    if first > last:
        raise BadPeriod("The first day is after the last one.")
    if first > today():
        raise BadPeriod("These days are still to come.")
    # East of Greenwich it may be tomorrow already: that isn't a mistake.
    period = Period(first, min(last, today()))
    if period.length > LONGEST:
        raise BadPeriod("A period can have a year at most: choose a shorter one.")
    return period
