"""A short history for the tests of what analytics shows."""

from datetime import datetime, timedelta
from uuid import UUID

from app import analytics
from app.analytics import Happened
from app.db import db, now


def ago(days: float) -> datetime:
    return now() - timedelta(days=days)


def tell(company, *happened: Happened) -> None:
    """Let a company have this past."""
    with company.serving():
        analytics.backfill(happened)
        db.session.commit()


def deed(name: str = "project created", days: float = 1, by: UUID | None = None, **facts):
    return Happened(name, ago(days), by, facts)
