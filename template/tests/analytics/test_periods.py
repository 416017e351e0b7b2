"""Periods: which days a query string asks for, and what is said about those that make no sense."""

from datetime import UTC, date, datetime

import pytest
import time_machine

from app.analytics.periods import BadPeriod, Period, asked_for

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY = date(2026, 11, 24)


@pytest.fixture(autouse=True)
def a_tuesday_in_november():
    with time_machine.travel(NOON, tick=False):
        yield


GOOD = {
    "nothing": ({}, date(2026, 10, 26), TODAY),
    "empty fields": ({"from": "", "to": "", "days": ""}, date(2026, 10, 26), TODAY),
    "a preset": ({"days": "7"}, date(2026, 11, 18), TODAY),
    "another preset": ({"days": "90"}, date(2026, 8, 27), TODAY),
    "two days": ({"from": "2026-11-01", "to": "2026-11-10"}, date(2026, 11, 1), date(2026, 11, 10)),
    "one day": ({"from": "2026-11-01", "to": "2026-11-01"}, date(2026, 11, 1), date(2026, 11, 1)),
    "a first day": ({"from": "2026-11-20"}, date(2026, 11, 20), TODAY),
    "a last day": ({"to": "2026-11-20"}, date(2026, 10, 22), date(2026, 11, 20)),
    "spaces": ({"from": " 2026-11-20 "}, date(2026, 11, 20), TODAY),
    "tomorrow": ({"from": "2026-11-20", "to": "2026-11-25"}, date(2026, 11, 20), TODAY),
    "a leap day": ({"from": "2024-02-29", "to": "2024-03-01"}, date(2024, 2, 29), date(2024, 3, 1)),
    "a year": ({"from": "2025-11-24"}, date(2025, 11, 24), TODAY),
}


@pytest.mark.parametrize(("args", "first", "last"), GOOD.values(), ids=GOOD.keys())
def test_a_query_string_names_days(args, first, last):
    assert asked_for(args) == Period(first, last)


BAD = {
    "no date": ({"from": "last week"}, "isn't a date"),
    "a day that isn't": ({"from": "2026-02-30"}, "isn't a date"),
    "another order": ({"to": "24.11.2026"}, "isn't a date"),
    "markup": ({"to": "<script>alert(1)</script>"}, "isn't a date"),
    "a null byte": ({"to": "2026-11-24\0"}, "isn't a date"),
    "an unknown preset": ({"days": "8"}, "7, 30 or 90"),
    "no number": ({"days": "many"}, "7, 30 or 90"),
    "a huge number": ({"days": "9" * 5000}, "7, 30 or 90"),
    "the wrong way round": ({"from": "2026-11-10", "to": "2026-11-01"}, "after the last"),
    "too long": ({"from": "2020-01-01"}, "a year at most"),
    "the future": ({"from": "2027-01-01", "to": "2027-01-31"}, "still to come"),
    "the end of time": ({"from": "9999-12-31", "to": "9999-12-31"}, "still to come"),
    "the beginning of time": ({"to": "0001-01-01"}, "as early as"),
}


@pytest.mark.parametrize(("args", "message"), BAD.values(), ids=BAD.keys())
def test_days_that_make_no_sense_are_refused_with_a_reason(args, message):
    with pytest.raises(BadPeriod, match=message) as refusal:
        asked_for(args)

    assert len(str(refusal.value)) < 100


def test_a_period_is_compared_with_as_many_days_before_it():
    period = Period(date(2026, 11, 18), TODAY)

    assert period.before == Period(date(2026, 11, 11), date(2026, 11, 17))
    assert period.before.ends == period.begins


def test_a_period_knows_whether_it_is_a_preset():
    assert asked_for({"days": "7"}).preset == 7
    assert asked_for({"from": "2026-11-18"}).preset == 7
    assert Period(date(2026, 11, 1), date(2026, 11, 7)).preset is None
