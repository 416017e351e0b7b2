"""Invoices: whole minor units, whatever the plan, the day and the use."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.billing.invoicing import beyond_included, given_back, rest_of_month, total, whole_month
from app.billing.money import money, share
from app.billing.periods import month_at
from app.billing.plans import Metered, Plan

amounts = st.integers(0, 10**12)
moments = st.datetimes(datetime(2024, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def plan(price: int = 0, included: int = 0, unit_price: int = 0) -> Plan:
    return Plan(
        name="team",
        title="Team",
        summary="For more.",
        price=price,
        limits={},
        entitlements={},
        meters={"reports.built": Metered(included=included, unit_price=unit_price)},
    )


@given(amount=amounts, whole=st.integers(1, 31), data=st.data())
def test_a_share_is_the_nearest_whole_unit(amount, whole, data):
    part = data.draw(st.integers(0, whole))

    found = share(amount, part, whole)

    assert isinstance(found, int)
    assert 0 <= found <= amount
    assert abs(2 * (found * whole - amount * part)) <= whole


@given(amount=amounts, whole=st.integers(1, 31), data=st.data())
def test_two_shares_make_the_whole_to_a_unit(amount, whole, data):
    part = data.draw(st.integers(0, whole))

    both = share(amount, part, whole) + share(amount, whole - part, whole)

    assert 0 <= both - amount <= 1


@given(price=amounts, at=moments)
def test_the_rest_of_a_month_never_costs_more_than_the_month(price, at):
    rest, whole = rest_of_month(plan(price), at), whole_month(plan(price), month_at(at))

    assert 0 <= total(rest) <= total(whole) == price


@given(price=amounts, at=moments)
def test_on_the_first_day_the_rest_is_the_month(price, at):
    month = month_at(at)

    assert total(rest_of_month(plan(price), month.begins)) == price
    assert month.days_left(month.begins) == month.days
    assert month.days_left(month.ends - timedelta(seconds=1)) == 1


@given(old=amounts, new=amounts, at=moments)
def test_what_is_given_back_is_what_was_paid_for_those_days(old, new, at):
    lines = given_back(plan(old), at) + rest_of_month(plan(new), at)

    assert total(lines) == total(rest_of_month(plan(new), at)) - total(rest_of_month(plan(old), at))


@given(used=st.integers(0, 10**9), included=st.integers(0, 10**6), price=st.integers(0, 10**6))
def test_only_what_goes_beyond_the_included_is_billed(app_context, used, included, price):
    month = month_at(datetime(2026, 6, 10, tzinfo=UTC))

    lines = beyond_included(plan(0, included, price), {"reports.built": used}, month)

    assert total(lines) == max(used - included, 0) * price
    assert all(line.quantity > 0 and line.amount > 0 for line in lines)


@pytest.fixture(scope="module")
def app_context(migrated_app):
    """Titles of meters stand in the file that the application has read."""
    with migrated_app.app_context():
        yield


@given(months=st.integers(0, 500), start=moments)
def test_months_follow_each_other_without_a_gap(months, start):
    month = month_at(start)

    assert month.begins <= start < month.ends
    assert month.next.begins == month.ends
    assert month_at(month.ends) == month.next
    assert 28 <= month.days <= 31


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (2900, "usd", "$29.00"),
        (5, "usd", "$0.05"),
        (-1050, "eur", "-€10.50"),
        (123456789, "gbp", "£1,234,567.89"),
        (2900, "jpy", "¥2,900"),
        (2900, "chf", "29.00 CHF"),
        (2900, "kwd", "2.900 KWD"),
        (0, "krw", "0 KRW"),
    ],
)
def test_money_reads_as_people_write_it(amount, currency, text):
    assert money(amount, currency) == text
