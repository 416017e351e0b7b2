"""What features and other packages may ask billing.

In this stage a call costs at most one read a request. Where billing runs elsewhere, or its own
database is away, `plan_of`, `allows`, `limit` and `used` raise `app.errors.Unavailable`: decide
what to do then, and rather give something away than keep people from their work. `meter` never
does: what it says waits in your own database until billing listens.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import g
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from app import auth, events
from app.billing.models import Subscription
from app.billing.periods import this_month
from app.billing.plans import Plan, known, plans
from app.billing.subscriptions import paid_plan
from app.billing.usage import used_in
from app.doors import door
from app.errors import Unavailable
from app.tenancy import current_tenant, prepared

METERED = "billing.metered"
SUBSCRIBED = prepared(select(Subscription.plan, Subscription.status))


def plan_of() -> Plan:
    """The current tenant's plan. Raises `Unavailable`."""
    if "billing_plan" not in g:
        g.billing_plan = plans().find(auth.rode_along("plan") or plan_name())
    plan: Plan = g.billing_plan
    return plan


def allows(entitlement: str) -> bool:
    """Whether the current tenant's plan includes this: `billing.allows("reports")`.

    Raises `UnknownInPlans` for a name that plans.toml doesn't declare, and `Unavailable`.
    """
    known("entitlement", plans().entitlements, entitlement)
    return plan_of().entitlements[entitlement]


def limit(name: str) -> int | None:
    """How many there may be by the current tenant's plan, or None: `billing.limit("projects")`.

    Raises `UnknownInPlans` for a name that plans.toml doesn't declare, and `Unavailable`.
    """
    known("limit", plans().limits, name)
    return plan_of().limits[name]


def meter(name: str, count: int = 1) -> None:
    """Say that the current tenant used something: `billing.meter("reports.built")`.

    It counts once the caller's transaction commits; a rollback takes it back. Call it before the
    commit. Raises `UnknownInPlans` for a name that plans.toml doesn't declare.
    """
    known("meter", plans().meters, name)
    if count < 1:
        raise ValueError(f"A meter only counts up, not by {count}.")
    current_tenant()
    events.publish(METERED, meter=name, count=count)


def used(name: str) -> int:
    """How much of something the current tenant used this month (UTC), as far as it's counted.

    Raises `UnknownInPlans` for a name that plans.toml doesn't declare, and `Unavailable`.
    """
    known("meter", plans().meters, name)
    return counted(name)


@door(otherwise="Limits and entitlements raise Unavailable: features let people work on.")
def plan_name() -> str:
    """The name of the plan that the current tenant pays for, or of the free one."""
    with answering():
        return paid_plan(SUBSCRIBED.first()).name


@door(otherwise="What is used so far can't be shown.")
def counted(meter: str) -> int:
    """How much the current tenant used of a meter this month (UTC)."""
    with answering():
        return used_in(this_month(), meter)


@contextmanager
def answering() -> Iterator[None]:
    """Say in the caller's words that billing doesn't answer."""
    try:
        yield
    except DBAPIError as error:
        raise Unavailable("Billing doesn't answer right now.") from error
