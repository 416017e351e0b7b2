"""Billing owns plans, subscriptions, what a plan allows, what is used, and invoices.

    billing.allows("reports")
    billing.limit("projects")
    billing.meter("reports.built")

That is all a feature needs. The names stand in `app/features/plans.toml`.
"""

from flask import Flask

from app.access import Permission, declare
from app.billing import listeners, models, plans
from app.billing.calls import allows, limit, meter, plan_of, used
from app.billing.plans import Plan, UnknownInPlans
from app.billing.refusals import LimitReached, NotInPlan
from app.billing.subscriptions import grant

__all__ = [
    "LimitReached",
    "NotInPlan",
    "Plan",
    "UnknownInPlans",
    "allows",
    "grant",
    "limit",
    "listeners",
    "meter",
    "models",
    "plan_of",
    "used",
]

PERMISSIONS = {
    "billing:read": Permission("See the plan and what is used of it", member=True),
    "billing:invoices": Permission("See the invoices"),
    "billing:write": Permission("Change the plan and pay for it"),
}


def init_app(app: Flask) -> None:
    plans.init_app(app)
    declare(app, PERMISSIONS)
