"""Routing: the engines of the tenant in context, where a service serves its package alone.

With SERVES=all, and in auth, everybody's rows are in one place: nothing is routed there. Neither is
it on SQLite, which has no silos and is for development alone.
"""

from typing import Any
from uuid import UUID

from flask import Flask, current_app

from app.db import Pair
from app.stages.hardened.catalog import knowing
from app.stages.hardened.catalog.places import SILOED
from app.stages.hardened.catalog.pools import Pools
from app.tenancy import tenant_or_none


def init_app(app: Flask) -> None:
    settings = app.config["SETTINGS"]
    if settings.serves not in SILOED:
        return
    app.extensions["placements"] = knowing.Memory()
    if settings.database_url.startswith("sqlite"):
        return
    # Half of the threads may wait for a server that is away, never all.
    app.extensions["silos"] = Pools(app, settings.silo_pools, max(1, settings.threads // 2))
    app.extensions["route"] = route
    app.extensions["epoch_of"] = epoch_of
    app.extensions["not_here"] = knowing.forget


def is_routed(app: Flask) -> bool:
    """Whether this process's tenants may be in several places."""
    return "silos" in app.extensions


def route(common: Pair) -> Pair:
    """The engines of the tenant in context; the common ones where there is none.

    Raises `SiloAway` for a tenant whose database doesn't answer.
    """
    tenant = tenant_or_none()
    if tenant is None:
        return common
    target = knowing.place_here(tenant).target
    return silos().pair_of(target) if target else common


def epoch_of(tenant_id: UUID) -> int:
    """At which epoch we believe a tenant to be placed; the message that begins says it."""
    return knowing.place_here(tenant_id).epoch


def silos() -> Pools:
    found: Pools = current_app.extensions["silos"]
    return found


def close(app: Flask) -> None:
    """Close the connections to silos; a process that goes on opens them again."""
    pools: Any = app.extensions.get("silos")
    if pools is not None:
        pools.close()
