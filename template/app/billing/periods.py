"""The billing period: the calendar month in UTC, for every tenant and both payment drivers."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from app.db import now


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month."""

    first: date

    def __str__(self) -> str:
        return f"{self.first:%B %Y}"

    @property
    def next(self) -> "Month":
        return month_of(self.first + timedelta(days=31))

    @property
    def begins(self) -> datetime:
        return datetime.combine(self.first, time.min, UTC)

    @property
    def ends(self) -> datetime:
        """The first moment that doesn't belong to it any more."""
        return self.next.begins

    @property
    def days(self) -> int:
        return (self.next.first - self.first).days

    def days_left(self, at: datetime) -> int:
        """How many days are left, the current one included."""
        return (self.next.first - at.astimezone(UTC).date()).days


def month_of(day: date) -> Month:
    """The month that a day lies in."""
    return Month(date(day.year, day.month, 1))


def month_at(at: datetime) -> Month:
    """The month that a moment lies in."""
    return month_of(at.astimezone(UTC).date())


def this_month() -> Month:
    return month_at(now())
