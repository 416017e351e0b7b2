"""What is used is told to Stripe: all of it, once, and only what is to be billed."""

import time_machine
from sqlalchemy import select

from app.billing.models import Metered
from app.db import db, now
from tests.billing.subscribers import time_passes, use


def test_what_a_subscriber_uses_is_told_to_stripe(acme, stripe, buy):
    subscription = buy(acme)

    use(acme, count=3)

    (told,) = stripe.meter_events.values()
    assert told["event_name"] == "reports.built"
    assert told["payload"] == {"stripe_customer_id": subscription["customer"], "value": "3"}
    assert abs(int(told["timestamp"]) - now().timestamp()) < 60


def test_what_was_used_before_is_not_billed_afterwards(acme, stripe, buy):
    use(acme)

    buy(acme)
    use(acme, count=2)

    assert [event["payload"]["value"] for event in stripe.meter_events.values()] == ["2"]


def test_what_was_used_while_stripe_was_away_is_told_later(acme, stripe, buy):
    buy(acme)
    stripe.is_down = True
    use(acme)
    use(acme, count=4)
    assert stripe.meter_events == {}

    stripe.is_down = False
    with time_machine.travel(now(), tick=True) as clock:
        clock.shift(700)
        time_passes(acme)

        assert sorted(e["payload"]["value"] for e in stripe.meter_events.values()) == ["1", "4"]


def test_a_crash_after_telling_bills_nothing_twice(acme, stripe, buy):
    buy(acme)
    use(acme)
    with acme.serving():
        for fact in db.session.scalars(select(Metered)):
            fact.told_at = None
        db.session.commit()

    use(acme)

    assert len(stripe.meter_events) == 2
    assert untold(acme) == 0


def test_a_meter_that_stripe_does_not_know_loses_nothing(acme, stripe, buy):
    buy(acme)
    stripe.meters.clear()
    use(acme)
    assert untold(acme) == 1

    stripe.measure("reports.built")
    use(acme)

    assert len(stripe.meter_events) == 2
    assert untold(acme) == 0


def untold(company) -> int:
    with company.serving():
        return len(db.session.scalars(select(Metered).where(Metered.told_at.is_(None))).all())
