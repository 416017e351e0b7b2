"""What billing does in the worker: ask how a subscription stands, and tell what was used."""

from datetime import timedelta

from flask import Flask
from sqlalchemy import select

from app import auth, queue
from app.billing.models import Subscription
from app.billing.payments.driver import or_later
from app.billing.subscriptions import look_again_at
from app.db import db, now
from app.jobs import job, later
from app.tenancy import serving

AGAIN = timedelta(hours=1)


def init_app(app: Flask) -> None:
    queue.add_sweep(app, look_at_what_is_due)


@job
def refresh() -> None:
    """Learn how the current tenant's subscription stands."""
    or_later("refresh")


@job
def report() -> None:
    """Tell the payment provider what the current tenant used."""
    or_later("report")


def look_at_what_is_due() -> None:
    """Ask again for every subscription whose moment has come: a month is over, or nobody told."""
    due = select(Subscription.tenant_id).where(Subscription.due_at <= now()).limit(1000)
    everywhere = {"across_tenants": "the sweep finds what is due, whoever's it is"}
    for tenant_id in db.session.scalars(due, execution_options=everywhere).all():
        with serving(auth.tenant_with_id(tenant_id)):
            look_again_at(now() + AGAIN)
            later(refresh)
            db.session.commit()
