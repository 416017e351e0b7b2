"""Stripe: people pay on its pages, it tells us by webhook, and we ask it how things stand.

What we believe comes from its API, never from a webhook's payload: that may be old, or overtaken
by the next one.
"""

from typing import Any, cast
from urllib.parse import urljoin
from uuid import UUID

import structlog
from flask import current_app
from sqlalchemy import CursorResult, select, update
from sqlalchemy.exc import IntegrityError

from app import auth
from app.billing.models import Customer, Metered
from app.billing.payments.driver import PATIENCE, is_running, or_later
from app.billing.payments.stripe_api import asking, same_once
from app.billing.payments.stripe_state import current, is_over, take_invoices, take_subscription
from app.billing.plans import Plan
from app.billing.subscriptions import changing, look_again_at, subscription
from app.db import db, now
from app.errors import Unavailable
from app.settings import Settings
from app.tenancy import current_tenant, tenant_url

log = structlog.get_logger()

# Everybody is billed from the first of the month, so that our months and Stripe's are the same.
FROM_THE_FIRST = {"day_of_month": 1, "hour": 0, "minute": 0, "second": 0}
MANY = 100
MOST_AT_ONCE = 1000


class Stripe:
    """Payments through Stripe."""

    name = "stripe"
    is_ready = True
    has_portal = True
    wants_usage = True

    def __init__(self, settings: Settings) -> None:
        self.webhook_secret = settings.stripe_webhook_secret

    def subscribe(self, plan: Plan) -> str | None:
        """Answers the address of a Checkout page, unless there is a subscription already."""
        customer_id = customer()
        self.refresh()
        if is_running(subscription()):
            # Paid in another tab a moment ago: a second Checkout would bill twice.
            self.change(plan)
            return None
        look_again_at(now() + PATIENCE)
        db.session.commit()
        with asking() as stripe:
            close_open_checkouts(customer_id)
            session = stripe.v1.checkout.sessions.create(checkout_of(plan, customer_id))
        return session.url

    def change(self, plan: Plan) -> None:
        """Change now: Stripe charges or credits the difference at once, or changes nothing."""
        with asking() as stripe:
            found = stripe.v1.subscriptions.retrieve(running_id()).to_dict()
            params = {
                "items": items_for(plan, found),
                "proration_behavior": "always_invoice",
                "payment_behavior": "error_if_incomplete",
                "metadata": metadata(plan),
                **without_cancellation(found),
            }
            stripe.v1.subscriptions.update(found["id"], cast(Any, params))
        or_later("refresh")

    def cancel(self) -> None:
        with asking() as stripe:
            stripe.v1.subscriptions.update(running_id(), {"cancel_at_period_end": True})
        or_later("refresh")

    def resume(self) -> None:
        with asking() as stripe:
            found = stripe.v1.subscriptions.retrieve(running_id()).to_dict()
            stripe.v1.subscriptions.update(found["id"], cast(Any, without_cancellation(found)))
        or_later("refresh")

    def portal(self) -> str:
        with asking() as stripe:
            session = stripe.v1.billing_portal.sessions.create(
                {"customer": customer(), "return_url": link("billing.overview")}
            )
        return session.url

    def refresh(self) -> None:
        """Take over what Stripe knows, and tell it what was used."""
        while (row := known_customer()) and not take(row.provider_id, row.version):
            pass  # Somebody took over something newer while we asked: ask again.
        self.report()

    def report(self) -> None:
        """Tell Stripe what was used. A fact's id keeps it from counting twice."""
        if row := known_customer():
            customer_id = row.provider_id
            untold = select(Metered.id).where(Metered.told_at.is_(None)).order_by(Metered.id)
            for fact_id in db.session.scalars(untold.limit(MOST_AT_ONCE)).all():
                tell(customer_id, fact_id)


def take(customer_id: str, version: int) -> bool:
    """Ask Stripe and keep the answer, unless another answer was kept since this version."""
    db.session.commit()  # No transaction waits while Stripe thinks.
    with asking() as stripe:
        told = stripe.v1.subscriptions.list(
            {"customer": customer_id, "status": "all", "limit": MANY}
        )
        invoices = stripe.v1.invoices.list({"customer": customer_id, "limit": MANY})
    if not claim(version):
        db.session.rollback()
        return False
    found = current(told.to_dict()["data"])
    with changing() as row:
        if found and not (is_over(found) and row.provider != "stripe"):
            take_subscription(row, found)
        elif row.provider == "stripe":
            row.status, row.due_at = "ended", None
        else:
            row.due_at = None
    take_invoices(invoices.to_dict()["data"])
    db.session.commit()
    return True


def claim(version: int) -> bool:
    """Whether nobody has kept an answer since."""
    mine = update(Customer).where(Customer.version == version).values(version=version + 1)
    touched = db.session.execute(mine.execution_options(synchronize_session=False))
    return bool(cast("CursorResult[Any]", touched).rowcount)


