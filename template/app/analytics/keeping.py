"""Keeping facts: each one is stored and counted, in one transaction, so the two never differ."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, cast

from sqlalchemy import CursorResult, update
from sqlalchemy.exc import IntegrityError

from app.analytics.models import DailyEvents, DailyPeople, Fact
from app.db import db

Daily = type[DailyEvents] | type[DailyPeople]


def keep(facts: Iterable[Fact]) -> None:
    """Store new facts and count them. The caller commits."""
    facts = list(facts)
    # Names before people, always: two workers that lock rows in one order can't deadlock.
    for (day, name), count in sorted(Counter((fact.day, fact.name) for fact in facts).items()):
        add_to(DailyEvents, count, day=day, name=name)
    people = Counter((fact.day, fact.actor_id) for fact in facts if fact.actor_id)
    for (day, actor_id), count in sorted(people.items()):
        add_to(DailyPeople, count, day=day, actor_id=actor_id)
    db.session.add_all(facts)


def add_to(daily: Daily, count: int, **day: Any) -> None:
    """Raise a day's count; the first count of a day makes its row."""
    if raise_count(daily, count, day):
        return
    try:
        with db.session.begin_nested():
            db.session.add(daily(count=count, **day))
    except IntegrityError:
        # Another worker made the row a moment ago; what it counted stays.
        raise_count(daily, count, day)


def raise_count(daily: Daily, count: int, day: dict[str, Any]) -> bool:
    """Whether there was a row to raise. The database adds, so that no worker's count is lost."""
    raised = db.session.execute(
        update(daily)
        .filter_by(**day)
        .values(count=daily.count + count)
        .execution_options(synchronize_session=False)
    )
    return bool(cast("CursorResult[Any]", raised).rowcount)
