"""Counting: the daily counts are those of the facts, whoever delivers them and however often."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

from huey.exceptions import RetryTask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from app import analytics, events
from app.analytics import Happened
from app.analytics.models import DailyEvents, DailyPeople, Fact
from app.db import db
from app.events import OutboxRow

ADA, MAX = UUID(int=1), UUID(int=2)
NEW_YEARS_EVE = datetime(2025, 12, 31, 22, tzinfo=UTC)

happenings = st.builds(
    Happened,
    name=st.sampled_from(["project created", "report built", "=formula", "ünïcode"]),
    at=st.integers(0, 96).map(lambda hours: NEW_YEARS_EVE + timedelta(hours=hours)),
    actor_id=st.sampled_from([ADA, MAX, None]),
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batches=st.lists(st.lists(happenings, max_size=12), max_size=4))
def test_the_daily_counts_are_those_of_the_facts(acme, batches):
    forget_everything(acme)

    for batch in batches:
        with acme.serving():
            analytics.backfill(batch)
            db.session.commit()

    with acme.serving():
        facts = db.session.scalars(select(Fact)).all()
        assert len(facts) == sum(map(len, batches))
        assert events_by_day() == Counter((fact.at.date(), fact.name) for fact in facts)
        assert people_by_day() == Counter(
            (fact.at.date(), fact.actor_id) for fact in facts if fact.actor_id
        )


def test_workers_that_count_at_the_same_time_lose_nothing(acme):
    ids = record_many(acme, 24)

    deliver_at_once(acme, ids)

    with acme.serving():
        assert len(db.session.scalars(select(Fact)).all()) == 24
        assert list(events_by_day().values()) == [24]


def test_workers_that_deliver_the_same_fact_count_it_once(acme):
    ids = record_many(acme, 3)

    deliver_at_once(acme, ids * 4)

    with acme.serving():
        assert list(events_by_day().values()) == [3]


def test_tenants_are_counted_apart(acme, initech):
    deliver_at_once(acme, record_many(acme, 3) + record_many(initech, 2))

    with acme.serving():
        assert list(events_by_day().values()) == [3]
    with initech.serving():
        assert list(events_by_day().values()) == [2]


def record_many(company, count: int) -> list[UUID]:
    with company.serving():
        known = set(db.session.scalars(select(OutboxRow.id)))
        for number in range(count):
            analytics.record("report built", number=number)
        db.session.commit()
        return [one for one in db.session.scalars(select(OutboxRow.id)) if one not in known]


def deliver_at_once(company, ids: list[UUID]) -> None:
    """Deliver by several workers that all start together."""

    def deliver(event_id: UUID) -> None:
        # One that met another is told to try again later, as the queue would.
        with company.app.app_context(), suppress(RetryTask):
            events.deliver(str(event_id))

    with ThreadPoolExecutor(max_workers=6) as workers:
        list(workers.map(deliver, ids))


def events_by_day() -> Counter:
    rows = db.session.scalars(select(DailyEvents))
    return Counter({(row.day, row.name): row.count for row in rows})


def people_by_day() -> Counter:
    rows = db.session.scalars(select(DailyPeople))
    return Counter({(row.day, row.actor_id): row.count for row in rows})


def forget_everything(company) -> None:
    with company.serving():
        for model in (Fact, DailyEvents, DailyPeople):
            db.session.execute(delete(model))
        db.session.commit()
