"""The development driver: plans change at once, invoices are paid at once, no money moves."""

from dataclasses import dataclass
from datetime import datetime

from app.billing.invoicing import (
    beyond_included,
    given_back,
    issue,
    rest_of_month,
    whole_month,
)
from app.billing.models import Subscription
from app.billing.payments.driver import NothingToDo, is_running
from app.billing.periods import month_at
from app.billing.plans import Plan, plans
from app.billing.subscriptions import changing, paid_plan, subscription
from app.billing.usage import all_used_in
from app.db import db, now


@dataclass
class Local:
    """Bills like Stripe does, but on paper: the month to come, and what was used in the last."""

    is_ready: bool = True
    name: str = "local"
    has_portal: bool = False
    wants_usage: bool = False

    def subscribe(self, plan: Plan) -> None:
        """Change at once, with a paid invoice for the rest of the month."""
        self.change(plan)

    def change(self, plan: Plan) -> None:
        """Change at once; the invoice gives back what isn't used of the old plan."""
        at = now()
        with changing() as row:
            # Two clicks at once: the second one finds what the first one did.
            if paid_plan(row).name == plan.name:
                raise NothingToDo(f"This workspace is on the {plan.title} plan already.")
            back = given_back(plans().find(row.plan), at) if is_running(row) else []
            issue(back + rest_of_month(plan, at), month_at(at), at)
            row.plan, row.status, row.provider = plan.name, "active", self.name
            row.cancel_at_period_end = False
            set_period(row, at)
        db.session.commit()

    def cancel(self) -> None:
        with changing() as row:
            row.cancel_at_period_end = True
        db.session.commit()

    def resume(self) -> None:
        with changing() as row:
            row.cancel_at_period_end = False
        db.session.commit()

    def portal(self) -> str:
        raise NothingToDo("The development driver has no cards to manage.")

    def refresh(self) -> None:
        """Close the months that are over: bill what was used, then go on or end."""
        row = subscription()
        if row is None or row.provider != self.name or row.status == "ended":
            return
        with changing() as row:
            while row.status == "active" and is_over(row):
                close_month(row)
        db.session.commit()

    def report(self) -> None:
        """There is nobody to tell."""


def is_over(row: Subscription) -> bool:
    return row.period_ends_at is not None and row.period_ends_at <= now()


def close_month(row: Subscription) -> None:
    """Bill the month that is over, and begin the next one unless it's cancelled."""
    plan, at = plans().find(row.plan), row.period_ends_at or now()
    over, coming = month_at(row.period_starts_at or at), month_at(at)
    lines = beyond_included(plan, all_used_in(over), over)
    if row.cancel_at_period_end:
        row.status, row.due_at = "ended", None
        issue(lines, over, at)
    else:
        issue(lines + whole_month(plan, coming), coming, at)
        set_period(row, at)


def set_period(row: Subscription, at: datetime) -> None:
    month = month_at(at)
    row.period_starts_at, row.period_ends_at = month.begins, month.ends
    row.due_at = month.ends
