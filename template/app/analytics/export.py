"""The CSV export: streamed, and harmless in a spreadsheet."""

import csv
from collections.abc import Iterable, Iterator
from io import StringIO

from app.analytics.activity import Activity, batches_of
from app.analytics.periods import Period

HEADER = ("at (UTC)", "event", "person", "facts")
# A spreadsheet runs a cell that begins like this as a formula (OWASP: CSV injection).
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_of(period: Period) -> Iterator[str]:
    """A period's events as CSV (RFC 4180), in pieces."""
    yield csv_text([HEADER])
    for batch in batches_of(period):
        yield csv_text(cells_of(one) for one in batch)


def csv_text(rows: Iterable[Iterable[str]]) -> str:
    text = StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def cells_of(one: Activity) -> Iterator[str]:
    return map(harmless, (one.at.isoformat(), one.name, one.person, one.facts))


def harmless(cell: str) -> str:
    """The same cell as plain text, whatever it begins with."""
    return f"'{cell}" if cell.lstrip(" ").startswith(FORMULA_STARTS) else cell
