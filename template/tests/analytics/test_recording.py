"""Recording: a fact counts once, when it is true, for the tenant it happened in."""

import orjson
import pytest
from flask import session
from sqlalchemy import select, update

from app import analytics, events
from app.analytics.models import DailyEvents, DailyPeople, Fact
from app.db import db
from app.events import InboxRow, OutboxRow
from app.tenancy import NoTenant
from app.tenancy.urls import SLUG


def facts_of(company) -> list[Fact]:
    with company.serving():
        return list(db.session.scalars(select(Fact).order_by(Fact.at)))


def record(company, name="project created", **facts):
    with company.serving():
        analytics.record(name, **facts)
        db.session.commit()


def test_a_fact_is_kept_with_what_was_told(acme):
    record(acme, "project created", project="Apollo", tags=["big"])
    acme.work()

    (fact,) = facts_of(acme)
    assert fact.name == "project created"
    assert orjson.loads(fact.facts) == {"project": "Apollo", "tags": ["big"]}


def test_a_fact_may_have_any_name_for_its_details(acme):
    with acme.serving():
        analytics.record("project created", name="Apollo", facts=1, what=2)
        db.session.commit()
    acme.work()

    (fact,) = facts_of(acme)
    assert orjson.loads(fact.facts) == {"name": "Apollo", "facts": 1, "what": 2}


def test_a_fact_that_was_rolled_back_never_happened(acme):
    with acme.serving():
        analytics.record("project created")
        db.session.rollback()
    acme.work()

    assert facts_of(acme) == []


def test_nothing_counts_before_the_commit(acme):
    with acme.serving():
        analytics.record("project created")
        acme.work()

        assert facts_of(acme) == []


def test_a_fact_delivered_twice_counts_once(acme):
    record(acme)
    acme.work()

    deliver_again(acme)

    assert len(facts_of(acme)) == 1
    assert counts_of(acme, DailyEvents) == [1]


def test_a_fact_counts_once_even_if_the_inbox_forgot_it(acme):
    """As after a crash between two databases, where analytics has one of its own."""
    record(acme)
    acme.work()
    with acme.serving():
        db.session.query(InboxRow).delete()
        db.session.commit()

    deliver_again(acme)

    assert len(facts_of(acme)) == 1
    assert counts_of(acme, DailyEvents) == [1]


def test_another_tenant_sees_nothing_of_it(acme, initech):
    record(acme)
    acme.work()

    assert facts_of(initech) == []
    assert counts_of(initech, DailyEvents) == []


def test_who_did_it_is_noted(acme):
    record_in_a_request(acme)
    acme.work()

    assert [fact.actor_id for fact in facts_of(acme)] == [acme.user_id]
    assert counts_of(acme, DailyPeople) == [1]


def test_what_nobody_did_counts_for_nobody(acme):
    record(acme)
    acme.work()

    assert counts_of(acme, DailyEvents) == [1]
    assert counts_of(acme, DailyPeople) == []


def test_a_fact_needs_a_tenant(app):
    with app.app_context(), pytest.raises(NoTenant):
        analytics.record("project created")


def deliver_again(company):
    with company.app.app_context():
        db.session.execute(update(OutboxRow).values(state="pending"))
        db.session.commit()
        for event_id in db.session.scalars(select(OutboxRow.id)).all():
            events.deliver(str(event_id))


def counts_of(company, daily) -> list[int]:
    with company.serving():
        return list(db.session.scalars(select(daily.count)))


def record_in_a_request(company):
    """Record as a view does, with somebody signed in."""
    with company.app.test_request_context(environ_overrides={SLUG: company.tenant.slug}):
        session["_user_id"] = company.session_id
        company.app.preprocess_request()
        analytics.record("project created")
        db.session.commit()
