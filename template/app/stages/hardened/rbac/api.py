"""The JSON API of roles: what there is to allow, roles, who has which, and why somebody may."""

from typing import Annotated
from uuid import UUID

from flask import Blueprint, url_for
from flask_login import current_user
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from app.access import requires
from app.api import IfMatch, OneLine, Response, spec
from app.auth import emails, invitations, throttles
from app.auth.models import User
from app.db import db
from app.idempotency import idempotent
from app.stages.hardened.rbac import builtin, defining, explaining, holding, listing, rules
from app.stages.hardened.rbac.defining import LONGEST_NAME
from app.stages.hardened.rbac.models import Role
from app.stages.hardened.rbac.views import find_member
from app.tenancy import current_tenant

api = Blueprint("rbac_api", __name__, url_prefix="/api/v1")

RoleName = Annotated[
    str,
    StringConstraints(strip_whitespace=True),
    Field(min_length=1, max_length=LONGEST_NAME),
    OneLine,
]
PermissionNames = Annotated[list[str], Field(max_length=500)]


class Strict(BaseModel):
    """A body in which nothing else may stand: a misspelt field isn't left out in silence."""

    model_config = ConfigDict(extra="forbid")


class PermissionShown(BaseModel):
    """Something that a role may allow."""

    name: str
    title: str


class PermissionsListed(BaseModel):
    """Everything that a role may allow."""

    items: list[PermissionShown]


class RoleMade(Strict):
    """What it takes to make a role."""

    name: RoleName
    permissions: PermissionNames = []


class RoleChanged(Strict):
    """What to change; what is left out stays."""

    name: RoleName | None = None
    permissions: PermissionNames | None = None


