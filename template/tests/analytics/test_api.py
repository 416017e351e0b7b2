"""The API: the daily counts as JSON."""

import pytest

from tests.analytics.history import ago, deed, tell

DAILY = "/api/v1/analytics/daily"


def test_the_api_answers_the_daily_counts(acme):
    tell(acme, deed("b", days=1), deed("a", days=1), deed("a", days=1), deed("a", days=40))

    answer = acme.get(DAILY).json

    yesterday = ago(1).date().isoformat()
    assert answer["items"] == [
        {"day": yesterday, "name": "a", "events": 2},
        {"day": yesterday, "name": "b", "events": 1},
    ]
    assert (answer["first"], answer["last"]) == (f"{ago(29).date()}", f"{ago(0).date()}")


def test_the_api_keeps_to_the_days_that_were_asked_for(acme):
    tell(acme, deed("old", days=5), deed("new", days=1))
    day = ago(5).date()

    answer = acme.get(f"{DAILY}?from={day}&to={day}").json

    assert [item["name"] for item in answer["items"]] == ["old"]


@pytest.mark.parametrize("query", ["from=yesterday", "days=8", "from=2026-02-30"])
def test_dates_that_make_no_sense_are_a_problem(acme, query):
    answer = acme.get(f"{DAILY}?{query}")

    assert answer.status_code == 400
    assert answer.mimetype == "application/problem+json"
    assert answer.json["title"] == "These dates don't work"


def test_another_tenant_gets_nothing_of_it(acme, initech):
    tell(acme, deed())

    assert initech.get(DAILY).json["items"] == []


def test_members_may_read_too(acme, member):
    assert member.get(DAILY).status_code == 200
