"""Usage: what a tenant used in a month, kept fact by fact and counted once."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, select

from app.billing.models import Metered, Usage
from app.billing.periods import Month, month_at
from app.counting import add_to
from app.db import db
from app.tenancy import current_tenant, prepared

USED = prepared(
    select(Usage.count).where(Usage.month == bindparam("month"), Usage.meter == bindparam("meter"))
)
ALL_USED = prepared(
    select(Usage.meter, Usage.count.label("times")).where(Usage.month == bindparam("month"))
)


def used_in(month: Month, meter: str) -> int:
    """How much of one thing the current tenant used in a month."""
    return USED.scalar(month=month.first, meter=meter) or 0


def all_used_in(month: Month) -> dict[str, int]:
    """How much of everything the current tenant used in a month, by meter."""
    return {row.meter: row.times for row in ALL_USED.all(month=month.first)}


def count(meter: str, times: int, at: datetime, fact_id: UUID) -> Metered | None:
    """Count a fact for the month it happened in; None if it was counted before."""
    if db.session.get(Metered, (current_tenant().id, fact_id)):
        return None
    add_to(Usage, times, month=month_at(at).first, meter=meter)
    fact = Metered(id=fact_id, meter=meter, count=times, at=at)
    db.session.add(fact)
    return fact