class RoleShown(BaseModel):
    """A role. Owner and member have no id: they stand in the membership itself."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID | None
    name: str
    kind: str = Field(description="`built-in` or `custom`.")
    permissions: list[str]
    vanished: list[str] = Field(description="What stands in it though the product has it no more.")
    people: int
    invitations: int
    version: int


class RolesListed(BaseModel):
    """The roles of the workspace."""

    items: list[RoleShown]


class RoleLeaving(BaseModel):
    """What becomes of whoever has the role."""

    move_to: UUID | None = Field(None, description="The role that they get instead.")


class RolesGiven(Strict):
    """The roles that a member has from now on; none: what every member is."""

    roles: Annotated[list[UUID], Field(max_length=100)]


class RoleHeld(BaseModel):
    """A role that somebody has."""

    id: UUID
    name: str


class RolesHeld(BaseModel):
    """The roles of a member."""

    items: list[RoleHeld]


class Decided(BaseModel):
    """Whether a member may do something, and why."""

    permission: str
    title: str
    allowed: bool
    because: str
    granted_by: list[str]


class AccessShown(BaseModel):
    """All that a member may do and may not, with the reasons."""

    items: list[Decided]


class Invited(Strict):
    """Whom to invite, and as what."""

    email: Annotated[str, Field(max_length=254), AfterValidator(emails.tidy)]
    role: str = Field("member", description="`member`, `owner`, or the id of a role.")


class InvitationMade(BaseModel):
    """An invitation that is on its way."""

    id: UUID
    email: str
    role: str = Field(description="The name of the role.")


@api.get("/members/permissions")
@requires("roles:read")
@spec.validate(resp=Response(HTTP_200=PermissionsListed), tags=["roles"])
def list_permissions():
    """List everything that a role may allow."""
    known = sorted(builtin.declared().items())
    return PermissionsListed(
        items=[PermissionShown(name=name, title=one.title) for name, one in known]
    )


@api.get("/members/roles")
@requires("roles:read")
@spec.validate(resp=Response(HTTP_200=RolesListed), tags=["roles"])
def list_roles():
    """List the roles of the workspace: the built-in ones first."""
    return RolesListed(items=[RoleShown.model_validate(one) for one in listing.everything()])


@api.post("/members/roles")
@requires("roles:write")
@idempotent
@spec.validate(resp=Response(HTTP_201=RoleShown), tags=["roles"])
def create_role(json: RoleMade):
    """Make a role. It can allow only what you may do yourself."""
    role = defining.create(json.name, json.permissions)
    db.session.flush()
    return shown(role, 201)


@api.get("/members/roles/<uuid:role_id>")
@requires("roles:read")
@spec.validate(resp=Response(HTTP_200=RoleShown), tags=["roles"])
def show_role(role_id: UUID):
    """Show a role. Its ETag is its version."""
    return shown(defining.find(role_id))


@api.patch("/members/roles/<uuid:role_id>")
@requires("roles:write")
@spec.validate(resp=Response(HTTP_200=RoleShown), tags=["roles"])
def change_role(role_id: UUID, json: RoleChanged, headers: IfMatch):
    """Change a role; it counts at once for whoever has it."""
    role = defining.find(role_id)
    role.expect_match(headers.if_match)
    defining.change(role, json.name, json.permissions)
    db.session.commit()
    return shown(role)


@api.delete("/members/roles/<uuid:role_id>")
@requires("roles:write")
@spec.validate(resp=Response("HTTP_204"), tags=["roles"])
def delete_role(role_id: UUID, query: RoleLeaving, headers: IfMatch):
    """Delete a role. While people have it, say by `move_to` which one they get instead."""
    role = defining.find(role_id)
    role.expect_match(headers.if_match)
    defining.delete(role, query.move_to)
    db.session.commit()
    return "", 204


@api.get("/members/<uuid:user_id>/roles")
@requires("roles:read")
@spec.validate(resp=Response(HTTP_200=RolesHeld), tags=["roles"])
def list_roles_of_member(user_id: UUID):
    """List the roles that a member has besides being a member."""
    find_member(user_id)
    return held_by(user_id)


@api.put("/members/<uuid:user_id>/roles")
@requires("roles:write")
@spec.validate(resp=Response(HTTP_200=RolesHeld), tags=["roles"])
def give_roles(user_id: UUID, json: RolesGiven):
    """Let a member have exactly these roles. They're then what these roles allow, no more."""
    holding.assign(user_id, json.roles)
    db.session.commit()
    return held_by(user_id)


@api.get("/members/<uuid:user_id>/access")
@requires("roles:read")
@spec.validate(resp=Response(HTTP_200=AccessShown), tags=["roles"])
def show_access(user_id: UUID):
    """Show what a member may do and may not, and why."""
    find_member(user_id)
    decisions = explaining.everything(db.session.get_one(User, user_id), current_tenant())
    return AccessShown(
        items=[
            Decided(
                permission=one.permission,
                title=one.title,
                allowed=one.allowed,
                because=one.because,
                granted_by=one.granted_by,
            )
            for one in decisions
        ]
    )


@api.post("/members/invitations")
@requires("members:write")
@throttles.invitations_by_person
@spec.validate(resp=Response(HTTP_201=InvitationMade), tags=["people"])
def invite(json: Invited):
    """Invite somebody by e-mail, as a member, an owner, or into a role."""
    invitation = invitations.invite(json.email, json.role, current_user.id)
    db.session.commit()
    role = rules.TenantRoles().titles_of_invitations([invitation])[invitation.id]
    return InvitationMade(id=invitation.id, email=invitation.email, role=role), 201


def held_by(user_id: UUID) -> RolesHeld:
    return RolesHeld(
        items=[RoleHeld(id=role.id, name=role.name) for role in holding.of_member(user_id)]
    )


def shown(role: Role, status: int = 200):
    """A role with its version for If-Match, and its address when it's new."""
    headers = {"ETag": f'"{role.version}"'}
    if status == 201:
        headers["Location"] = url_for(".show_role", role_id=role.id)
    return RoleShown.model_validate(listing.one(role)), status, headers
