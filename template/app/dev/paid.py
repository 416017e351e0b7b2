"""A past with billing: a demo tenant that has paid for its plan since its first day."""

from collections import Counter
from collections.abc import Iterable

from app.analytics import Happened
from app.billing.invoicing import issue, rest_of_month
from app.billing.models import Subscription, Usage
from app.billing.payments.local import close_month, is_over, set_period
from app.billing.periods import month_at
from app.billing.plans import plans
from app.db import db

METERS = {"report built": "reports.built"}  # What history calls it, and what plans.toml does.


def subscribe(plan_name: str, happened: list[Happened]) -> None:
    """Put the current tenant on a plan, with the invoices and the use of its past.

    Raises `UnknownInPlans` where the team has other plans.
    """
    plan = plans().find(plan_name)
    if plan.is_free:
        return
    count(happened)
    begun = min(one.at for one in happened)
    # Not by the ordinary way: nobody needs to be told that this happened today.
    row = Subscription(plan=plan.name, status="active", provider="local")
    db.session.add(row)
    set_period(row, begun)
    issue(rest_of_month(plan, begun), month_at(begun), begun)
    while is_over(row):
        close_month(row)


def count(happened: Iterable[Happened]) -> None:
    """Count what was used, month by month."""
    metered = [one for one in happened if METERS.get(one.name) in plans().meters]
    used = Counter((month_at(one.at).first, METERS[one.name]) for one in metered)
    for (month, meter), times in used.items():
        db.session.add(Usage(month=month, meter=meter, count=times))
