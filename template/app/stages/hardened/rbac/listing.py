"""Roles as people see them: what each allows, what of it the code has no more, who has it."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select

from app.auth.models import Membership
from app.db import db
from app.stages.hardened.rbac import builtin, defining, rules
from app.stages.hardened.rbac.models import InvitationRole, MemberRole, Role
from app.tenancy import current_tenant


@dataclass(frozen=True, slots=True)
class Shown:
    """A role."""

    id: UUID | None
    name: str
    kind: str
    about: str
    permissions: list[str]
    # What stands in it though no package and no feature declares it: it allows nothing.
    vanished: list[str]
    people: int
    invitations: int
    version: int

    @property
    def is_custom(self) -> bool:
        """Whether the tenant made it."""
        return self.kind == "custom"


def everything() -> list[Shown]:
    """Owner and member, then the roles that can be given: the built-in ones first."""
    people, invitations = count(MemberRole), count(InvitationRole)
    plain = plain_people()
    fixed = [fixed_one(one, plain.get(one.key, 0)) for one in (builtin.OWNER, builtin.MEMBER)]
    return fixed + [
        shown(role, people.get(role.id, 0), invitations.get(role.id, 0)) for role in rules.given()
    ]


def one(role: Role) -> Shown:
    people, invitations = defining.holders(role)
    return shown(role, len(people), len(invitations))


def shown(role: Role, people: int, invitations: int) -> Shown:
    fixed = builtin.with_id(role.tenant_id, role.id)
    return Shown(
        id=role.id,
        name=role.name,
        kind="built-in" if fixed else "custom",
        about=fixed.about if fixed else "",
        permissions=sorted(builtin.effective(role.kept)),
        vanished=builtin.vanished(role.kept),
        people=people,
        invitations=invitations,
        version=role.version,
    )


def fixed_one(role: builtin.BuiltIn, people: int) -> Shown:
    """Owner or member: what stands in the membership itself."""
    return Shown(
        None, role.name, "built-in", role.about, sorted(role.permissions()), [], people, 0, 1
    )


def count(model: type[MemberRole] | type[InvitationRole]) -> dict[UUID, int]:
    """How many have each role."""
    statement = (
        select(model.role_id, func.count())
        .where(model.tenant_id == current_tenant().id)
        .group_by(model.role_id)
    )
    return {row[0]: row[1] for row in db.session.execute(statement)}


def plain_people() -> dict[str, int]:
    """How many are owners, and how many are members without a role of the tenant's own."""
    has_own = (
        select(MemberRole.user_id)
        .where(
            MemberRole.tenant_id == Membership.tenant_id, MemberRole.user_id == Membership.user_id
        )
        .exists()
    )
    statement = (
        select(Membership.role, func.count())
        .where(Membership.tenant_id == current_tenant().id, ~has_own)
        .group_by(Membership.role)
    )
    return {row[0]: row[1] for row in db.session.execute(statement)}
