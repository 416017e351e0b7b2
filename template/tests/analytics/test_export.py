"""The export: everything of the period, of this tenant, harmless in a spreadsheet."""

import csv
import io
import json

import pytest

from app.analytics import activity
from app.spreadsheet import harmless
from tests.analytics.history import ago, deed, tell


def rows_of(company, query: str = "") -> list[dict[str, str]]:
    answer = company.get(f"/analytics/events.csv{query}")
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_the_export_holds_every_event_of_the_period(acme):
    tell(acme, deed("a", days=40), deed("b", days=2, by=acme.user_id, size=3), deed("c", days=1))

    rows = rows_of(acme)

    assert [row["event"] for row in rows] == ["b", "c"]
    assert [row["person"] for row in rows] == ["Ada", "The system"]
    assert json.loads(rows[0]["facts"]) == {"size": 3}
    assert rows[0]["at (UTC)"].endswith("+00:00")


def test_the_export_keeps_to_the_days_that_were_asked_for(acme):
    tell(acme, deed("old", days=5), deed("new", days=1))
    day = ago(5).date()

    assert [row["event"] for row in rows_of(acme, f"?from={day}&to={day}")] == ["old"]


def test_the_export_has_batches_that_neither_skip_nor_repeat(acme, monkeypatch):
    monkeypatch.setattr(activity, "AFTER", smaller_batches())
    moment = deed()
    tell(acme, *[moment] * 10)

    assert len(rows_of(acme)) == 10


def smaller_batches():
    statement = activity.COLUMNS.where(activity.PLACE > activity.MARK)
    return activity.prepared(statement.order_by(activity.Fact.at, activity.Fact.id).limit(3))


def test_an_export_without_events_has_its_header(acme):
    assert acme.get("/analytics/events.csv").text == "at (UTC),event,person,facts\r\n"


def test_another_tenant_exports_nothing_of_it(acme, initech):
    tell(acme, deed())

    assert rows_of(initech) == []


def test_dates_that_make_no_sense_give_no_file(acme):
    answer = acme.get("/analytics/events.csv?from=yesterday")

    assert answer.status_code == 400
    assert "isn't a date" in answer.text.replace("&#39;", "'")


def test_the_file_has_a_name_and_is_not_kept_by_browsers(acme):
    answer = acme.get("/analytics/events.csv?from=2026-01-01&to=2026-01-31")

    name = 'filename="events-acme-2026-01-01-to-2026-01-31.csv"'
    assert name in answer.headers["Content-Disposition"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.mimetype == "text/csv"


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", '=HYPERLINK("//x")']


@pytest.mark.parametrize("cell", FORMULAS)
def test_a_cell_that_looks_like_a_formula_is_text(cell):
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "project created", "a=b", "{}", "2026-11-24"])
def test_other_cells_stay_as_they_are(cell):
    assert harmless(cell) == cell


def test_formulas_are_harmless_in_the_file_too(acme):
    tell(acme, deed("=cmd|'/c calc'!A1"))

    assert rows_of(acme)[0]["event"].startswith("'=")
