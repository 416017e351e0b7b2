"""What auth's database remembers of the fleet: runs of migrations, their visits, what was seen."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.auth.models import Base
from app.db import BigInt, CreatedAt, Id, LongText, Moment

RUN_STATES = ("running", "stopped", "done", "superseded")
VISIT_STATES = ("waiting", "done", "failed")


class Run(Base):
    """Bringing all silos to the migrations of one release; `target` names these."""

    __tablename__ = "auth_fleet_runs"
    __table_args__ = (CheckConstraint(f"state IN {RUN_STATES}", name="state"),)

    id: Mapped[Id]
    target: Mapped[LongText]
    state: Mapped[str] = mapped_column(default="running")
    why: Mapped[LongText] = mapped_column(default="")
    stops_after: Mapped[BigInt]
    created_at: Mapped[CreatedAt]
    finished_at: Mapped[Moment | None]


class Visit(Base):
    """One silo in a run. Until its lease ends, it's its holder's to visit."""

    __tablename__ = "auth_fleet_visits"
    __table_args__ = (
        CheckConstraint(f"state IN {VISIT_STATES}", name="state"),
        Index(None, "run_id", "state", "wave"),
    )

    run_id: Mapped[UUID] = mapped_column(ForeignKey("auth_fleet_runs.id"), primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)
    service: Mapped[str]
    tenant_id: Mapped[UUID]
    wave: Mapped[BigInt]
    state: Mapped[str] = mapped_column(default="waiting")
    outcome: Mapped[str] = mapped_column(default="")
    holder: Mapped[str] = mapped_column(default="")
    leased_until: Mapped[Moment | None]
    attempts: Mapped[BigInt] = mapped_column(default=0)
    error: Mapped[LongText] = mapped_column(default="")
    finished_at: Mapped[Moment | None]


class Script(Base):
    """What a run does to a service's silos of one version: a run never does two things."""

    __tablename__ = "auth_fleet_scripts"

    run_id: Mapped[UUID] = mapped_column(ForeignKey("auth_fleet_runs.id"), primary_key=True)
    service: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str]
    sql: Mapped[LongText]


class Seen(Base):
    """The migrations that a silo had when somebody last looked, or why nobody could."""

    __tablename__ = "auth_fleet_silos"

    place: Mapped[str] = mapped_column(primary_key=True)
    service: Mapped[str]
    tenant_id: Mapped[UUID]
    version: Mapped[LongText]
    problem: Mapped[LongText]
    seen_at: Mapped[Moment]
