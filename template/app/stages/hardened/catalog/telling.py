"""Auth tells the other services what the catalog says: with each identity, or when it's asked."""

from time import time
from typing import Any
from uuid import UUID

from flask import Flask, request

from app.auth.riding import rides_along
from app.stages.hardened.catalog import api
from app.stages.hardened.catalog.places import SILOED, Entry, Placement, Target
from app.stages.services import internal
from app.tenancy import Tenant, current_tenant

RIDER = "placement"
ONE, OUTSIDE = "/internal/auth/placement", "/internal/auth/placed-outside"


def init_app(app: Flask) -> None:
    rides_along(RIDER, entry_of_current_tenant)
    if app.config["SETTINGS"].serves == "auth":
        app.add_url_rule(ONE, "catalog.placement", placement, methods=["POST"])
        app.add_url_rule(OUTSIDE, "catalog.outside", outside, methods=["POST"])


def entry_of_current_tenant() -> dict[str, Any]:
    """What rides along with an identity, and as of when it's true."""
    at = time()
    return packed(api.entry_of(current_tenant()), at)


@internal.only_services
def placement():
    """What the catalog says of a tenant."""
    at = time()  # Of before we look: what changes meanwhile outdates the answer.
    return packed(api.entry_of(UUID(request.get_json()["tenant"])), at)


@internal.only_services
def outside():
    """The tenants whose rows of a service are outside of its pool."""
    found = api.placed_outside(request.get_json()["service"])
    return {"tenants": [[str(tenant.id), tenant.slug, tenant.name] for tenant, _ in found]}


def packed(entry: Entry, at: float) -> dict[str, Any]:
    """An entry as it travels; most tenants have nothing but what is true of all."""
    told: dict[str, Any] = {"at": at}
    if entry.state != "active":
        told |= {"state": entry.state, "reason": entry.reason}
    for service in SILOED:
        placed = entry.place_of(service)
        if placed.target or placed.epoch:
            told[service] = [placed.epoch, as_json(placed.target)]
    return told


def as_json(target: Target | None) -> dict[str, Any] | None:
    return {name: getattr(target, name) for name in Target.__slots__} if target else None


def unpacked(tenant_id: UUID, told: dict[str, Any]) -> Entry:
    """An entry that has travelled."""
    state = told.get("state", "active")
    placements = {
        service: Placement(Target(**target) if target else None, epoch, state)
        for service in SILOED
        if service in told
        for epoch, target in [told[service]]
    }
    return Entry(tenant_id, state, told.get("reason", ""), placements=placements)


def tenants_of(told: dict[str, Any]) -> list[Tenant]:
    """The tenants of an answer."""
    return [Tenant(UUID(one[0]), one[1], one[2]) for one in told["tenants"]]
