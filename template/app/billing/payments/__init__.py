"""Taking money: one interface, two drivers.

`local` moves no money and is for development; `stripe` takes over as soon as STRIPE_SECRET_KEY
is set.
"""

from flask import Flask

from app.billing.payments.driver import NothingToDo, Payments, is_running, payments
from app.billing.payments.local import Local
from app.billing.payments.stripe import Stripe
from app.billing.plans import Plan
from app.billing.subscriptions import paid_plan, subscription
from app.errors import Refused

__all__ = [
    "NoPayments",
    "NothingToDo",
    "Payments",
    "cancel",
    "choose",
    "is_running",
    "payments",
    "ready",
    "resume",
]


class NoPayments(Refused):
    """Nobody has set up how money is taken."""

    status = 503
    title = "Plans can't be changed yet"


def init_app(app: Flask) -> None:
    settings = app.config["SETTINGS"]
    # Without Stripe, production takes no money, and gives no plan away either.
    local = Local(is_ready=not settings.in_production)
    app.extensions["payments"] = Stripe(settings) if settings.stripe_secret_key else local


def choose(plan: Plan) -> str | None:
    """Move the current tenant to a plan; answers where the person pays, if that's needed."""
    row = subscription()
    if paid_plan(row).name == plan.name and row and row.cancel_at_period_end:
        resume()
    elif paid_plan(row).name == plan.name:
        raise NothingToDo(f"This workspace is on the {plan.title} plan already.")
    elif plan.is_free:
        cancel()
    elif is_running(row):
        ready().change(plan)
    else:
        return ready().subscribe(plan)
    return None


def cancel() -> None:
    """End the current tenant's subscription with what is paid for."""
    row = subscription()
    if row is None or not is_running(row):
        raise NothingToDo("This workspace pays for no plan, so there is nothing to cancel.")
    if row.cancel_at_period_end:
        raise NothingToDo("The plan is cancelled already.")
    ready().cancel()


def resume() -> None:
    """Take the current tenant's cancellation back."""
    row = subscription()
    if row is None or not is_running(row) or not row.cancel_at_period_end:
        raise NothingToDo("Nothing is cancelled.")
    ready().resume()


def ready() -> Payments:
    """The driver, if it can take money. Raises `NoPayments`."""
    driver = payments()
    if not driver.is_ready:
        raise NoPayments(
            "This product takes no payments yet.",
            hint="Its operator can change that by setting STRIPE_SECRET_KEY.",
        )
    return driver
