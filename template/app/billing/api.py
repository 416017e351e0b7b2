"""Billing's JSON API: the plan, what it allows, and what is used of it."""

from datetime import date

from flask import Blueprint
from pydantic import BaseModel, Field
from spectree import Response

from app.api import spec
from app.auth import requires
from app.billing.calls import plan_of
from app.billing.overview import readings
from app.billing.periods import this_month

api = Blueprint("billing_api", __name__, url_prefix="/api/v1/billing")


class Meter(BaseModel):
    """How much of something is used this month."""

    used: int
    included: int = Field(description="What the plan's price includes a month.")
    unit_price: int = Field(description="What each further one costs, in minor units.")


class Billing(BaseModel):
    """What the workspace's plan allows, and what is used of it."""

    plan: str
    title: str
    limits: dict[str, int | None] = Field(description="How many there may be; null: no limit.")
    entitlements: dict[str, bool]
    month: date = Field(description="The first day of the month that the meters count (UTC).")
    meters: dict[str, Meter]


@api.get("")
@requires("billing:read")
@spec.validate(resp=Response(HTTP_200=Billing), tags=["billing"])
def billing():
    """Show the plan and what is used of it."""
    plan = plan_of()
    return Billing(
        plan=plan.name,
        title=plan.title,
        limits=plan.limits,
        entitlements=plan.entitlements,
        month=this_month().first,
        meters={
            one.name: Meter(used=one.used, included=one.included, unit_price=one.unit_price)
            for one in readings(plan)
        },
    )
