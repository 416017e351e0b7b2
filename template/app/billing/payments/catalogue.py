"""The plans as prices and meters at Stripe, made from plans.toml so that nobody types them twice.

A price at Stripe can't change. When a plan does, a new price takes over the old one's lookup key;
who subscribed before keeps the old price until they change their plan.
"""

from collections.abc import Iterator
from typing import Any, cast

from app.billing.payments.stripe_api import asking
from app.billing.plans import Metered, Plan, plans


def push() -> Iterator[str]:
    """Make what Stripe lacks; answers a line for each price and meter."""
    meters = {name: meter_id(name, title) for name, title in plans().meters.items()}
    for plan in plans().plans.values():
        if plan.is_free:
            continue
        yield push_price(plan.name, base_price(plan))
        for name, metered in plan.meters.items():
            if metered.unit_price:
                price = metered_price(plan, name, metered, meters[name])
                yield push_price(f"{plan.name}.{name}", price)


def push_price(lookup_key: str, wanted: dict[str, Any]) -> str:
    with asking() as stripe:
        found = stripe.v1.prices.list({"lookup_keys": [lookup_key], "active": True}).to_dict()
        for price in found["data"]:
            says = (price.get("metadata") or {}).get("says")
            if says == wanted["metadata"]["says"]:
                return f"{lookup_key}: as it was"
            if says is None:
                return f"{lookup_key}: made by hand, so left alone"
        identity = {"lookup_key": lookup_key, "transfer_lookup_key": True}
        stripe.v1.prices.create(cast(Any, wanted | identity))
    return f"{lookup_key}: {wanted['metadata']['says']}"


def meter_id(name: str, title: str) -> str:
    """The meter that counts these events at Stripe, made if it isn't there."""
    with asking() as stripe:
        found = stripe.v1.billing.meters.list({"status": "active", "limit": 100}).to_dict()
        for meter in found["data"]:
            if meter["event_name"] == name:
                return str(meter["id"])
        made = stripe.v1.billing.meters.create(
            {"display_name": title, "event_name": name, "default_aggregation": {"formula": "sum"}}
        )
        return made.id


def base_price(plan: Plan) -> dict[str, Any]:
    return price_of(plan, plan.title, f"{plan.price} {plans().currency} a month") | {
        "unit_amount": plan.price,
        "recurring": {"interval": "month"},
    }


def metered_price(plan: Plan, name: str, metered: Metered, meter: str) -> dict[str, Any]:
    """What is included costs nothing, each further one its price."""
    each = metered.unit_price
    says = f"{metered.included} included, then {each} {plans().currency} each"
    steps = [
        {"up_to": metered.included, "unit_amount": 0},
        {"up_to": "inf", "unit_amount": each},
    ]
    tiers = {"billing_scheme": "tiered", "tiers_mode": "graduated", "tiers": steps}
    return (
        price_of(plan, f"{plan.title}: {plans().meters[name]}", says)
        | {"recurring": {"interval": "month", "usage_type": "metered", "meter": meter}}
        | (tiers if metered.included else {"unit_amount": each})
    )


def price_of(plan: Plan, title: str, says: str) -> dict[str, Any]:
    return {
        "currency": plans().currency,
        "product_data": {"name": title},
        "metadata": {"plan": plan.name, "says": says},
    }
