"""What signing in keeps: sessions, what limits an API key, second factors, rules,
passkeys, and who is who at a tenant's provider."""

from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.auth.models import Base, Organisation
from app.db import BigInt, CreatedAt, Id, LongText, Moment
from app.encryption import EncryptedText

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


class KeyLimits(Base):
    """How far an API key reaches, and until when. A key from before this stage has no limits."""

    __tablename__ = "auth_key_limits"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "token_id"],
            ["auth_tokens.tenant_id", "auth_tokens.id"],
            ondelete="CASCADE",
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    token_id: Mapped[UUID] = mapped_column(primary_key=True)
    # Names of permissions, with spaces between; none: all that its person has.
    scopes: Mapped[LongText | None]
    expires_at: Mapped[Moment]


class Totp(Base):
    """A person's authenticator app: the secret, and the last step that a code was used of."""

    __tablename__ = "auth_totp"

    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("auth_users.id", ondelete="CASCADE"), primary_key=True
    )
    secret: Mapped[str] = mapped_column(EncryptedText)
    last_step: Mapped[BigInt]
    created_at: Mapped[CreatedAt]
    confirmed_at: Mapped[Moment | None]


class RecoveryCode(Base):
    """A code for the day when the phone is lost: kept as a hash, good for one log-in."""

    __tablename__ = "auth_recovery_codes"
    __table_args__ = (UniqueConstraint("user_id", "code_hash"),)

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"))
    code_hash: Mapped[str]
    used_at: Mapped[Moment | None]


class Rules(Base):
    """What a tenant asks of sessions; without a row, nothing."""

    __tablename__ = "auth_sign_in_rules"

    tenant_id: Mapped[UUID] = mapped_column(
        ForeignKey("auth_tenants.id", ondelete="CASCADE"), primary_key=True
    )
    strong_only: Mapped[bool]


class Passkey(Base):
    """A key pair of a person's device: we have the public one."""

    __tablename__ = "auth_passkeys"
    __table_args__ = (Index(None, "user_id"),)

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"))
    credential_id: Mapped[str] = mapped_column(unique=True)
    public_key: Mapped[LongText]
    sign_count: Mapped[BigInt]
    name: Mapped[str]
    created_at: Mapped[CreatedAt]
    last_used_at: Mapped[Moment | None]


class Ceremony(Base):
    """What was asked of a browser, until it's answered."""

    __tablename__ = "auth_ceremonies"

    key_hash: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    facts: Mapped[LongText]
    ends_at: Mapped[Moment] = mapped_column(index=True)


class Sso(Base):
    """A tenant's own provider of identities."""

    __tablename__ = "auth_sso"

    tenant_id: Mapped[UUID] = mapped_column(
        ForeignKey("auth_tenants.id", ondelete="CASCADE"), primary_key=True
    )
    issuer: Mapped[str]
    client_id: Mapped[str]
    client_secret: Mapped[str] = mapped_column(EncryptedText)
    # With spaces between.
    domains: Mapped[LongText]
    role_claim: Mapped[str]
    role_map: Mapped[LongText]
    enforced: Mapped[bool]

    organisation: Mapped[Organisation] = relationship()


class SsoLink(Base):
    """Somebody as their tenant's provider knows them, and the account that they have here."""

    __tablename__ = "auth_sso_links"
    __table_args__ = (UniqueConstraint("tenant_id", "issuer", "subject"), Index(None, "user_id"))

    id: Mapped[Id]
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("auth_tenants.id", ondelete="CASCADE"))
    issuer: Mapped[str]
    subject: Mapped[str]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth_users.id", ondelete="CASCADE"))
    created_at: Mapped[CreatedAt]
