"""The audit trail as people read it: with names, a page at a time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from app import audit
from app.auth.calls import names_of

PAGE = 50
NOBODY = "The system"
GONE = "A former member"


@dataclass(frozen=True, slots=True)
class Deed:
    """Who did what to whom."""

    at: datetime
    who: str
    what: str
    whom: str
    details: dict[str, Any]


def page_of(mark: str) -> tuple[list[Deed], str]:
    """The deeds before a mark, and the mark of the next page (empty on the last one)."""
    rows = audit.recent(PAGE + 1, before=read(mark))
    older = str(rows[PAGE - 1].id) if len(rows) > PAGE else ""
    rows = rows[:PAGE]
    named = {row.actor_id for row in rows} | {read(row.target) for row in rows}
    names = names_of({person for person in named if person})
    return [deed(row, names) for row in rows], older


def deed(row: audit.AuditRow, names: dict[UUID, str]) -> Deed:
    target = read(row.target)
    return Deed(
        at=row.at,
        who=names.get(row.actor_id, GONE) if row.actor_id else NOBODY,
        what=row.action.replace(".", " ").replace("_", " "),
        whom=names.get(target, "") if target else row.target,
        details=orjson.loads(row.details),
    )


def read(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
