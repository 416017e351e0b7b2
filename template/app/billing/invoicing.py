"""Invoices: what a plan and its use cost, in whole minor units; no float, no lost cent.

A plan is paid for the month to come, what was used for the month that is over.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from app.billing.models import Invoice, InvoiceLine
from app.billing.money import share
from app.billing.periods import Month, month_at
from app.billing.plans import Plan, plans
from app.db import db
from app.tenancy import current_tenant


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an invoice: what for, how many, and what that is together."""

    text: str
    quantity: int
    amount: int


def total(lines: Iterable[Line]) -> int:
    return sum(line.amount for line in lines)


def whole_month(plan: Plan, month: Month) -> list[Line]:
    """The plan itself, for a month."""
    if not plan.price:
        return []
    return [Line(f"{plan.title}, {month}", 1, plan.price)]


def rest_of_month(plan: Plan, at: datetime) -> list[Line]:
    """The plan itself from a day on, that day included, to the end of its month."""
    if not plan.price:
        return []
    month = month_at(at)
    left = month.days_left(at)
    text = f"{plan.title}, {left} of {month.days} days of {month}"
    return [Line(text, 1, share(plan.price, left, month.days))]


def given_back(plan: Plan, at: datetime) -> list[Line]:
    """What was paid for the rest of the month, when the plan changes before."""
    return [
        Line(f"Unused: {line.text}", line.quantity, -line.amount)
        for line in rest_of_month(plan, at)
    ]


def beyond_included(plan: Plan, used: dict[str, int], month: Month) -> list[Line]:
    """What was used in a month beyond what the plan includes."""
    lines = []
    for name, metered in plan.meters.items():
        beyond = max(used.get(name, 0) - metered.included, 0)
        if beyond and metered.unit_price:
            text = f"{plans().meters[name]} in {month}, beyond the {metered.included} included"
            lines.append(Line(text, beyond, beyond * metered.unit_price))
    return lines


def issue(lines: list[Line], month: Month, at: datetime) -> Invoice | None:
    """Write an invoice that is paid at once, as the development driver does. None without lines."""
    if not lines:
        return None
    invoice = Invoice(
        number=next_number(),
        status="paid",
        currency=plans().currency,
        total=total(lines),
        period_starts_at=month.begins,
        period_ends_at=month.ends,
        issued_at=at,
        paid_at=at,
    )
    invoice.lines = as_rows(lines)
    db.session.add(invoice)
    return invoice


def as_rows(lines: Iterable[Line]) -> list[InvoiceLine]:
    return [
        InvoiceLine(
            tenant_id=current_tenant().id,
            place=place,
            text=line.text,
            quantity=line.quantity,
            amount=line.amount,
        )
        for place, line in enumerate(lines, start=1)
    ]


def next_number() -> str:
    """Numbers without gaps; the locked subscription keeps two from being the same."""
    count = db.session.scalar(select(func.count(Invoice.id)).select_from(Invoice)) or 0
    return f"{current_tenant().slug.upper()}-{count + 1:04}"
