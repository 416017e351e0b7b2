"""The dashboard's figures: what is counted, and what it's compared with."""

from datetime import timedelta

import pytest

from app.analytics.activity import PAGE, page_of
from app.analytics.dashboard import Figure, dashboard_of
from app.analytics.periods import last_days
from tests.analytics.history import ago, deed, tell


def figures_of(company, days: int = 7):
    with company.serving():
        return dashboard_of(last_days(days))


def test_a_new_tenant_has_nothing(acme):
    figures = figures_of(acme)

    assert figures.events == Figure(0, 0)
    assert [count for _, count in figures.by_day] == [0] * 7
    assert figures.by_name == figures.by_person == []


def test_events_are_counted_by_day_and_by_name(acme):
    tell(acme, deed("a", days=1), deed("a", days=1), deed("a", days=2), deed("b", days=1))

    figures = figures_of(acme)

    assert figures.events.now == 4
    assert dict(figures.by_day)[ago(1).date()] == 3
    assert figures.by_name == [("a", 3), ("b", 1)]


def test_events_are_compared_with_the_period_before(acme):
    tell(acme, deed(days=1), deed(days=1), deed(days=1), deed(days=8), deed(days=8))

    assert figures_of(acme).events == Figure(now=3, before=2)
    assert figures_of(acme).events.change == 50


CHANGES = [((3, 2), 50), ((2, 4), -50), ((0, 4), -100), ((4, 4), 0), ((4, 0), None), ((0, 0), None)]


@pytest.mark.parametrize(("numbers", "change"), CHANGES)
def test_a_change_is_in_percent_of_what_there_was(numbers, change):
    assert Figure(*numbers).change == change


def test_a_person_is_active_once_however_much_they_do(acme, member):
    ada, max_ = acme.user_id, member.user_id
    tell(acme, deed(days=1, by=ada), deed(days=2, by=ada), deed(days=8, by=max_), deed(days=1))

    assert figures_of(acme).people == Figure(now=1, before=1)
    assert figures_of(acme, 30).people == Figure(now=2, before=0)


def test_the_most_active_people_come_first_by_name(acme, member):
    tell(acme, *[deed(by=member.user_id)] * 3, deed(by=acme.user_id))

    assert figures_of(acme).by_person == [("Max", 3), ("Ada", 1)]


def test_somebody_who_left_the_product_still_counts(acme, initech):
    tell(acme, deed(by=acme.tenant.id))  # An id that no person has.

    assert figures_of(acme).by_person == [("A former member", 1)]


def test_a_tenant_has_figures_of_its_own(acme, initech):
    tell(acme, deed(by=acme.user_id))

    assert figures_of(initech).events.now == 0
    assert figures_of(initech).people.now == 0


def test_pages_of_activity_neither_skip_nor_repeat(acme):
    same_moment = deed()
    tell(acme, *[same_moment] * PAGE, *[deed(days=days / 10) for days in range(1, PAGE)])
    with acme.serving():
        first = page_of(last_days())
        tell(acme, deed("new in the meantime", days=0))
        second = page_of(last_days(), first.older)

    assert len(first.activities) == PAGE
    assert len(second.activities) == PAGE - 1
    assert second.older is None
    assert max(one.at for one in second.activities) <= min(one.at for one in first.activities)


NOT_GIVEN_OUT = ["x", "~", "2026-11-24~", "2026-11-24T00:00:00~00", "9999-12-31T23:59Z~" + "f" * 32]


@pytest.mark.parametrize("mark", NOT_GIVEN_OUT)
def test_a_mark_that_nobody_gave_out_shows_the_latest(acme, mark):
    tell(acme, deed())

    with acme.serving():
        assert len(page_of(last_days(), mark).activities) == 1


def test_a_mark_does_not_reach_out_of_the_period(acme):
    tell(acme, deed(days=10))

    with acme.serving():
        assert page_of(last_days(7), f"{ago(5).isoformat()}~{'0' * 32}").activities == []


def test_details_are_one_line_for_people(acme):
    tell(acme, deed(project="Apollo", size=3, tags=["a", "b"], done=None))

    with acme.serving():
        (one,) = page_of(last_days()).activities

    assert one.details == 'project: Apollo, size: 3, tags: ["a","b"], done: null'
    assert one.at - ago(1) < timedelta(minutes=1)
