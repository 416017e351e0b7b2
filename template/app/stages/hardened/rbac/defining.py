"""A tenant's own roles: made, changed, deleted. Nobody makes a role that may do more than they."""

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from uuid import UUID

from flask import abort, current_app
from sqlalchemy import func, select

from app import audit, events
from app.auth.members import hold_the_door
from app.db import db, now
from app.errors import Refused
from app.stages.hardened.rbac import builtin, standing
from app.stages.hardened.rbac.models import InvitationRole, MemberRole, Role, RolePermission
from app.tenancy import current_tenant

LONGEST_NAME = 60
MOST_ROLES = 200


class UnknownPermission(Refused):
    """A role names a permission that the code doesn't have."""

    status = 422
    title = "There is no such permission"


class NameTaken(Refused):
    """Two roles of a tenant can't be told apart."""

    title = "There is a role of this name"


class BuiltInStays(Refused):
    """A built-in role follows the code: nobody changes or deletes it."""

    title = "This role is built in"


class RoleIsHeld(Refused):
    """Somebody has the role, or is invited to it."""

    title = "People have this role"


class TooManyRoles(Refused):
    """A tenant has as many roles as it can have."""

    title = "There are too many roles"


def all_roles() -> list[Role]:
    """The current tenant's roles that are kept as rows, by name."""
    mine = select(Role).where(Role.tenant_id == current_tenant().id)
    return list(db.session.scalars(mine.order_by(Role.name_norm)))


def find(role_id: UUID) -> Role:
    """One of the current tenant's roles; 404 for everybody else's."""
    role = db.session.get(Role, (current_tenant().id, role_id), populate_existing=True)
    return role or built_in(role_id) or abort(404)


def built_in(role_id: UUID) -> Role | None:
    """A built-in role that nobody here has had yet: a row that isn't kept until it's used."""
    tenant_id = current_tenant().id
    found = builtin.with_id(tenant_id, role_id)
    if found is None:
        return None
    mark = RolePermission(tenant_id=tenant_id, role_id=role_id, permission=found.mark)
    role = Role(tenant_id=tenant_id, id=role_id, name=found.name, name_norm=norm(found.name))
    role.version = 1
    role.allowed = [mark]
    return role


def is_built_in(role: Role) -> bool:
    return builtin.with_id(role.tenant_id, role.id) is not None


def create(name: str, permissions: Iterable[str]) -> Role:
    """Make a role of the current tenant."""
    tenant_id = current_tenant().id
    hold_the_door(tenant_id)
    if count() >= MOST_ROLES:
        raise TooManyRoles(f"A workspace has {MOST_ROLES} roles at most. Delete one first.")
    wanted = refuse_unknown(permissions)
    standing.demand(standing.of("member", wanted))
    role = Role(tenant_id=tenant_id, name=name, name_norm=free(name))
    role.allowed = rows(role, wanted)
    db.session.add(role)
    audit.note("role.created", role.id, name=name, permissions=wanted)
    events.publish("auth.role_created", role=role.id, name=name, permissions=wanted)
    return role


def change(role: Role, name: str | None, permissions: Iterable[str] | None) -> None:
    """Give a role another name or other permissions; it counts at once for whoever has it."""
    hold(role)
    refuse_built_in(role)
    wanted = role.kept if permissions is None else refuse_unknown(permissions)
    standing.demand(standing.of("member", role.kept), standing.of("member", wanted))
    if name is not None:
        role.name, role.name_norm = name, free(name, but=role)
    if permissions is not None:
        role.allowed = rows(role, wanted)
    role.changed_at = now()
    audit.note("role.changed", role.id, name=role.name, permissions=wanted)
    events.publish("auth.role_redefined", role=role.id, name=role.name, permissions=wanted)


