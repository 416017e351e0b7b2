"""The rules about roles that auth asks for before it changes what somebody is."""

from collections.abc import Iterable
from uuid import UUID

from flask import abort
from sqlalchemy import inspect, select

from app.auth.models import Invitation, Membership
from app.auth.roles import Place, Roles
from app.db import db
from app.stages.hardened.rbac import builtin, defining, holding, standing
from app.stages.hardened.rbac.models import InvitationRole, MemberRole, Role
from app.tenancy import current_tenant


class TenantRoles(Roles):
    """Besides owner and member, the built-in roles that can be given and the tenant's own."""

    overview = Place("rbac.roles", "roles:read", "Roles")
    of_member = Place("rbac.access", "roles:read", "Access")

    def choices(self) -> list[tuple[str, str]]:
        """Owner and member, then what else can be given."""
        return [*super().choices(), *((str(role.id), role.name) for role in given())]

    def before_change(self, membership: Membership, role: str) -> None:
        """An owner has no roles besides: they may do everything."""
        standing.demand(standing.of_member(membership.user_id), standing.of(role))
        holding.put(membership, [])

    def before_removal(self, membership: Membership) -> None:
        """Everybody may leave."""
        if not standing.is_whoever_acts(membership.user_id):
            standing.demand(standing.of_member(membership.user_id))

    def before_invitation(self, invitation: Invitation, choice: str) -> str:
        """Nobody invites into more than they have, nor takes the place of such an invitation."""
        before = self.standing_of(invitation) if inspect(invitation).persistent else None
        role = None if choice in {"owner", "member"} else defining.find(id_from(choice))
        after = standing.of("member", role.kept) if role else standing.of(choice)
        standing.demand(before or standing.NOTHING, after)
        self.put(invitation, defining.keep(role) if role else None)
        return "member" if role else choice

    def before_revocation(self, invitation: Invitation) -> None:
        standing.demand(self.standing_of(invitation))

    def choice_of(self, invitation: Invitation) -> str:
        row = row_of(invitation)
        return str(row.role_id) if row else invitation.role

    def after_joining(self, invitation: Invitation, membership: Membership) -> None:
        row = row_of(invitation)
        if row:
            holding.put(membership, [row.role])

    def titles(self, roles: dict[UUID, str]) -> dict[UUID, list[str]]:
        """The names of each one's own roles; else owner or member."""
        mine = (
            select(MemberRole.user_id, Role.name)
            .join(Role, (Role.tenant_id == MemberRole.tenant_id) & (Role.id == MemberRole.role_id))
            .where(MemberRole.tenant_id == current_tenant().id)
            .order_by(Role.name_norm)
        )
        found: dict[UUID, list[str]] = {}
        for user_id, name in db.session.execute(mine):
            found.setdefault(user_id, []).append(name)
        return {person: found.get(person) or [role] for person, role in roles.items()}

    def titles_of_invitations(self, invitations: Iterable[Invitation]) -> dict[UUID, str]:
        mine = select(InvitationRole).where(InvitationRole.tenant_id == current_tenant().id)
        names = {row.invitation_id: row.role.name for row in db.session.scalars(mine)}
        return {one.id: names.get(one.id, one.role) for one in invitations}

    def standing_of(self, invitation: Invitation) -> standing.Standing:
        """What whoever accepts an invitation may do."""
        row = row_of(invitation)
        return standing.of(invitation.role, row.role.kept if row else None)

    def put(self, invitation: Invitation, role: Role | None) -> None:
        row = row_of(invitation) if inspect(invitation).persistent else None
        if row and role:
            row.role_id = role.id
        elif row:
            db.session.delete(row)
        elif role:
            new = InvitationRole(
                tenant_id=invitation.tenant_id, invitation_id=invitation.id, role_id=role.id
            )
            new.invitation = invitation
            db.session.add(new)


def given() -> list[Role]:
    """What can be given to members: the built-in roles first, then the tenant's own."""
    tenant_id = current_tenant().id
    rows = {role.id: role for role in defining.all_roles()}
    ids = [one.id_for(tenant_id) for one in builtin.GIVEN.values()]
    first = [rows.get(role_id) or defining.find(role_id) for role_id in ids]
    return [*first, *(role for role_id, role in rows.items() if role_id not in ids)]


def row_of(invitation: Invitation) -> InvitationRole | None:
    return db.session.get(InvitationRole, (invitation.tenant_id, invitation.id))


def id_from(choice: str) -> UUID:
    try:
        return UUID(choice)
    except ValueError:
        abort(404)
