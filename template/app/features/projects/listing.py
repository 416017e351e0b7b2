"""Lists of projects: newest first, a page at a time, by name if people search.

A page begins behind a mark, the id of the last project seen: it costs the same on every page, and
none is skipped or shown twice while others are added.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, select

from app.features.projects.models import Project
from app.tenancy import prepared

HIGHEST = UUID(int=2**128 - 1)

COLUMNS = select(
    Project.id,
    Project.name,
    Project.description,
    Project.created_by,
    Project.created_at,
    Project.updated_at,
    Project.archived_at,
    Project.version,
)
PAGE = (
    COLUMNS.where(Project.id < bindparam("before"))
    .order_by(Project.id.desc())
    .limit(bindparam("size"))
)
MATCHING = Project.folded_name.like(bindparam("pattern"), escape="\\")

# Built once: each list costs one statement that the database knows already.
READS = {
    "active": prepared(PAGE.where(Project.archived_at.is_(None))),
    "archived": prepared(PAGE.where(Project.archived_at.is_not(None))),
    "active found": prepared(PAGE.where(Project.archived_at.is_(None), MATCHING)),
    "archived found": prepared(PAGE.where(Project.archived_at.is_not(None), MATCHING)),
}


@dataclass(frozen=True, slots=True)
class Page:
    """Some projects, and the mark behind which the next ones begin."""

    projects: list[Row[Any]]
    next: UUID | None


def page_of(
    *, words: str = "", archived: bool = False, after: UUID | None = None, size: int = 20
) -> Page:
    """The projects behind a mark, or the newest."""
    asked: dict[str, Any] = {"before": after or HIGHEST, "size": size + 1}
    name = "archived" if archived else "active"
    if words:
        name += " found"
        asked["pattern"] = f"%{literal(words.casefold())}%"
    rows = READS[name].all(**asked)
    return Page(rows[:size], rows[size - 1].id if len(rows) > size else None)


def literal(words: str) -> str:
    """The words for LIKE, their own % and _ included."""
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
