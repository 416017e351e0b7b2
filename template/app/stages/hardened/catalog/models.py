"""What the catalog keeps in auth's database: tenants' states, targets, and who is placed where.

A tenant without a row is active, in the pool, at epoch 0. Nothing here refers to a tenant's row,
so that what is said of one that was deleted outlives it.
"""

from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.auth.models import Base
from app.db import BigInt, CreatedAt, LongText, Moment, now
from app.stages.hardened.catalog.places import KINDS, SILOED, STATES


class CatalogRow(Base):
    """A tenant's state, and what is known of it besides where its rows are."""

    __tablename__ = "auth_catalog"
    __table_args__ = (CheckConstraint(f"state IN {STATES}", name="state"), Index(None, "state"))

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(default="active")
    reason: Mapped[LongText] = mapped_column(default="")
    tier: Mapped[str] = mapped_column(default="")
    region: Mapped[str] = mapped_column(default="")
    release: Mapped[str] = mapped_column(default="")
    # Only grows, so that of two answers the newer one is known.
    version: Mapped[BigInt] = mapped_column(default=1)
    created_at: Mapped[CreatedAt]
    changed_at: Mapped[Moment] = mapped_column(default=now)

    __mapper_args__ = {"version_id_col": version}


class TargetRow(Base):
    """A place where a service's rows of one tenant may be, and how to reach it."""

    __tablename__ = "auth_targets"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind"),
        CheckConstraint(f"service IN {SILOED}", name="service"),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    service: Mapped[str]
    kind: Mapped[str]
    host: Mapped[str]
    port: Mapped[int]
    database: Mapped[str]
    role: Mapped[str]
    owner_role: Mapped[str]
    # Names where the passwords are, or what they are derived from: never a password.
    secret_ref: Mapped[str]
    # What else a kind's driver needs, as JSON: an account's id, a region.
    details: Mapped[LongText] = mapped_column(default="{}")
    created_at: Mapped[CreatedAt]


class PlacementRow(Base):
    """Which target a tenant's rows of a service are at. The epoch grows with each move."""

    __tablename__ = "auth_placements"
    __table_args__ = (
        CheckConstraint(f"service IN {SILOED}", name="service"),
        CheckConstraint("epoch >= 0", name="epoch"),
        Index(None, "service", "target"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    service: Mapped[str] = mapped_column(primary_key=True)
    # Empty: the pool.
    target: Mapped[str]
    epoch: Mapped[BigInt]
    changed_at: Mapped[Moment] = mapped_column(default=now)
