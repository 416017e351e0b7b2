"""The dashboard's page, as people see it."""

import re
from html import unescape
from uuid import UUID

import pytest

from app.analytics.activity import PAGE
from tests.analytics.history import ago, deed, tell

DASHBOARD = "/analytics/"


def page_of(company, query: str = "", status: int = 200) -> str:
    answer = company.get(f"{DASHBOARD}{query}")
    assert answer.status_code == status, answer.text
    return unescape(answer.text)


def tables_in(page: str) -> dict[str, list[list[str]]]:
    """The page's tables by caption: what a screen reader reads of charts, too."""
    tables = re.findall(r"<table.*?</table>", page, re.DOTALL)
    return {
        text_of(re.search(r"<caption.*?</caption>", t, re.DOTALL)[0]): rows_in(t) for t in tables
    }


def rows_in(table: str) -> list[list[str]]:
    body = re.search(r"<tbody>.*?</tbody>", table, re.DOTALL)[0]
    rows = re.findall(r"<tr.*?</tr>", body, re.DOTALL)
    return [[text_of(c) for c in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)] for row in rows]


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_a_new_tenant_reads_what_will_be_here(acme):
    page = page_of(acme)

    assert "Nothing has happened yet" in page
    assert "<table" not in page


def test_one_event_is_enough_for_a_dashboard(acme):
    tell(acme, deed("project created", by=acme.user_id, project="Apollo"))

    page = page_of(acme)

    assert "Nothing has happened yet" not in page
    assert "project: Apollo" in page
    assert "Ada" in page


def test_ids_are_for_machines_and_stay_off_the_page(acme):
    tell(acme, deed("member joined", by=acme.user_id, user=str(acme.user_id), role="member"))

    page = page_of(acme)

    assert "role: member" in page
    assert str(acme.user_id) not in page


def test_the_charts_can_be_read_as_tables_with_the_same_numbers(acme, member):
    tell(acme, *[deed("a", days=1, by=acme.user_id)] * 3, deed("b", days=2, by=member.user_id))

    tables = tables_in(page_of(acme, "?days=7"))

    by_day = [int(count) for _, count in tables["Events per day"]]
    assert by_day == [0, 0, 0, 0, 1, 3, 0]
    assert tables["Events by name"] == [["a", "3"], ["b", "1"]]
    assert tables["Most active people"] == [["Ada", "3"], ["Max", "1"]]


def test_a_quiet_period_says_so(acme):
    tell(acme, deed(days=50))

    assert "Nothing happened in these days" in page_of(acme)


def test_the_change_is_said_in_words(acme):
    tell(acme, *[deed(days=1)] * 3, *[deed(days=8)] * 2)

    assert "50% more than in the 7 days before" in page_of(acme, "?days=7")


def test_the_page_says_that_days_are_in_utc(acme):
    tell(acme, deed())

    assert "UTC" in page_of(acme)


@pytest.mark.parametrize("days", [7, 30, 90])
def test_presets_and_dates_show_the_same(acme, days):
    tell(acme, deed(days=3), deed(days=20), deed(days=60))

    by_preset = page_of(acme, f"?days={days}")
    by_dates = page_of(acme, f"?from={ago(days - 1).date()}&to={ago(0).date()}")

    assert tables_in(by_preset) == tables_in(by_dates)


def test_dates_that_make_no_sense_are_said_and_the_usual_period_shown(acme):
    tell(acme, deed())

    page = page_of(acme, "?from=2026-02-30", status=400)

    assert "“2026-02-30” isn't a date" in page
    assert "last 30 days instead" in page
    assert len(tables_in(page)["Events per day"]) == 30


def test_what_people_typed_is_text_on_the_page(acme):
    tell(acme, deed("<script>alert(1)</script>", project="<img src=x>"))

    answer = acme.get(f"{DASHBOARD}?from=<script>alert(2)</script>")

    assert "<script>alert" not in answer.text
    assert "<img src=x>" not in answer.text


def test_older_activity_is_a_link_away(acme):
    tell(acme, *[deed(f"deed {number:02}", days=number) for number in range(PAGE + 5)])

    first = page_of(acme)
    older = re.search(r'href="([^"]+before=[^"]+)"', first)[1]
    second = unescape(acme.client.get(older).text)

    assert f"deed {PAGE - 1:02}" in activity_in(first)
    assert f"deed {PAGE:02}" not in activity_in(first)
    assert f"deed {PAGE:02}" in activity_in(second)
    assert "deed 00" not in activity_in(second)
    assert "before=" not in second


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "soon"])
def test_a_mark_that_nobody_gave_out_is_no_mark(acme, at):
    tell(acme, deed("a deed"))

    answer = acme.get(DASHBOARD, query_string={"before": f"{at}~{UUID(int=0).hex}"})

    assert answer.status_code == 200
    assert "a deed" in activity_in(answer.text)


def activity_in(page: str) -> str:
    return page[page.index("Latest activity") :]


def test_members_may_look_too(acme, member):
    assert page_of(member)


def test_another_tenant_sees_nothing_of_it(acme, initech):
    tell(acme, deed("a secret deed", by=acme.user_id))

    page = page_of(initech)

    assert "a secret deed" not in page
    assert "Nothing has happened yet" in page


def test_somebody_from_elsewhere_sees_nothing_at_all(acme, initech):
    assert initech.client.get(f"/t/acme{DASHBOARD}").status_code == 404
