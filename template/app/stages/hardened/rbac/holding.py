"""Who has which roles. A member with roles of the tenant's own has what those allow, no more."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select

from app import audit, events
from app.auth import members
from app.auth.models import Membership
from app.db import db
from app.errors import Refused
from app.stages.hardened.rbac import defining, standing
from app.stages.hardened.rbac.models import MemberRole, Role
from app.tenancy import current_tenant

MOST_AT_ONCE = 20


class OwnersHaveAll(Refused):
    """An owner was to get a role: it would change nothing, or less than it seems."""

    title = "Owners may do everything"


class TooManyAtOnce(Refused):
    """Somebody was to get more roles than anybody could keep in mind."""

    status = 422
    title = "These are too many roles"


def of_member(user_id: UUID) -> list[Role]:
    """The tenant's own roles that somebody has, by name."""
    statement = (
        select(Role)
        .join(
            MemberRole, (MemberRole.tenant_id == Role.tenant_id) & (MemberRole.role_id == Role.id)
        )
        .where(Role.tenant_id == current_tenant().id, MemberRole.user_id == user_id)
    )
    return list(db.session.scalars(statement.order_by(Role.name_norm)))


def assign(user_id: UUID, role_ids: Iterable[UUID]) -> None:
    """Let a member have exactly these roles; with none, they're what every member is."""
    membership = members.hold(user_id)
    wanted = list(dict.fromkeys(role_ids))
    refuse_pointless(membership, wanted)
    roles = [defining.keep(defining.find(role_id)) for role_id in wanted]
    standing.demand(standing.of_member(user_id), standing_with(roles))
    put(membership, roles)
    names = [role.name for role in roles]
    audit.note("member.roles_changed", user_id, roles=names)
    events.publish("auth.role_changed", user=user_id, role=membership.role, roles=names)


def refuse_pointless(membership: Membership, wanted: list[UUID]) -> None:
    if membership.role == "owner":
        raise OwnersHaveAll("Make them a member first, then give them roles.")
    if len(wanted) > MOST_AT_ONCE:
        raise TooManyAtOnce(f"A member has {MOST_AT_ONCE} roles at most.")


def standing_with(roles: list[Role]) -> standing.Standing:
    """What a member may do who has these roles."""
    kept = [name for role in roles for name in role.kept]
    return standing.of("member", kept if roles else None)


def put(membership: Membership, roles: list[Role]) -> None:
    """Write down who has what. It asks nobody: `assign` does."""
    theirs = select(MemberRole).where(
        MemberRole.tenant_id == membership.tenant_id, MemberRole.user_id == membership.user_id
    )
    there = {row.role_id: row for row in db.session.scalars(theirs)}
    wanted = {role.id: role for role in roles}
    for role_id in there.keys() - wanted.keys():
        db.session.delete(there[role_id])
    for role_id in wanted.keys() - there.keys():
        row = MemberRole(
            tenant_id=membership.tenant_id, user_id=membership.user_id, role_id=role_id
        )
        row.membership = membership
        db.session.add(row)
