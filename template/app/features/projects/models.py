"""What projects keeps, and its rules."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Mapped, mapped_column, validates

from app import analytics, audit, billing, events
from app.auth import current_user
from app.db import CreatedAt, LongText, Model, Moment, db, now
from app.errors import Unavailable
from app.tenancy import BelongsToTenant
from app.turns import take_turns
from app.versions import Versioned


class Project(Versioned, BelongsToTenant, Model):
    """Something that people work on together."""

    __tablename__ = "projects"

    name: Mapped[str]
    folded_name: Mapped[str]
    description: Mapped[LongText] = mapped_column(default="")
    created_by: Mapped[UUID]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[Moment] = mapped_column(default=now, onupdate=now)
    archived_at: Mapped[Moment | None]

    @validates("name")
    def fold(self, _key: str, name: str) -> str:
        """Keep the name once more as it's searched: SQLite knows upper case in ASCII only."""
        self.folded_name = name.casefold()
        return name

    @classmethod
    def begin(cls, name: str, description: str = "") -> "Project":
        """A new project. Raises `billing.LimitReached`."""
        make_sure_there_is_room()
        project = cls(name=name, description=description, created_by=current_user.id)
        db.session.add(project)
        project.tell("created")
        return project

    def change(self, name: str | None = None, description: str | None = None) -> None:
        """Give it another name or description; what is left out stays."""
        if name is not None:
            self.name = name
        if description is not None:
            self.description = description
        if db.session.is_modified(self):
            self.tell("updated")

    def archive(self, at: datetime) -> None:
        """Put it away: it counts no more for the plan, and can be brought back."""
        if not self.is_archived:
            self.archived_at = at
            self.tell("archived")

    def restore(self) -> None:
        """Bring it back from the archive. Raises `billing.LimitReached`."""
        if self.is_archived:
            make_sure_there_is_room()
            self.archived_at = None
            self.tell("restored")

    def delete(self) -> None:
        """Remove it for good."""
        db.session.delete(self)
        self.tell("deleted")

    @property
    def is_archived(self) -> bool:
        """Whether it was put away."""
        return self.archived_at is not None

    def tell(self, deed: str) -> None:
        """Tell the audit trail, whoever listens and the dashboard, in this same transaction."""
        audit.note(f"project.{deed}", self.id, name=self.name)
        events.publish(f"project.{deed}", project=self.id, name=self.name)
        analytics.record(f"project {deed}", project=self.name)


class Report(BelongsToTenant, Model):
    """A table of all projects as they were at a moment, built by the worker."""

    __tablename__ = "project_reports"

    job_id: Mapped[UUID]
    asked_by: Mapped[UUID]
    asked_at: Mapped[CreatedAt]
    built_at: Mapped[Moment | None]
    body: Mapped[LongText] = mapped_column(default="", deferred=True)

    @property
    def is_built(self) -> bool:
        """Whether it can be downloaded."""
        return self.built_at is not None

    def finish(self, body: str, at: datetime) -> None:
        """Keep what was built; only now does it count for the bill."""
        self.body = body
        self.built_at = at
        billing.meter("reports.built")
        analytics.record("report built")


def make_sure_there_is_room() -> None:
    """Refuse one project more than the plan has room for. Raises `billing.LimitReached`."""
    take_turns("projects")  # Two who begin the last one together would both see room.
    try:
        limit = billing.limit("projects")
    except Unavailable:
        return  # A billing outage must not stop people from working.
    if limit is not None and count() >= limit:
        raise billing.LimitReached(
            f"Your plan has room for {limit} projects. Archive one, or change the plan."
        )


def count() -> int:
    """How many projects there are, without the archived ones."""
    unarchived = select(func.count(Project.id)).where(Project.archived_at.is_(None))
    return db.session.scalar(unarchived) or 0


def make_sure_reports_are_included() -> None:
    """Raises `billing.NotInPlan`."""
    try:
        included = billing.allows("reports")
    except Unavailable:
        return
    if not included:
        raise billing.NotInPlan("Reports aren't part of your plan.")
