"""Billing owns plans, subscriptions, what a plan allows, what is used, and invoices.

    billing.allows("reports")
    billing.limit("projects")
    billing.meter("reports.built")

That is all a feature needs. The names stand in `app/features/plans.toml`.
"""

from flask import Flask

from app.access import Permission, declare
from app.billing import commands, jobs, listeners, models, payments, plans, webhooks
from app.billing.api import api
from app.billing.calls import allows, limit, meter, plan_of, used
from app.billing.money import money
from app.billing.plans import Plan, UnknownInPlans
from app.billing.refusals import LimitReached, NotInPlan
from app.billing.subscriptions import grant
from app.billing.views import bp
from app.pages import NavEntry, add_entry

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
NAV = NavEntry("Billing", "billing.overview", "billing:read", icon="card", order=70)


def init_app(app: Flask) -> None:
    plans.init_app(app)
    payments.init_app(app)
    jobs.init_app(app)
    commands.init_app(app)
    declare(app, PERMISSIONS)
    for blueprint in (bp, webhooks.bp, api):
        app.register_blueprint(blueprint)
    add_entry(app, NAV)
    app.jinja_env.filters["money"] = money