def tell(customer_id: str, fact_id: UUID) -> None:
    """Tell Stripe of one metered fact."""
    from stripe import InvalidRequestError

    fact = db.session.get_one(Metered, (current_tenant().id, fact_id))
    told = {
        "event_name": fact.meter,
        "identifier": str(fact.id),
        "timestamp": int(fact.at.timestamp()),
        "payload": {"stripe_customer_id": customer_id, "value": str(fact.count)},
    }
    try:
        with asking() as stripe:
            stripe.v1.billing.meter_events.create(cast(Any, told))
    except InvalidRequestError as error:
        # We told it before, and died before we wrote that down.
        if "already exists" not in str(error):
            # One fact that Stripe doesn't take must not keep the others from it.
            log.error("stripe refuses usage", fact=str(fact_id), reason=str(error))
            return
    fact.told_at = now()
    db.session.commit()


def known_customer() -> Customer | None:
    """The current tenant as Stripe knows it, if it does."""
    return db.session.scalars(select(Customer)).one_or_none()


def customer() -> str:
    """The current tenant's customer at Stripe, made the first time."""
    if known := known_customer():
        return known.provider_id
    tenant = current_tenant()
    params: dict[str, Any] = {"name": tenant.name, "metadata": {"tenant_id": str(tenant.id)}}
    if owners := auth.owners():
        params["email"] = owners[0]
    with asking() as stripe:
        made = stripe.v1.customers.create(cast(Any, params), cast(Any, same_once("stripe", params)))
    db.session.add(Customer(provider_id=made.id))
    try:
        db.session.commit()
    except IntegrityError:
        # Another request was faster; Stripe gave both the same customer.
        db.session.rollback()
    return made.id


def checkout_of(plan: Plan, customer_id: str) -> Any:
    """What a Checkout page is to sell."""
    return {
        "mode": "subscription",
        "customer": customer_id,
        "client_reference_id": str(current_tenant().id),
        "line_items": new_items(plan),
        "subscription_data": {
            "metadata": metadata(plan),
            "billing_cycle_anchor_config": FROM_THE_FIRST,
        },
        "success_url": link("billing.returned"),
        "cancel_url": link("billing.compare"),
    }


def close_open_checkouts(customer_id: str) -> None:
    """A page left open in another tab must not sell a second subscription."""
    with asking() as stripe:
        left = stripe.v1.checkout.sessions.list({"customer": customer_id, "status": "open"})
        for session in left.data:
            stripe.v1.checkout.sessions.expire(session.id)


def new_items(plan: Plan) -> list[dict[str, Any]]:
    base, *metered = prices_of(plan)
    return [{"price": base, "quantity": 1}, *({"price": price} for price in metered)]


def items_for(plan: Plan, found: dict[str, Any]) -> list[dict[str, Any]]:
    """Turn a subscription's items into the plan's: what both have stays as it is."""
    old = {item["price"]["id"]: item["id"] for item in found["items"]["data"]}
    new = {item["price"]: item for item in new_items(plan)}
    gone = [{"id": item, "deleted": True} for price, item in old.items() if price not in new]
    come = [item for price, item in new.items() if price not in old]
    return gone + come


def lookup_keys(plan: Plan) -> list[str]:
    """What the plan's prices are called at Stripe: `pro`, and `pro.reports.built` for a meter."""
    metered = [name for name, meter in plan.meters.items() if meter.unit_price]
    return [plan.name, *(f"{plan.name}.{name}" for name in metered)]


def prices_of(plan: Plan) -> list[str]:
    """The ids of the plan's prices at Stripe, the base price first."""
    keys = lookup_keys(plan)
    with asking() as stripe:
        found = stripe.v1.prices.list({"lookup_keys": keys, "active": True, "limit": MANY})
    ids = {price.lookup_key: price.id for price in found.data}
    if missing := [key for key in keys if key not in ids]:
        log.error("stripe has no such price", lookup_keys=missing, mend="flask billing push")
        raise Unavailable(f"The {plan.title} plan can't be bought yet; we have been told.")
    return [ids[key] for key in keys]


def running_id() -> str:
    row = subscription()
    if row is None or row.provider_id is None:
        raise LookupError("The current tenant has no subscription at Stripe.")
    return row.provider_id


def without_cancellation(found: dict[str, Any]) -> dict[str, Any]:
    """What takes a cancellation back, however it was made."""
    if found["cancel_at_period_end"]:
        return {"cancel_at_period_end": False}
    return {"cancel_at": ""} if found.get("cancel_at") else {}


def metadata(plan: Plan) -> dict[str, str]:
    return {"tenant_id": str(current_tenant().id), "plan": plan.name}


def link(endpoint: str) -> str:
    """The whole address of a page of the current tenant."""
    public_url: str = current_app.config["SETTINGS"].public_url
    return urljoin(public_url, tenant_url(current_tenant().slug, endpoint))
