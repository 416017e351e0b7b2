"""Tables for spreadsheets: CSV (RFC 4180) whose cells stay text."""

import csv
from collections.abc import Iterable
from io import StringIO

# A spreadsheet runs a cell that begins like this as a formula (OWASP: CSV injection).
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_text(rows: Iterable[Iterable[str]]) -> str:
    """Rows as CSV, each cell harmless."""
    text = StringIO(newline="")
    csv.writer(text).writerows(map(harmless, row) for row in rows)
    return text.getvalue()


def harmless(cell: str) -> str:
    """The same cell as plain text, whatever it begins with."""
    return f"'{cell}" if cell.lstrip(" ").startswith(FORMULA_STARTS) else cell
