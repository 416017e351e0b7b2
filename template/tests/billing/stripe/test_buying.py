"""Buying through Stripe: Checkout, changes, the portal; and what happens when it's away."""

import pytest
import time_machine
from stripe._api_version import _ApiVersion

from app.billing.models import Customer
from app.billing.payments.driver import PATIENCE
from app.billing.plans import Metered, Plan
from app.db import db, now
from tests.billing.stripe_stand_in import KEY
from tests.billing.subscribers import (
    choose,
    grant,
    invoices_of,
    lines_of,
    plan_of,
    subscription_of,
    time_passes,
)


@pytest.fixture
def team(app, stripe, monkeypatch):
    """A third plan, so that one can change between two that cost something."""
    file = app.extensions["plans"]
    plan = Plan(
        name="team",
        title="Team",
        summary="For more.",
        price=9900,
        limits={"projects": None, "members": None},
        entitlements={"reports": True},
        meters={"reports.built": Metered(included=0, unit_price=5)},
    )
    monkeypatch.setitem(file.plans, "team", plan)
    stripe.sell("team", 9900)
    stripe.sell("team.reports.built", 5, metered=True)


def test_a_person_is_sent_to_checkout_with_the_plans_prices(acme, stripe):
    answer = choose(acme)

    (session,) = stripe.sessions.values()
    asked = session["asked"]
    assert (answer.status_code, answer.location) == (303, session["url"])
    assert asked["mode"] == "subscription"
    assert asked["client_reference_id"] == str(acme.tenant.id)
    base, metered = asked["line_items"]
    assert stripe.prices[base["price"]]["lookup_key"] == "pro"
    assert stripe.prices[metered["price"]]["lookup_key"] == "pro.reports.built"
    assert asked["success_url"] == "http://localhost:5000/t/acme/billing/return"
    assert asked["cancel_url"] == "http://localhost:5000/t/acme/billing/plans"
    assert asked["subscription_data"]["metadata"]["tenant_id"] == str(acme.tenant.id)


def test_everybody_is_billed_from_the_first_of_the_month(acme, stripe):
    choose(acme)

    (session,) = stripe.sessions.values()
    anchor = session["asked"]["subscription_data"]["billing_cycle_anchor_config"]
    assert anchor == {"day_of_month": "1", "hour": "0", "minute": "0", "second": "0"}


def test_nothing_changes_before_the_payment(acme):
    choose(acme)

    assert plan_of(acme) == "free"


def test_the_sdk_proves_who_we_are_and_names_its_version(acme, stripe):
    choose(acme)

    assert stripe.calls
    for call in stripe.calls:
        assert call.headers["authorization"] == f"Bearer {KEY}"
        assert call.headers["stripe-version"] == _ApiVersion.CURRENT
        assert (call.method == "GET") or call.headers["idempotency-key"]


def test_back_from_checkout_the_plan_is_there(acme, stripe):
    choose(acme)
    stripe.pay(next(iter(stripe.sessions)))

    answer = acme.get("/billing/return", follow_redirects=True)

    assert "This workspace is on the Pro plan." in answer.text
    assert plan_of(acme) == "pro"
    assert "no money moves" not in answer.text


def test_back_before_the_payment_arrived_the_page_waits_and_asks_again(acme, stripe):
    choose(acme)

    waiting = acme.get("/billing/return")
    assert "waiting for the payment provider" in waiting.text
    assert int(waiting.headers["Refresh"]) > 0

    stripe.pay(next(iter(stripe.sessions)))
    assert acme.get("/billing/return").status_code == 302
    assert plan_of(acme) == "pro"


def test_a_tenant_is_one_customer_at_stripe(acme, initech, stripe, buy):
    choose(acme)
    choose(acme)
    buy(initech)

    names = [customer["name"] for customer in stripe.customers.values()]
    assert names == ["Acme", "Initech"]
    assert next(iter(stripe.customers.values()))["email"] == "ada@acme.test"
    assert plan_of(acme) == "free"


def test_a_crash_after_the_customer_was_made_makes_no_second_one(acme, stripe):
    choose(acme)
    with acme.serving():
        for row in db.session.query(Customer):
            db.session.delete(row)
        db.session.commit()

    choose(acme)

    assert len(stripe.customers) == 1


def test_a_page_left_open_cannot_sell_a_second_subscription(acme, stripe):
    choose(acme)
    choose(acme)

    assert [session["status"] for session in stripe.sessions.values()] == ["expired", "open"]


def test_who_paid_in_another_tab_is_changed_not_billed_twice(acme, stripe, team):
    choose(acme)
    stripe.pay(next(iter(stripe.sessions)))

    answer = choose(acme, "team")

    assert answer.location == "/t/acme/billing/"
    assert len(stripe.sessions) == 1
    assert len(stripe.subscriptions) == 1
    assert plan_of(acme) == "team"


def test_a_running_subscription_changes_its_items_and_bills_the_difference(acme, stripe, buy, team):
    buy(acme)

    choose(acme, "team")

    (subscription,) = stripe.subscriptions.values()
    keys = [item["price"]["lookup_key"] for item in subscription["items"]["data"]]
    assert keys == ["team", "team.reports.built"]
    (change,) = stripe.asked_for("POST", f"subscriptions/{subscription['id']}")
    assert change.params["proration_behavior"] == "always_invoice"
    assert change.params["payment_behavior"] == "error_if_incomplete"
    assert plan_of(acme) == "team"


