"""What roles keep: a tenant's own roles, what each allows, and who has them."""

from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.auth.models import Base, Invitation, Membership
from app.db import CreatedAt, Id, Moment, now
from app.versions import Versioned


class Role(Versioned, Base):
    """A role that one tenant has: a name for some permissions."""

    __tablename__ = "auth_roles"
    __table_args__ = (UniqueConstraint("tenant_id", "name_norm"),)

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("auth_tenants.id"), primary_key=True)
    id: Mapped[Id]
    name: Mapped[str]
    name_norm: Mapped[str]
    created_at: Mapped[CreatedAt]
    # Also when only its permissions change, so that whoever has the role is looked up again.
    changed_at: Mapped[Moment] = mapped_column(default=now)

    allowed: Mapped[list["RolePermission"]] = relationship(
        cascade="all, delete-orphan", lazy="selectin", order_by="RolePermission.permission"
    )

    @property
    def kept(self) -> list[str]:
        """The permissions that stand in the role, whether or not the code still has them."""
        return [row.permission for row in self.allowed]


class RolePermission(Base):
    """A role allows something."""

    __tablename__ = "auth_role_permissions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "role_id"], ["auth_roles.tenant_id", "auth_roles.id"], ondelete="CASCADE"
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    role_id: Mapped[UUID] = mapped_column(primary_key=True)
    permission: Mapped[str] = mapped_column(primary_key=True)


class MemberRole(Base):
    """A member has a role. It ends with the membership; a role that somebody has can't go."""

    __tablename__ = "auth_member_roles"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["auth_memberships.tenant_id", "auth_memberships.user_id"],
            ondelete="CASCADE",
        ),
        ForeignKeyConstraint(["tenant_id", "role_id"], ["auth_roles.tenant_id", "auth_roles.id"]),
        Index(None, "tenant_id", "role_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    role_id: Mapped[UUID] = mapped_column(primary_key=True)

    membership: Mapped[Membership] = relationship(overlaps="role")
    role: Mapped[Role] = relationship(overlaps="membership")


class InvitationRole(Base):
    """An invitation is into one of the tenant's own roles."""

    __tablename__ = "auth_invitation_roles"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "invitation_id"],
            ["auth_invitations.tenant_id", "auth_invitations.id"],
            ondelete="CASCADE",
            name="fk_auth_invitation_roles_invitation",
        ),
        ForeignKeyConstraint(["tenant_id", "role_id"], ["auth_roles.tenant_id", "auth_roles.id"]),
        Index(None, "tenant_id", "role_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    invitation_id: Mapped[UUID] = mapped_column(primary_key=True)
    role_id: Mapped[UUID]

    invitation: Mapped[Invitation] = relationship(overlaps="role")
    role: Mapped[Role] = relationship(overlaps="invitation")
