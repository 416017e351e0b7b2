"""What the pages and the API show: the plan, how much of it is used, and the next invoice."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.billing.invoicing import Line, beyond_included, total, whole_month
from app.billing.models import Invoice, Subscription
from app.billing.periods import this_month
from app.billing.plans import Plan, plans
from app.billing.subscriptions import paid_plan
from app.billing.usage import all_used_in
from app.tenancy import prepared

MOST_SHOWN = 60

INVOICES = prepared(
    select(
        Invoice.id,
        Invoice.number,
        Invoice.status,
        Invoice.currency,
        Invoice.total,
        Invoice.issued_at,
    )
    .order_by(Invoice.issued_at.desc(), Invoice.id.desc())
    .limit(MOST_SHOWN)
)


@dataclass(frozen=True, slots=True)
class MeterReading:
    """How much of a metered thing is used this month, and what more costs."""

    name: str
    title: str
    used: int
    included: int
    unit_price: int


@dataclass(frozen=True, slots=True)
class NextInvoice:
    """What will be billed, and when, if nothing changes until then."""

    at: datetime
    lines: list[Line]

    @property
    def total(self) -> int:
        return total(self.lines)


def readings(plan: Plan) -> list[MeterReading]:
    """Every meter of this month. The ones that a plan neither includes nor sells are left out."""
    used = all_used_in(this_month())
    return [
        MeterReading(name, plans().meters[name], used.get(name, 0), it.included, it.unit_price)
        for name, it in plan.meters.items()
        if it.included or it.unit_price or used.get(name)
    ]


def next_invoice(row: Subscription | None) -> NextInvoice | None:
    """A preview by our own arithmetic: taxes, discounts and credit are the provider's to add."""
    plan, month = paid_plan(row), this_month()
    if row is None or row.provider == "none" or plan.is_free:
        return None
    lines = beyond_included(plan, all_used_in(month), month)
    if not row.cancel_at_period_end:
        lines = whole_month(plan, month.next) + lines
    return NextInvoice(month.ends, lines) if lines else None


def invoices() -> list[Any]:
    """The latest invoices, newest first."""
    return INVOICES.all()
