"""What rides along: facts about a tenant that others are told together with who somebody is.

In one process nothing needs to. Where auth is a process of its own, billing's `plan_name` rides
along with who asks, so that a page which looks at the plan asks nobody.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import g

from app.tenancy import tenant_or_none

Rider = Callable[[], Any]
RIDERS: dict[str, Rider] = {}
NOTHING: tuple[UUID | None, dict[str, Any]] = None, {}


def rides_along(name: str, ask: Rider) -> None:
    """Let the answer to a question about the current tenant ride along, under a name.

    The answer is a plain JSON value. While the question can't be answered (`Unavailable`),
    nothing rides along, and whoever needs it asks.
    """
    RIDERS[name] = ask


def rode_along(name: str) -> Any:
    """What rode along with this request for the tenant that it serves; None if nothing did."""
    tenant_id, facts = g.get("rode_along", NOTHING)
    here = tenant_or_none()
    return facts.get(name) if here and here.id == tenant_id else None
