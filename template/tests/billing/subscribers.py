"""What tests of billing do and look at."""

from datetime import UTC, datetime

import time_machine
from sqlalchemy import select

from app import billing, queue
from app.billing.models import Invoice, Subscription
from app.db import db
from tests.world import sign_in

TENTH = datetime(2026, 6, 10, 12, tzinfo=UTC)


def at(moment: datetime) -> time_machine.travel:
    """Let it be that moment; time goes on from there."""
    return time_machine.travel(moment, tick=True)


def grant(company, plan: str = "pro") -> None:
    with company.serving():
        billing.grant(plan)
        db.session.commit()


def choose(company, plan: str = "pro"):
    return post(company, "/billing/subscription", plan=plan)


def cancel(company):
    return post(company, "/billing/cancellation")


def resume(company):
    return post(company, "/billing/resumption")


def post(company, path: str, **data: str):
    """Post a form, signed in now: after a journey in time an older session isn't valid."""
    return today(company).post(path, data=data)


def today(company):
    """The same browser, signed in now."""
    return sign_in(company.app, company)


def use(company, meter: str = "reports.built", count: int = 1) -> None:
    """Let a company use something, and let it be counted."""
    with company.serving():
        billing.meter(meter, count)
        db.session.commit()
    company.work()


def time_passes(company) -> None:
    """What the worker does each minute."""
    queue.sweep(company.app)
    company.work()


def plan_of(company) -> str:
    with company.serving():
        return billing.plan_of().name


def subscription_of(company) -> Subscription | None:
    with company.serving():
        return db.session.scalars(select(Subscription)).one_or_none()


def invoices_of(company) -> list[Invoice]:
    """All invoices, oldest first."""
    with company.serving():
        return list(db.session.scalars(select(Invoice).order_by(Invoice.number)).all())


def lines_of(invoice: Invoice) -> list[tuple[str, int, int]]:
    return [(line.text, line.quantity, line.amount) for line in invoice.lines]
