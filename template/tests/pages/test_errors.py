"""Error pages: friendly for people, problem documents for programs, there when all else is away."""

import pytest
from flask import abort

from app.access import public
from app.auth import login_required
from app.errors import Unavailable

JSON = {"Accept": "application/json"}
NOWHERE = "sqlite:////proc/there-is-no-such-folder/app.db"


@pytest.fixture
def failing(make_app):
    """An application with a page for each way to fail."""
    app = make_app()

    @app.get("/fail/<int:status>")
    @public
    def fail(status: int):
        abort(status)

    @app.get("/crash")
    @public
    def crash():
        raise ZeroDivisionError("secret detail")

    @app.get("/away")
    @public
    def away():
        raise Unavailable("Billing doesn't answer.")

    return app.test_client()


@pytest.mark.parametrize("status", [400, 403, 404, 405, 413, 429, 500, 503])
def test_each_failure_has_a_page_with_a_way_on(failing, status):
    answer = failing.get(f"/fail/{status}")

    assert answer.status_code == status
    assert f"Status {status}" in answer.text
    assert "<h1>" in answer.text
    assert 'class="hint"' in answer.text
    assert "Back to the start" in answer.text


def test_a_page_says_the_number_of_the_request(failing):
    answer = failing.get("/fail/404", headers={"X-Request-ID": "told-by-the-proxy"})

    assert "told-by-the-proxy" in answer.text


@pytest.mark.parametrize("status", [403, 404, 429, 500, 503])
def test_programs_get_a_problem_document(failing, status):
    answer = failing.get(f"/fail/{status}", headers=JSON)

    assert answer.mimetype == "application/problem+json"
    assert answer.json["status"] == status
    assert answer.json["title"]
    assert answer.json["request_id"]


def test_a_crash_tells_nothing_of_its_inside(failing):
    answer = failing.get("/crash")

    assert answer.status_code == 500
    assert "secret detail" not in answer.text


def test_what_is_away_is_named(failing):
    answer = failing.get("/away")

    assert answer.status_code == 503
    assert "Billing doesn&#39;t answer." in answer.text


def test_what_the_code_said_wins_over_our_own_words(make_app):
    app = make_app()

    @app.get("/gone")
    @public
    def gone():
        abort(404, "This report was deleted.")

    assert "This report was deleted." in app.test_client().get("/gone").text


def test_an_error_inside_a_workspace_leads_back_into_it(acme):
    page = acme.get("/analytics/events.csv?days=many").text

    assert 'href="/t/acme/"' in page
    assert "Back to Acme" in page


def test_the_page_comes_though_the_database_is_away(make_app):
    app = make_app(database_url=NOWHERE)

    @app.get("/mine")
    @login_required
    def mine():
        return "Never reached."

    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"] = "0" * 32 + ":stamp"

    answer = client.get("/mine")

    assert answer.status_code == 503
    assert "Our database doesn&#39;t answer." in answer.text
    assert client.get("/nothing-here").status_code == 404
