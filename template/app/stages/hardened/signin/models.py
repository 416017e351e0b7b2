"""What signing in keeps: a row for each session."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.auth.models import Base
from app.db import CreatedAt, Id, Moment

WAYS = ("password", "passkey", "sso")


class Session(Base):
    """Somebody is signed in at a browser. The browser has the key, the table its hash."""

    __tablename__ = "auth_sessions"
    __table_args__ = (
        CheckConstraint(f"how IN {WAYS}", name="how"),
        Index(None, "user_id", "ends_at"),
    )

    id: Mapped[Id]
    key_hash: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"))
    # A print of the person's stamp: a new password ends the sessions that have the old one.
    stamp: Mapped[str]
    how: Mapped[str]
    # Whether a second factor was shown, or a passkey, which is two in one.
    strong: Mapped[bool]
    # The tenant whose own provider said who it is.
    sso_tenant_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("auth_tenants.id", ondelete="CASCADE")
    )
    user_agent: Mapped[str]
    address: Mapped[str]
    made_at: Mapped[CreatedAt]
    seen_at: Mapped[Moment]
    ends_at: Mapped[Moment]
    ended_at: Mapped[Moment | None]
