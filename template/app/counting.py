"""Counts that several workers raise at once: the database adds, so that nobody's count is lost."""

from typing import Any, cast

from sqlalchemy import CursorResult, update
from sqlalchemy.exc import IntegrityError

from app.db import db


def add_to(model: Any, count: int, **key: Any) -> None:
    """Raise `model.count` of the row with this unique key; the first count makes the row."""
    if raise_count(model, count, key):
        return
    try:
        with db.session.begin_nested():
            db.session.add(model(count=count, **key))
    except IntegrityError:
        # Another worker made the row a moment ago; what it counted stays.
        raise_count(model, count, key)


def raise_count(model: Any, count: int, key: dict[str, Any]) -> bool:
    """Whether there was a row to raise."""
    raised = db.session.execute(
        update(model)
        .filter_by(**key)
        .values(count=model.count + count)
        .execution_options(synchronize_session=False)
    )
    return bool(cast("CursorResult[Any]", raised).rowcount)
