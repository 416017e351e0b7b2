"""Keeping facts: each one is stored and counted, in one transaction, so the two never differ."""

from collections import Counter
from collections.abc import Iterable

from app.analytics.models import DailyEvents, DailyPeople, Fact
from app.counting import add_to
from app.db import db


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
