"""What is remembered of moves, in auth's database: a row for each, with the steps behind it."""

from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.auth.models import Base
from app.db import BigInt, CreatedAt, Id, LongText, Moment

STATES = ("moving", "soaking", "returning", "returned", "done", "abandoned")
OPEN = ("moving", "soaking", "returning", "returned")


class Move(Base):
    """A tenant's rows of a service go from one place to another.

    `open_key` keeps a tenant from two open moves of one service. `token` is the last process that
    took the move up: what another one still wants to note is refused.
    """

    __tablename__ = "auth_moves"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        Index(None, "tenant_id", "id"),
    )

    id: Mapped[Id]
    tenant_id: Mapped[UUID]
    slug: Mapped[str]
    service: Mapped[str]
    # Both by their kind: `pool`, or `silo`, whose target has a name.
    source: Mapped[str]
    goal: Mapped[str]
    silo: Mapped[str]
    state: Mapped[str] = mapped_column(default="moving")
    open_key: Mapped[str | None] = mapped_column(unique=True)
    operator: Mapped[str]
    steps: Mapped[LongText] = mapped_column(default="[]")
    doing: Mapped[str] = mapped_column(default="")
    # Of the last attempt to switch, and what the catalog says as long as none succeeded.
    epoch: Mapped[BigInt] = mapped_column(default=0)
    known_epoch: Mapped[BigInt] = mapped_column(default=0)
    evidence: Mapped[LongText] = mapped_column(default="{}")
    error: Mapped[LongText] = mapped_column(default="")
    token: Mapped[str] = mapped_column(default="")
    created_at: Mapped[CreatedAt]
    switched_at: Mapped[Moment | None]
    finished_at: Mapped[Moment | None]

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done."""
        return self.state in OPEN

    @property
    def found(self) -> dict[str, Any]:
        """What it found: rows that were compared, how long people had to wait."""
        kept: dict[str, Any] = orjson.loads(self.evidence)
        return kept

    @property
    def steps_done(self) -> list[str]:
        """The steps that are behind it, in the direction it goes now."""
        found: list[str] = orjson.loads(self.steps)
        return found
