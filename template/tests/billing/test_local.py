"""The development driver: plans change at once, on paper, month by month."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from sqlalchemy import select

from app import billing
from app.audit import recent
from app.billing.subscriptions import PLAN_CHANGED
from app.db import db
from app.events import OutboxRow
from tests.billing.subscribers import (
    TENTH,
    at,
    cancel,
    choose,
    grant,
    invoices_of,
    lines_of,
    plan_of,
    resume,
    subscription_of,
    time_passes,
    use,
)

FIRST_OF_JULY = datetime(2026, 7, 1, 0, 1, tzinfo=UTC)
FIRST_OF_AUGUST = datetime(2026, 8, 1, 0, 1, tzinfo=UTC)


def test_a_plan_that_is_chosen_is_there_at_once_and_billed_by_the_day(acme):
    with at(TENTH):
        assert choose(acme).status_code == 303

        assert plan_of(acme) == "pro"
        (invoice,) = invoices_of(acme)
        assert lines_of(invoice) == [("Pro, 21 of 30 days of June 2026", 1, 2030)]
        assert (invoice.status, invoice.total, invoice.number) == ("paid", 2030, "ACME-0001")


def test_the_choice_is_noted_and_told(acme):
    choose(acme)

    with acme.serving():
        (note,) = recent()
        assert (note.action, note.actor_id) == ("plan.changed", acme.user_id)
        told = select(OutboxRow.facts).where(OutboxRow.name == PLAN_CHANGED)
        assert db.session.scalars(told).all() == ['{"before":"free","after":"pro"}']


def test_a_month_that_is_over_is_billed_with_what_was_used(acme):
    with at(TENTH):
        choose(acme)
        use(acme, count=103)

    with at(FIRST_OF_JULY):
        time_passes(acme)

        assert lines_of(invoices_of(acme)[-1]) == [
            ("Reports built in June 2026, beyond the 100 included", 3, 30),
            ("Pro, July 2026", 1, 2900),
        ]
        assert plan_of(acme) == "pro"


def test_months_that_nobody_looked_at_are_all_billed_once(acme):
    with at(TENTH):
        choose(acme)

    with at(FIRST_OF_AUGUST):
        for _ in range(3):
            time_passes(acme)

        assert [invoice.total for invoice in invoices_of(acme)] == [2030, 2900, 2900]


def test_a_cancelled_plan_stays_to_the_end_of_the_month(acme):
    with at(TENTH):
        choose(acme)
        cancel(acme)
        time_passes(acme)
        assert plan_of(acme) == "pro"

    with at(FIRST_OF_JULY):
        time_passes(acme)

        assert plan_of(acme) == "free"
        assert len(invoices_of(acme)) == 1


def test_what_was_used_before_the_end_is_still_billed(acme):
    with at(TENTH):
        choose(acme)
        use(acme, count=101)
        cancel(acme)

    with at(FIRST_OF_JULY):
        time_passes(acme)

        assert [invoice.total for invoice in invoices_of(acme)] == [2030, 10]


def test_choosing_the_free_plan_cancels(acme):
    choose(acme)

    choose(acme, "free")

    assert subscription_of(acme).cancel_at_period_end
    assert plan_of(acme) == "pro"


def test_a_cancellation_can_be_taken_back(acme):
    with at(TENTH):
        choose(acme)
        cancel(acme)
        resume(acme)

    with at(FIRST_OF_JULY):
        time_passes(acme)

        assert plan_of(acme) == "pro"


def test_a_plan_can_be_chosen_again_after_it_ended(acme):
    with at(TENTH):
        choose(acme)
        cancel(acme)

    with at(FIRST_OF_JULY):
        time_passes(acme)
        choose(acme)

        assert plan_of(acme) == "pro"
        assert [invoice.total for invoice in invoices_of(acme)] == [2030, 2900]


def test_what_makes_no_sense_is_refused_and_changes_nothing(acme):
    assert cancel(acme).status_code == 409
    assert resume(acme).status_code == 409
    assert choose(acme, "free").status_code == 409
    assert choose(acme, "gold").status_code == 404

    choose(acme)
    assert choose(acme).status_code == 409
    cancel(acme)
    assert cancel(acme).status_code == 409
    assert len(invoices_of(acme)) == 1


def test_a_granted_plan_can_be_paid_for_instead(acme):
    grant(acme)

    assert cancel(acme).status_code == 409
    assert choose(acme).status_code == 409


def test_two_clicks_at_once_are_billed_once(acme, app):
    def click(_):
        client = app.test_client()
        with client.session_transaction() as session:
            session["_user_id"] = acme.session_id
        return client.post("/t/acme/billing/subscription", data={"plan": "pro"}).status_code

    with ThreadPoolExecutor(max_workers=4) as clicks:
        answers = list(clicks.map(click, range(4)))

    assert sorted(answers) == [303, 409, 409, 409]
    assert len(invoices_of(acme)) == 1


def test_without_stripe_production_gives_no_plan_away(acme, app, monkeypatch):
    monkeypatch.setattr(app.extensions["payments"], "is_ready", False)

    answer = choose(acme)

    assert answer.status_code == 503
    assert "STRIPE_SECRET_KEY" in answer.text
    assert plan_of(acme) == "free"


def test_a_change_that_was_rolled_back_never_was(acme):
    with acme.serving():
        billing.grant("pro")
        db.session.rollback()
        db.session.commit()

    assert plan_of(acme) == "free"
    assert subscription_of(acme) is None