def test_a_declined_card_changes_nothing_and_says_so(acme, stripe, buy, team):
    buy(acme)
    stripe.declines = True

    answer = choose(acme, "team")

    assert answer.status_code == 402
    assert "Your card was declined." in answer.text
    assert plan_of(acme) == "pro"


def test_a_plan_is_cancelled_at_the_end_and_kept_on_second_thoughts(acme, stripe, buy):
    buy(acme)

    acme.post("/billing/cancellation")
    assert subscription_of(acme).cancel_at_period_end
    assert plan_of(acme) == "pro"

    acme.post("/billing/resumption")
    assert not subscription_of(acme).cancel_at_period_end
    assert not next(iter(stripe.subscriptions.values()))["cancel_at_period_end"]


def test_a_cancellation_made_in_the_portal_can_be_taken_back(acme, stripe, buy, tell):
    """The portal sets a date where we set a flag."""
    subscription = buy(acme)
    subscription["cancel_at"] = subscription["items"]["data"][0]["current_period_end"]
    tell(stripe.event("customer.subscription.updated", subscription))
    acme.work()
    assert subscription_of(acme).cancel_at_period_end

    acme.post("/billing/resumption")

    assert subscription["cancel_at"] is None
    assert not subscription_of(acme).cancel_at_period_end


def test_cards_and_addresses_are_changed_in_stripes_portal(acme, stripe, buy):
    buy(acme)

    answer = acme.post("/billing/portal")

    assert answer.location.startswith("https://portal.stripe.test/")
    (call,) = stripe.asked_for("POST", "billing_portal/sessions")
    assert call.params["return_url"] == "http://localhost:5000/t/acme/billing/"


def test_invoices_are_stripes_with_a_way_to_the_official_one(acme, stripe, buy):
    subscription = buy(acme)
    stripe.bill(subscription, tax=551)
    stripe.bill(subscription, status="draft")
    acme.get("/billing/return")

    first, second = invoices_of(acme)
    assert lines_of(first) == [("Pro (at $29.00 / month)", 1, 2900)]
    assert lines_of(second) == [
        ("Pro (at $29.00 / month)", 1, 2900),
        ("Taxes, discounts and credit", 1, 551),
    ]
    page = acme.get(f"/billing/invoices/{second.id}").text
    assert "$34.51" in page
    assert second.provider_url in page


def test_members_cannot_reach_checkout(acme, member, stripe):
    assert choose(member).status_code == 403
    assert member.post("/billing/portal").status_code == 403
    assert stripe.calls == []


@pytest.mark.parametrize("path", ["/billing/subscription", "/billing/portal"])
def test_stripe_away_is_said_and_changes_nothing(acme, stripe, path):
    stripe.is_down = True

    answer = acme.post(path, data={"plan": "pro"})

    assert answer.status_code == 503
    assert "payment provider" in answer.text
    assert plan_of(acme) == "free"
    stripe.is_down = False
    assert acme.post(path, data={"plan": "pro"}).status_code == 303


def test_a_server_that_is_not_there_is_said_the_same_way(acme, changed):
    changed(stripe_api_url="http://127.0.0.1:9")

    assert choose(acme).status_code == 503


def test_a_key_that_stripe_refuses_is_ours_to_mend(acme, changed):
    changed(stripe_secret_key="sk_test_wrong")

    answer = choose(acme)

    assert answer.status_code == 503
    assert "aren&#39;t set up right" in answer.text
    assert "sk_test" not in answer.text


def test_a_plan_without_a_price_at_stripe_is_said(acme, stripe):
    stripe.prices.clear()

    answer = choose(acme)

    assert answer.status_code == 503
    assert "can&#39;t be bought yet" in answer.text


def test_a_plan_lives_on_while_stripe_is_away(acme, stripe, buy):
    buy(acme)
    stripe.is_down = True

    assert plan_of(acme) == "pro"
    assert acme.get("/billing/").status_code == 200
    assert "waiting" not in acme.get("/billing/plans").text


def test_back_from_checkout_while_stripe_is_away_the_page_waits(acme, stripe):
    choose(acme)
    stripe.pay(next(iter(stripe.sessions)))
    stripe.is_down = True

    assert "waiting for the payment provider" in acme.get("/billing/return").text

    stripe.is_down = False
    assert acme.get("/billing/return").status_code == 302


def test_a_payment_that_nobody_told_us_of_is_found(acme, stripe):
    """Paid, the browser closed, the webhook lost."""
    choose(acme)
    stripe.pay(next(iter(stripe.sessions)))

    with time_machine.travel(now() + PATIENCE, tick=True):
        time_passes(acme)

        assert plan_of(acme) == "pro"


def test_a_granted_plan_gives_way_to_a_paid_one(acme, stripe, team, buy):
    grant(acme)

    buy(acme, "team")

    assert plan_of(acme) == "team"
    assert subscription_of(acme).provider == "stripe"
