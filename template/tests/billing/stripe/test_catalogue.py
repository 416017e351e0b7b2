"""`flask billing push`: Stripe sells what plans.toml says."""

import pytest

from tests.billing.subscribers import plan_of


@pytest.fixture
def push(app, stripe):
    """Run the command with a Stripe that has nothing yet."""
    stripe.prices.clear()
    stripe.meters.clear()

    def run():
        return app.test_cli_runner().invoke(args=["billing", "push"])

    return run


def test_a_new_account_gets_prices_and_meters(stripe, push):
    answer = push()

    assert answer.exit_code == 0, answer.output
    base, metered = stripe.prices.values()
    assert (base["lookup_key"], base["unit_amount"], base["currency"]) == ("pro", 2900, "usd")
    assert metered["lookup_key"] == "pro.reports.built"
    assert metered["recurring"]["meter"] == stripe.meters["reports.built"]["id"]
    assert metered["tiers"] == [
        {"up_to": "100", "unit_amount": "0"},
        {"up_to": "inf", "unit_amount": "10"},
    ]


def test_pushing_again_changes_nothing(stripe, push):
    push()

    answer = push()

    assert len(stripe.prices) == 2
    assert len(stripe.meters) == 1
    assert answer.output.count("as it was") == 2


def test_a_new_price_takes_over_and_who_has_the_old_one_keeps_the_plan(
    acme, app, stripe, push, buy, monkeypatch
):
    push()
    subscription = buy(acme)
    plans = app.extensions["plans"].plans
    dearer = plans["pro"].model_copy(update={"price": 3900})
    monkeypatch.setitem(plans, "pro", dearer)

    push()
    acme.get("/billing/return")

    bought = subscription["items"]["data"][0]["price"]
    (sold,) = [price for price in stripe.prices.values() if price["lookup_key"] == "pro"]
    assert (bought["unit_amount"], bought["lookup_key"]) == (2900, None)
    assert sold["unit_amount"] == 3900
    assert plan_of(acme) == "pro"


def test_a_price_made_by_hand_is_left_alone(stripe, push):
    stripe.sell("pro", 1)

    assert "pro: made by hand, so left alone" in push().output


def test_stripe_away_is_said(stripe, push):
    stripe.is_down = True

    answer = push()

    assert answer.exit_code == 1
    assert "doesn't answer" in answer.output
