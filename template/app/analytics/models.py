"""What analytics keeps: every fact, and how many there were each day."""

from datetime import date
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped

from app.db import LongText, Moment, WithId, metadata_for
from app.tenancy import BelongsToTenant


class Base(WithId, DeclarativeBase):
    """The base of analytics' tables."""

    metadata = metadata_for("analytics")


class Fact(BelongsToTenant, Base):
    """Something that happened in a tenant. Its id is the id of the event that told of it."""

    __tablename__ = "analytics_events"
    __table_args__ = (
        Index(None, "tenant_id", "at", "id"),
        Index(None, "tenant_id", "name", "at"),
    )

    name: Mapped[str]
    actor_id: Mapped[UUID | None]
    facts: Mapped[LongText]
    at: Mapped[Moment]

    @property
    def day(self) -> date:
        """The day in UTC that the fact counts for."""
        return self.at.date()


class DailyEvents(BelongsToTenant, Base):
    """How often something happened on a day: what the dashboard reads instead of every fact."""

    __tablename__ = "analytics_daily"
    __table_args__ = (UniqueConstraint("tenant_id", "day", "name"),)

    day: Mapped[date]
    name: Mapped[str]
    count: Mapped[int]


class DailyPeople(BelongsToTenant, Base):
    """How much a person did on a day."""

    __tablename__ = "analytics_daily_people"
    __table_args__ = (UniqueConstraint("tenant_id", "day", "actor_id"),)

    day: Mapped[date]
    actor_id: Mapped[UUID]
    count: Mapped[int]
