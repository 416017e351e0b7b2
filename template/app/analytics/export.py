"""The CSV export: streamed, and harmless in a spreadsheet."""

from collections.abc import Iterator

from app.analytics.activity import Activity, batches_of
from app.analytics.periods import Period
from app.spreadsheet import csv_text

HEADER = ("at (UTC)", "event", "person", "facts")


def csv_of(period: Period) -> Iterator[str]:
    """A period's events as CSV (RFC 4180), in pieces."""
    yield csv_text([HEADER])
    for batch in batches_of(period):
        yield csv_text(cells_of(one) for one in batch)


def cells_of(one: Activity) -> tuple[str, ...]:
    return one.at.isoformat(), one.name, one.person, one.facts
