"""Reports: asked for on a page, built by the worker, followed and downloaded."""

import csv
from io import StringIO

import pytest
from sqlalchemy import select

import app.jobs
from app import billing
from app.analytics.models import Fact
from app.db import db
from app.features.projects import jobs
from tests.features.projects.deeds import begin
from tests.features.projects.test_limits import away


def ask(company) -> str:
    """Ask for a report, and answer its path."""
    answer = company.post("/projects/reports/")
    assert answer.status_code == 302, answer.text
    return answer.location.removeprefix(f"/t/{company.tenant.slug}")


def rows_in(company, path) -> list[list[str]]:
    answer = company.get(f"{path}/projects.csv")
    assert answer.mimetype == "text/csv"
    return list(csv.reader(StringIO(answer.text, newline="")))


def test_a_report_tells_about_every_project(pro):
    begin(pro, "Apollo", "To the moon.\nAnd back, “soon”.")
    archived = begin(pro, "Gemini")
    pro.post(f"{archived}/archival")

    path = ask(pro)
    pro.work()

    header, apollo, gemini = rows_in(pro, path)
    assert header[:2] == ["name", "description"]
    assert apollo[:2] == ["Apollo", "To the moon.\nAnd back, “soon”."]
    assert (apollo[4], gemini[0]) == ("", "Gemini")
    assert gemini[4]


def test_the_page_comes_again_by_itself_until_the_report_is_built(pro):
    path = ask(pro)

    waiting = pro.get(path)
    pro.work()
    built = pro.get(path)

    assert waiting.headers["Refresh"]
    assert "<progress" in waiting.text
    assert "Refresh" not in built.headers
    assert "Download CSV" in built.text


def test_a_page_that_is_made_while_the_job_ends_comes_again(pro, monkeypatch):
    path, find = ask(pro), app.jobs.find

    def find_when_it_is_done(job_id):
        pro.work()
        return find(job_id)

    monkeypatch.setattr(app.jobs, "find", find_when_it_is_done)

    assert pro.get(path).headers["Refresh"]
    assert "Download CSV" in pro.get(path).text


def test_the_bar_moves_while_the_worker_builds(pro, monkeypatch):
    monkeypatch.setattr(jobs, "BATCH", 2)
    for number in range(5):
        begin(pro, f"Project {number}")
    path, seen, line_of = ask(pro), [], jobs.line_of

    def look_at_the_page(project):
        seen.append(bar_in(pro.get(path).text))
        return line_of(project)

    monkeypatch.setattr(jobs, "line_of", look_at_the_page)
    pro.work()

    assert seen == [(0, 1), (0, 1), (2, 5), (2, 5), (4, 5)]


def test_a_report_that_is_not_built_cannot_be_downloaded(pro):
    assert pro.get(f"{ask(pro)}/projects.csv").status_code == 404


def test_only_a_report_that_was_built_is_on_the_bill(pro):
    ask(pro)
    with pro.serving():
        assert billing.used("reports.built") == 0

    assert reports_billed(pro) == 1


def test_a_job_that_runs_twice_builds_and_bills_once(pro):
    report_id = ask(pro).rpartition("/")[2]
    pro.work()

    with pro.serving():
        jobs.build_report(report_id)
        db.session.commit()
    pro.work()

    assert reports_billed(pro) == 1


def test_a_report_that_cannot_be_built_says_so(pro, monkeypatch):
    monkeypatch.setattr(jobs, "csv_text", breaks)
    monkeypatch.setattr("app.jobs.ATTEMPTS", 1)
    path = ask(pro)

    pro.work()

    page = pro.get(path)
    assert "could not be built" in page.text
    assert "Refresh" not in page.headers
    assert reports_billed(pro) == 0


def test_the_free_plan_has_no_reports(acme):
    answer = acme.post("/projects/reports/")

    assert answer.status_code == 402
    assert "Reports aren&#39;t part of your plan." in answer.text


def test_a_billing_outage_does_not_stop_reports(acme, monkeypatch):
    monkeypatch.setattr(billing, "allows", away)

    ask(acme)


def test_building_and_downloading_are_on_the_dashboard(pro):
    path = ask(pro)
    pro.work()
    pro.get(f"{path}/projects.csv")
    pro.work()

    with pro.serving():
        known = set(db.session.scalars(select(Fact.name)))
    assert {"report built", "report downloaded"} <= known


def test_names_that_look_like_formulas_are_harmless_in_a_spreadsheet(pro):
    begin(pro, "=HYPERLINK(1)")
    path = ask(pro)
    pro.work()

    assert rows_in(pro, path)[1][0] == "'=HYPERLINK(1)"


@pytest.mark.parametrize("after_it", ["", "/projects.csv"])
def test_another_tenant_cannot_see_it(pro, initech, after_it):
    path = ask(pro)
    pro.work()

    assert initech.get(path + after_it).status_code == 404
    assert "No reports yet" in initech.get("/projects/reports/").text


def bar_in(page: str) -> tuple[int, int]:
    bar = page.partition("<progress")[2].partition(">")[0]
    done, most = (bar.partition(f'{name}="')[2].partition('"')[0] for name in ("value", "max"))
    return int(done), int(most)


def reports_billed(company) -> int:
    company.work()
    with company.serving():
        return billing.used("reports.built")


def breaks(*_):
    raise RuntimeError("The printer is on fire.")
