"""What auth keeps: people, tenants, who belongs where, invitations and API tokens."""

import secrets
from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from app.auth import emails
from app.db import CreatedAt, Id, Moment, WithId, db, metadata_for, now
from app.tenancy import Tenant


class Base(WithId, DeclarativeBase):
    """The base of auth's tables."""

    metadata = metadata_for("auth")


def new_stamp() -> str:
    """Random text that a session must carry; changing it ends every session that has the old."""
    return secrets.token_urlsafe(16)


class User(Base):
    """A person, known by an e-mail address. Until it's confirmed, nobody can log in with it."""

    __tablename__ = "auth_users"

    id: Mapped[Id]
    email: Mapped[str]
    email_norm: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    password_hash: Mapped[str]
    session_stamp: Mapped[str] = mapped_column(default=new_stamp)
    email_confirmed_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]

    # A write that was prepared under an old stamp fails (StaleDataError): of two requests with
    # the same link at the same moment, one wins.
    __mapper_args__ = {"version_id_col": session_stamp, "version_id_generator": False}

    memberships: Mapped[list["Membership"]] = relationship(back_populates="user")

    @classmethod
    def with_email(cls, email: str) -> "User | None":
        """The person with this address, however it's spelt."""
        same = select(cls).where(cls.email_norm == emails.norm(email))
        return db.session.scalars(same).one_or_none()

    def set_email(self, email: str) -> None:
        """Be known by this address from now on."""
        self.email = email
        self.email_norm = emails.norm(email)

    def set_password_hash(self, password_hash: str) -> None:
        """Have another password; whoever got in with the old one is out."""
        self.password_hash = password_hash
        self.end_sessions()

    def end_sessions(self) -> None:
        """End every session, and every link that was mailed before."""
        self.session_stamp = new_stamp()


class Organisation(Base):
    """A tenant as auth keeps it: a customer with a slug of its own."""

    __tablename__ = "auth_tenants"

    id: Mapped[Id]
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    created_at: Mapped[CreatedAt]

    memberships: Mapped[list["Membership"]] = relationship(back_populates="organisation")

    def as_tenant(self) -> Tenant:
        """The tenant as the rest of the product sees it."""
        return Tenant(self.id, self.slug, self.name)


class Membership(Base):
    """A person belongs to a tenant, in a role."""

    __tablename__ = "auth_memberships"
    __table_args__ = (
        CheckConstraint("role IN ('owner', 'member')", name="role"),
        Index(None, "user_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("auth_tenants.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth_users.id"), primary_key=True)
    role: Mapped[str]
    created_at: Mapped[CreatedAt]

    user: Mapped[User] = relationship(back_populates="memberships")
    organisation: Mapped[Organisation] = relationship(back_populates="memberships")


class Invitation(Base):
    """An open invitation; the link holds the token, the table only its hash."""

    __tablename__ = "auth_invitations"
    __table_args__ = (
        CheckConstraint("role IN ('owner', 'member')", name="role"),
        UniqueConstraint("tenant_id", "email_norm"),
    )

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("auth_tenants.id"), primary_key=True)
    id: Mapped[Id]
    email: Mapped[str]
    email_norm: Mapped[str]
    role: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    invited_by: Mapped[UUID | None] = mapped_column(ForeignKey("auth_users.id"))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[Moment]

    organisation: Mapped[Organisation] = relationship()

    def is_open(self, at: datetime | None = None) -> bool:
        """Whether it can still be accepted."""
        return (at or now()) < self.expires_at


class ApiToken(Base):
    """A personal token for the API of one tenant; shown once, kept as a hash."""

    __tablename__ = "auth_tokens"
    __table_args__ = (Index(None, "tenant_id", "user_id"),)

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("auth_tenants.id"), primary_key=True)
    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth_users.id"))
    name: Mapped[str]
    prefix: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[CreatedAt]
    last_used_at: Mapped[Moment | None]
    revoked_at: Mapped[Moment | None]
