"""The kinds of columns that models share, so that no model says them twice."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Dialect, Text
from sqlalchemy.orm import mapped_column
from sqlalchemy.types import TypeDecorator
from uuid_utils.compat import uuid7


def now() -> datetime:
    """The current moment, always in UTC."""
    return datetime.now(UTC)


def new_id() -> UUID:
    """A new UUIDv7 (RFC 9562): unique anywhere, and ordered by the moment it was made."""
    return uuid7()


def first_id_at(moment: datetime) -> UUID:
    """The smallest id that can have been made at a moment: what is older has a smaller one."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment that comes back with its time zone, on SQLite too."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("A moment without a time zone can't be stored: use app.db.now().")
        return value.astimezone(UTC) if value is not None else None

    def result_processor(self, dialect: Dialect, _coltype: object) -> Callable[..., Any] | None:
        """PostgreSQL's moments come back whole; SQLite gives text without a zone."""
        return moment_in if dialect.name == "sqlite" else None


def moment_in(text: str | None) -> datetime | None:
    """The moment that SQLite keeps as text."""
    return None if text is None else datetime.fromisoformat(f"{text}+00:00")


Id = Annotated[UUID, mapped_column(primary_key=True, default=new_id)]
Moment = Annotated[datetime, mapped_column(UtcDateTime)]
CreatedAt = Annotated[datetime, mapped_column(UtcDateTime, default=now)]
LongText = Annotated[str, mapped_column(Text)]
BigInt = Annotated[int, mapped_column(BigInteger)]
