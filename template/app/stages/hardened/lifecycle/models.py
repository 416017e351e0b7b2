"""What operators have done to tenants: a row for each operation, with the steps behind it."""

from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.auth.models import Base
from app.db import BigInt, CreatedAt, Id, LongText, Moment
from app.db import now as moment

STATES = ("running", "stopped", "done", "abandoned")


class Operation(Base):
    """One operation on one tenant: what was asked, which steps are done, who is at it.

    `running` and `stopped` are open: a process is at it or was killed, or an error stopped it.
    `open_key` keeps a tenant from having two open ones. It outlives the tenant, so it refers to
    none.
    """

    __tablename__ = "auth_operations"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        Index(None, "tenant_id", "id"),
        Index(None, "state"),
    )

    id: Mapped[Id]
    kind: Mapped[str]
    tenant_id: Mapped[UUID]
    slug: Mapped[str]
    open_key: Mapped[str | None] = mapped_column(unique=True)
    state: Mapped[str]
    operator: Mapped[str]
    asked: Mapped[LongText]
    steps: Mapped[LongText]
    evidence: Mapped[LongText]
    doing: Mapped[str]
    done: Mapped[BigInt]
    total: Mapped[BigInt]
    error: Mapped[LongText]
    holder: Mapped[str]
    held_until: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]
    finished_at: Mapped[Moment | None]

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done."""
        return self.state in {"running", "stopped"}

    @property
    def steps_done(self) -> list[str]:
        """The names of the steps that are done."""
        found: list[str] = orjson.loads(self.steps)
        return found

    @property
    def proof(self) -> dict[str, Any]:
        """What the steps found, and what later ones need of earlier ones."""
        found: dict[str, Any] = orjson.loads(self.evidence)
        return found

    @property
    def wishes(self) -> dict[str, Any]:
        """What was asked for."""
        found: dict[str, Any] = orjson.loads(self.asked)
        return found

    @property
    def is_held(self) -> bool:
        """Whether a process said a moment ago that it's at it."""
        return self.held_until is not None and self.held_until > moment()
