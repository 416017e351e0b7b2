"""What a service can't do itself it says, and the neighbour that owns it does it."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app import analytics, billing
from app.analytics.models import Fact
from app.billing.models import Subscription
from app.db import db, new_id, now
from app.tenancy import serving
from tests.services.events.turns import Worker, ship


def test_a_plan_that_another_service_grants_is_granted_by_billing(make_service, acme_there):
    features, there = make_service("features"), make_service("billing")
    with features.app_context(), serving(acme_there):
        billing.grant("pro")
        db.session.commit()

    ship(features)
    Worker(there).turn()

    with there.app_context(), serving(acme_there):
        [row] = db.session.scalars(select(Subscription))
    assert (row.plan, row.status, row.provider) == ("pro", "active", "none")


def test_a_plan_that_does_not_exist_is_refused_where_it_is_granted(make_service, acme_there):
    features = make_service("features")

    with (
        features.app_context(),
        serving(acme_there),
        pytest.raises(billing.UnknownInPlans),
    ):
        billing.grant("rockets")


def test_a_history_that_another_service_hands_in_is_kept_by_analytics(make_service, acme_there):
    features, there = make_service("features"), make_service("analytics")
    ada, start = new_id(), now() - timedelta(days=30)
    history = [
        analytics.Happened("roof built", start + timedelta(minutes=n), ada, {"n": n})
        for n in range(700)
    ]
    with features.app_context(), serving(acme_there):
        analytics.backfill(history)
        db.session.commit()

    shipped = ship(features)
    Worker(there).turn(2)

    with there.app_context(), serving(acme_there):
        facts = list(db.session.scalars(select(Fact).order_by(Fact.at)))
    assert shipped == 2
    assert [fact.at for fact in facts] == [one.at for one in history]
    assert {(fact.name, fact.actor_id) for fact in facts} == {("roof built", ada)}
    assert facts[1].facts == '{"n":1}'
