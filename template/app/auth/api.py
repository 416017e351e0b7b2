"""Auth's JSON API: who I am, and who belongs to the workspace."""

from datetime import datetime
from uuid import UUID

from flask import Blueprint
from flask_login import current_user
from pydantic import BaseModel
from spectree import Response

from app.access import login_required, requires
from app.api import spec
from app.auth import members

api = Blueprint("auth_api", __name__, url_prefix="/api/v1")


class Workspace(BaseModel):
    """The workspace that the address names, and what one may do there."""

    slug: str
    name: str
    role: str


class Me(BaseModel):
    """Who is asking."""

    id: UUID
    name: str
    email: str
    workspace: Workspace | None


class Member(BaseModel):
    """A person who belongs to the workspace."""

    id: UUID
    name: str
    email: str
    role: str
    joined_at: datetime


class Members(BaseModel):
    """Everybody who belongs to the workspace."""

    items: list[Member]


@api.get("/me")
@login_required
@spec.validate(resp=Response(HTTP_200=Me), tags=["people"])
def me():
    """Say who I am, and what I am in this workspace."""
    here = current_user.tenant
    return Me(
        id=current_user.id,
        name=current_user.name,
        email=current_user.email,
        workspace=here and Workspace(slug=here.slug, name=here.name, role=current_user.role),
    )


@api.get("/members")
@requires("members:read")
@spec.validate(resp=Response(HTTP_200=Members), tags=["people"])
def list_members():
    """List who belongs to the workspace: owners first, then by name."""
    return Members(
        items=[
            Member(id=m.id, name=m.name, email=m.email, role=m.role, joined_at=m.joined_at)
            for m in members.everybody()
        ]
    )
