"""Counting what is used: nothing is lost, nothing counts twice, whoever delivers it."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import UUID

import pytest
from huey.exceptions import RetryTask
from sqlalchemy import func, select

from app import billing, events
from app.billing.models import Metered
from app.db import db
from app.events import InboxRow, OutboxRow


def test_workers_that_count_at_the_same_time_lose_nothing(acme):
    ids = meter_many(acme, 24)

    deliver_at_once(acme, ids)

    assert used_by(acme) == 24


def test_workers_that_deliver_the_same_fact_count_it_once(acme):
    ids = meter_many(acme, 3)

    deliver_at_once(acme, ids * 4)

    assert used_by(acme) == 3


def test_tenants_are_counted_apart(acme, initech):
    deliver_at_once(acme, meter_many(acme, 3) + meter_many(initech, 2))

    assert (used_by(acme), used_by(initech)) == (3, 2)


def test_a_fact_counts_once_even_if_the_inbox_forgot_it(acme):
    """As after a crash between the commits of two databases."""
    (fact,) = meter_many(acme, 1)
    deliver_at_once(acme, [fact])
    with acme.serving():
        for row in db.session.scalars(select(InboxRow)):
            db.session.delete(row)
        db.session.get(OutboxRow, fact).state = "pending"
        db.session.commit()

    deliver_at_once(acme, [fact])

    assert used_by(acme) == 1
    with acme.serving():
        assert db.session.get(OutboxRow, fact).state == "delivered"


@pytest.mark.parametrize("counts", [[1], [5, 2, 900]])
def test_every_fact_is_kept_beside_its_count(acme, counts):
    with acme.serving():
        for count in counts:
            billing.meter("reports.built", count)
        db.session.commit()
    acme.work()

    with acme.serving():
        assert db.session.scalar(select(func.sum(Metered.count)).select_from(Metered)) == sum(
            counts
        )
    assert used_by(acme) == sum(counts)


def meter_many(company, count: int) -> list[UUID]:
    with company.serving():
        known = set(db.session.scalars(select(OutboxRow.id)))
        for _ in range(count):
            billing.meter("reports.built")
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


def used_by(company) -> int:
    with company.serving():
        return billing.used("reports.built")
