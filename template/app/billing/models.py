"""What billing keeps: what each tenant subscribed to, used and was billed for."""

from datetime import date
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from app.db import BigInt, CreatedAt, Moment, WithId, metadata_for
from app.tenancy import BelongsToTenant

# Why a column may be unique over all tenants.
OF_PROVIDER = {"spans_tenants": "the payment provider makes these ids, and nobody can choose one"}


class Base(WithId, DeclarativeBase):
    """The base of billing's tables."""

    metadata = metadata_for("billing")


class Subscription(BelongsToTenant, Base):
    """What a tenant subscribed to. A tenant without a row has never left the default plan.

    Where the provider is `none`, nobody pays: the plan is free or was granted. `due_at` is when
    we look at it again by ourselves, even if nobody tells us to.
    """

    __tablename__ = "billing_subscriptions"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'waiting', 'past_due', 'ended')", name="status"),
        CheckConstraint("provider IN ('none', 'local', 'stripe')", name="provider"),
        UniqueConstraint("tenant_id"),
        Index(None, "due_at"),
        {"info": {"spans_tenants": "a sweep finds what is due, whoever's it is"}},
    )

    plan: Mapped[str]
    status: Mapped[str] = mapped_column(default="active")
    provider: Mapped[str] = mapped_column(default="none")
    provider_id: Mapped[str | None] = mapped_column(unique=True, info=OF_PROVIDER)
    period_starts_at: Mapped[Moment | None]
    period_ends_at: Mapped[Moment | None]
    cancel_at_period_end: Mapped[bool] = mapped_column(default=False)
    due_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]


class Customer(BelongsToTenant, Base):
    """A tenant as the payment provider knows it. The version counts what we learned from there."""

    __tablename__ = "billing_customers"
    __table_args__ = (
        UniqueConstraint("tenant_id"),
        {"info": {"spans_tenants": "a webhook names a customer, and so learns the tenant"}},
    )

    provider_id: Mapped[str] = mapped_column(unique=True, info=OF_PROVIDER)
    version: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[CreatedAt]


class Metered(BelongsToTenant, Base):
    """One metered fact. Its id is the id of the event that told of it, so it counts once.

    `told_at` is when the payment provider was told of it, or that it need not be.
    """

    __tablename__ = "billing_metered"
    __table_args__ = (Index(None, "tenant_id", "told_at"),)

    meter: Mapped[str]
    count: Mapped[BigInt]
    at: Mapped[Moment]
    told_at: Mapped[Moment | None]


class Usage(BelongsToTenant, Base):
    """How much of something a tenant used in a month: what pages read instead of every fact."""

    __tablename__ = "billing_usage"
    __table_args__ = (UniqueConstraint("tenant_id", "month", "meter"),)

    month: Mapped[date]
    meter: Mapped[str]
    count: Mapped[BigInt]


class Invoice(BelongsToTenant, Base):
    """What a tenant was billed; amounts are whole minor units of the currency."""

    __tablename__ = "billing_invoices"
    __table_args__ = (
        CheckConstraint("status IN ('draft', 'open', 'paid', 'void', 'lost')", name="status"),
        UniqueConstraint("tenant_id", "number"),
        Index(None, "tenant_id", "issued_at"),
    )

    number: Mapped[str]
    status: Mapped[str]
    currency: Mapped[str]
    total: Mapped[BigInt]
    period_starts_at: Mapped[Moment]
    period_ends_at: Mapped[Moment]
    issued_at: Mapped[Moment]
    paid_at: Mapped[Moment | None]
    provider_id: Mapped[str | None] = mapped_column(unique=True, info=OF_PROVIDER)
    provider_url: Mapped[str | None]

    lines: Mapped[list["InvoiceLine"]] = relationship(
        order_by="InvoiceLine.place", cascade="all, delete-orphan", lazy="selectin"
    )


class InvoiceLine(BelongsToTenant, Base):
    """A line of an invoice."""

    __tablename__ = "billing_invoice_lines"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "invoice_id"], ["billing_invoices.tenant_id", "billing_invoices.id"]
        ),
        UniqueConstraint("tenant_id", "invoice_id", "place"),
    )

    invoice_id: Mapped[UUID]
    place: Mapped[int]
    text: Mapped[str]
    quantity: Mapped[BigInt]
    amount: Mapped[BigInt]


class WebhookEvent(Base):
    """An event that the payment provider told us of; it is taken once, however often it's sent."""

    __tablename__ = "billing_webhook_events"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    customer: Mapped[str]
    received_at: Mapped[CreatedAt]