def delete(role: Role, move_to: UUID | None = None) -> None:
    """Delete a role. Whoever has it gets another, or it's refused: else they'd become members."""
    hold(role)
    refuse_built_in(role)
    people, invitations = holders(role)
    if (people or invitations) and move_to is None:
        raise RoleIsHeld(
            f"{len(people)} people have “{role.name}”, and {len(invitations)} are invited to it.",
            hint="Say which role they get instead.",
        )
    standing.demand(standing.of("member", role.kept))
    if move_to is not None:
        move(people, invitations, keep(find(move_to)), role)
    for follow in current_app.extensions.get("role_deleted", ()):
        follow(role, move_to)
    db.session.delete(role)
    audit.note("role.deleted", role.id, name=role.name, moved_to=move_to)
    events.publish("auth.role_deleted", role=role.id, moved_to=move_to)


def move(
    people: list[MemberRole], invitations: list[InvitationRole], to: Role, leaving: Role
) -> None:
    """Give those who have one role another in its place."""
    if to.id == leaving.id:
        raise RoleIsHeld("They can't be moved to the role that is deleted.")
    standing.demand(standing.of("member", to.kept))
    for one in people:
        standing.demand(standing.of_member(one.user_id))
        key = one.tenant_id, one.user_id, to.id
        if db.session.get(MemberRole, key) is None:
            db.session.add(MemberRole(tenant_id=key[0], user_id=key[1], role_id=key[2]))
        db.session.delete(one)
    for invitation in invitations:
        invitation.role_id = to.id
    db.session.flush()


def holders(role: Role) -> tuple[list[MemberRole], list[InvitationRole]]:
    """Who has a role, and which invitations are into it."""
    people = select(MemberRole).where(
        MemberRole.tenant_id == role.tenant_id, MemberRole.role_id == role.id
    )
    invitations = select(InvitationRole).where(
        InvitationRole.tenant_id == role.tenant_id, InvitationRole.role_id == role.id
    )
    return list(db.session.scalars(people)), list(db.session.scalars(invitations))


def keep(role: Role) -> Role:
    """Make sure that a role has its row: a built-in one gets it when it's first used."""
    if role not in db.session:
        db.session.add(role)
        db.session.flush()
    return role


def hold(role: Role) -> None:
    """See the role as it is, while nobody else changes roles or people."""
    hold_the_door(role.tenant_id)
    if role in db.session:
        db.session.refresh(role)


def count() -> int:
    mine = select(func.count()).where(Role.tenant_id == current_tenant().id)
    return db.session.scalar(mine) or 0


def rows(role: Role, permissions: list[str]) -> list[RolePermission]:
    """The rows for some permissions: those that are there stay."""
    there = {row.permission: row for row in role.allowed}
    key = {"tenant_id": role.tenant_id, "role_id": role.id}
    return [there.get(name) or RolePermission(**key, permission=name) for name in permissions]


def refuse_built_in(role: Role) -> None:
    if is_built_in(role):
        raise BuiltInStays(
            f"“{role.name}” follows what the product can do.",
            hint="Make a role of your own that includes what you need.",
        )


def refuse_unknown(permissions: Iterable[str]) -> list[str]:
    """The permissions, sorted; raises `UnknownPermission` if the code doesn't have one."""
    wanted = sorted(set(permissions))
    known = builtin.declared()
    for name in wanted:
        if name not in known:
            raise UnknownPermission(f"No permission is called “{name}”.", hint=suggestion(name))
    return wanted


def suggestion(name: str) -> str:
    """The permissions that somebody may have meant."""
    near = get_close_matches(name, builtin.declared(), n=3, cutoff=0.5)
    return (
        f"Did you mean {' or '.join(near)}?"
        if near
        else "See them all at /api/v1/members/permissions."
    )


def free(name: str, but: Role | None = None) -> str:
    """What tells a name from others; raises `NameTaken`."""
    normal = norm(name)
    statement = select(Role.id).where(
        Role.tenant_id == current_tenant().id, Role.name_norm == normal
    )
    with db.session.no_autoflush:
        holder = db.session.scalar(statement)
    taken = holder is not None and (but is None or holder != but.id)
    if taken or normal in {one.key for one in builtin.ALL}:
        raise NameTaken(f"“{name}” is taken. Choose another name.")
    return normal


def norm(name: str) -> str:
    """A name as it's compared: without regard to case, blanks and ways to write a letter."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
