"""Moves on the operators' JSON API."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from flask import Blueprint
from pydantic import BaseModel, ConfigDict, Field

from app.api import Response, spec
from app.stages.hardened.lifecycle.finding import find
from app.stages.hardened.lifecycle.operators import only, operator_name
from app.stages.hardened.moving import asking, ledger

api = Blueprint("moves_api", __name__, url_prefix="/api/v1/me/operator")


class MoveAsked(BaseModel):
    """Where the rows of a service shall go, or what to do to the move that is open."""

    service: Literal["features", "billing", "analytics"] = "features"
    what: Literal["silo", "pool", "back", "finish", "abandon"] = Field(
        description="Move to the `silo` or the `pool`; take it `back`; `finish` it, which deletes "
        "what nobody serves; `abandon` it before the switch."
    )


class MoveShown(BaseModel):
    """A move, and how far it is."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    slug: str
    service: str
    source: str
    goal: str
    state: str
    steps_done: list[str]
    doing: str
    error: str
    operator: str
    found: dict[str, Any]
    created_at: datetime
    switched_at: datetime | None
    finished_at: datetime | None


class MovesShown(BaseModel):
    """The latest moves, newest first."""

    items: list[MoveShown]


@api.get("/tenants/<slug>/moves")
@only
@spec.validate(resp=Response(HTTP_200=MovesShown), tags=["operators"])
def list_moves(slug: str):
    """List a workspace's moves, newest first."""
    found = ledger.recent(tenant_id=find(slug).id)
    return MovesShown(items=[MoveShown.model_validate(one) for one in found])


@api.post("/tenants/<slug>/moves")
@only
@spec.validate(json=MoveAsked, resp=Response(HTTP_202=MoveShown), tags=["operators"])
def begin_move(slug: str, json: MoveAsked):
    """Move a workspace's rows while people work in it. A worker does it; ask how far it is."""
    asked = asking.ask(slug, json.service, json.what, operator_name())
    return MoveShown.model_validate(asked), 202


@api.get("/moves/<uuid:move_id>")
@only
@spec.validate(resp=Response(HTTP_200=MoveShown), tags=["operators"])
def show_move(move_id: UUID):
    """Show how far a move is, and what it found."""
    return MoveShown.model_validate(ledger.find(move_id))
