"""What Stripe knows, in our words: its subscriptions and invoices as our rows say them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select

from app.billing.invoicing import Line, as_rows, total
from app.billing.models import Invoice, Subscription
from app.billing.plans import Plan, plans
from app.db import db

log = structlog.get_logger()

STATUS = {
    "trialing": "active",
    "active": "active",
    "past_due": "past_due",
    "incomplete": "waiting",
    "incomplete_expired": "ended",
    "unpaid": "ended",
    "paused": "ended",
    "canceled": "ended",
}
INVOICE_STATUS = {"open": "open", "paid": "paid", "void": "void", "uncollectible": "lost"}
# A month that is over without a word from Stripe: ask.
GRACE = timedelta(hours=1)


class UnknownPrice(LookupError):
    """A subscription at Stripe has no price that plans.toml knows."""


def is_over(found: dict[str, Any]) -> bool:
    return STATUS[found["status"]] == "ended"


def current(subscriptions: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The subscription that counts: the newest that runs, or else the newest."""
    newest = sorted(subscriptions, key=lambda found: found["created"], reverse=True)
    running = [found for found in newest if not is_over(found)]
    if len(running) > 1:
        log.error("several subscriptions", ids=[found["id"] for found in running])
    return next(iter(running or newest), None)


def plan_in(found: dict[str, Any]) -> Plan:
    """The plan of a subscription. Its price tells; people may have changed it in the portal."""
    for item in found["items"]["data"]:
        price = item["price"]
        name = (price.get("metadata") or {}).get("plan") or price.get("lookup_key")
        if name in plans().plans:
            return plans().find(name)
    raise UnknownPrice(
        f"Stripe's subscription {found['id']} has no price whose lookup key is a plan's name."
    )


def take_subscription(row: Subscription, found: dict[str, Any]) -> None:
    """Let our row say what Stripe says."""
    first = found["items"]["data"][0]
    row.plan, row.status, row.provider = plan_in(found).name, STATUS[found["status"]], "stripe"
    row.provider_id = found["id"]
    row.period_starts_at = moment(first["current_period_start"])
    row.period_ends_at = moment(first["current_period_end"])
    # Stripe's own portal may set a date instead.
    row.cancel_at_period_end = bool(found["cancel_at_period_end"] or found.get("cancel_at"))
    row.due_at = None if is_over(found) else row.period_ends_at + GRACE


def take_invoices(found: list[dict[str, Any]]) -> None:
    """Keep Stripe's invoices, the numbered ones: a draft may still change."""
    known = {row.provider_id: row for row in db.session.scalars(select(Invoice))}
    for told in found:
        if told["status"] in INVOICE_STATUS and told["number"]:
            take_invoice(known.get(told["id"]), told)


def take_invoice(row: Invoice | None, told: dict[str, Any]) -> None:
    if row is None:
        row = Invoice(provider_id=told["id"], lines=as_rows(lines_in(told)))
        db.session.add(row)
    at = told["status_transitions"]
    paid = at.get("paid_at")
    row.number, row.status = told["number"], INVOICE_STATUS[told["status"]]
    row.currency, row.total = told["currency"], told["total"]
    row.period_starts_at, row.period_ends_at = period_of(told)
    row.issued_at = moment(at.get("finalized_at") or told["created"])
    row.paid_at = moment(paid) if paid else None
    row.provider_url = told["hosted_invoice_url"]


def lines_in(told: dict[str, Any]) -> Iterable[Line]:
    lines = [
        Line(line["description"] or "", line["quantity"] or 1, line["amount"])
        for line in told["lines"]["data"]
    ]
    if rest := told["total"] - total(lines):
        lines.append(Line("Taxes, discounts and credit", 1, rest))
    return lines


def period_of(told: dict[str, Any]) -> tuple[datetime, datetime]:
    """What the lines are for; an invoice's own period at Stripe is the one before."""
    periods = [line["period"] for line in told["lines"]["data"]]
    starts = [period["start"] for period in periods] or [told["period_start"]]
    ends = [period["end"] for period in periods] or [told["period_end"]]
    return moment(min(starts)), moment(max(ends))


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
