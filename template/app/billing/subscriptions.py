"""Subscriptions: which plan a tenant has, and what happens when that changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast

from flask import g
from sqlalchemy import CursorResult, select, update
from sqlalchemy.exc import IntegrityError

from app import audit, doors, events
from app.billing.models import Subscription
from app.billing.plans import Plan, plans
from app.db import db

PLAN_CHANGED = "billing.plan_changed"
GRANTED = "billing.granted"
# A payment that is late doesn't end a plan: the provider asks again, and says when it gives up.
PAYS_FOR = {"active", "past_due"}


def paid_plan(row: Any) -> Plan:
    """The plan that a subscription pays for; the free one where there is none."""
    if row is None or row.status not in PAYS_FOR:
        return plans().free
    # A plan that was taken out of the file while somebody has it must be mended, not hidden.
    return plans().find(row.plan)


def subscription() -> Subscription | None:
    """The current tenant's subscription, if it ever had one."""
    return db.session.scalars(select(Subscription)).one_or_none()


def grant(plan: str) -> None:
    """Put the current tenant on a plan without payment: a partner, a trial. The caller commits.

    Where billing runs elsewhere it's told, and does so a moment after the commit.
    """
    name = plans().find(plan).name
    if not doors.serves("billing"):
        events.publish(GRANTED, plan=name)
        return
    with changing() as row:
        row.plan, row.status, row.provider = name, "active", "none"
        row.provider_id = row.period_starts_at = row.period_ends_at = row.due_at = None
        row.cancel_at_period_end = False


@contextmanager
def changing() -> Iterator[Subscription]:
    """Change the current tenant's subscription; a plan that changes by that is told and noted.

    The caller commits. Whoever else wants to change it waits until then.
    """
    row = locked()
    before = paid_plan(row)
    yield row
    g.billing_plan = after = paid_plan(row)
    if after.name != before.name:
        audit.note("plan.changed", row.id, before=before.name, after=after.name)
        events.publish(PLAN_CHANGED, before=before.name, after=after.name)


def locked() -> Subscription:
    """The current tenant's subscription as it is now, held until the transaction ends."""
    if not lock():
        try:
            with db.session.begin_nested():
                db.session.add(Subscription(plan=plans().default))
        except IntegrityError:
            # Another request made the row a moment ago.
            lock()
    return db.session.scalars(select(Subscription).execution_options(populate_existing=True)).one()


def lock() -> bool:
    """Whether there was a row to lock. An update that changes nothing locks on SQLite, too."""
    same = update(Subscription).values(plan=Subscription.plan)
    touched = db.session.execute(same.execution_options(synchronize_session=False))
    return bool(cast("CursorResult[Any]", touched).rowcount)


def look_again_at(at: datetime) -> None:
    """See to it that somebody looks at the current tenant's subscription then."""
    locked().due_at = at
