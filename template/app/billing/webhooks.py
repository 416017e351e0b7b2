"""What Stripe tells us: checked, noted once, and answered at once; a job does the rest."""

from typing import Any

import structlog
from flask import Blueprint, abort, request
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app import auth
from app.access import public
from app.billing.jobs import refresh
from app.billing.models import Customer, WebhookEvent
from app.billing.payments import payments
from app.billing.payments.stripe import Stripe
from app.db import db
from app.jobs import later
from app.tenancy import Tenant, serving, tenant_or_none

log = structlog.get_logger()
bp = Blueprint("billing_webhooks", __name__, url_prefix="/billing/webhooks")

# After these our rows may be out of date. Everything else is acknowledged and left alone.
MATTERS = ("checkout.session.", "customer.subscription.", "invoice.")


def signed_by_sender(view: Any) -> Any:
    """The view checks a signature, which proves more than a CSRF token would."""
    view.signed_by_sender = True
    return view


@bp.post("/stripe")
@public
@signed_by_sender
def stripe():
    driver = payments()
    if not isinstance(driver, Stripe):
        abort(404)
    event = verified(driver)
    customer_id = customer_in(event)
    with serving(tenant_of(customer_id)):
        note(event, customer_id)
    return {"received": True}


def verified(driver: Stripe) -> dict[str, Any]:
    """The event, if Stripe signed it, and lately: an old one may be replayed by anybody."""
    from stripe import SignatureVerificationError, Webhook

    signature = request.headers.get("Stripe-Signature")
    try:
        event = Webhook.construct_event(request.get_data(), signature, driver.webhook_secret)
        told = event.to_dict()
    except (SignatureVerificationError, UnicodeDecodeError) as error:
        log.warning("webhook refused", reason=str(error))
        abort(400, "This wasn't signed by Stripe with our secret, or not lately.")
    except (AttributeError, TypeError, ValueError):
        abort(400, "This isn't an event.")
    if not all(isinstance(told.get(key), str) for key in ("id", "type")):
        abort(400, "This isn't an event.")
    return told


def customer_in(event: dict[str, Any]) -> str:
    """The customer that an event is about, or nothing."""
    about = (event.get("data") or {}).get("object") or {}
    found = about.get("id") if about.get("object") == "customer" else about.get("customer")
    return found if isinstance(found, str) else ""


def tenant_of(customer_id: str) -> Tenant | None:
    """Whose customer that is. Stripe knows neither our tenants nor their addresses."""
    owner = select(Customer.tenant_id).where(Customer.provider_id == customer_id)
    everywhere = {"across_tenants": "a webhook comes without a tenant; its customer names it"}
    tenant_id = db.session.scalar(owner, execution_options=everywhere)
    return auth.tenant_with_id(tenant_id) if tenant_id else None


def note(event: dict[str, Any], customer_id: str) -> None:
    """Note an event, once, and what follows from it, in one transaction."""
    if db.session.get(WebhookEvent, event["id"]):
        return
    db.session.add(WebhookEvent(id=event["id"], kind=event["type"], customer=customer_id))
    if tenant_or_none() and event["type"].startswith(MATTERS):
        later(refresh)
    try:
        db.session.commit()
    except IntegrityError:
        # The same event, sent twice at once.
        db.session.rollback()
