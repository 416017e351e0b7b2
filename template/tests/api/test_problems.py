"""What goes wrong in the API is a problem document, whoever answers it."""

import pytest

from app.auth.identity import hash_of
from app.auth.models import ApiToken
from app.db import db
from tests.world import sign_in

LIST = "/api/v1/projects/"


def problem_in(answer, status):
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert answer.json["status"] == status
    assert answer.json["request_id"] == answer.headers["X-Request-ID"]
    return answer.json


def test_a_stranger_is_told_how_to_show_who_they_are(app, acme):
    answer = app.test_client().get(f"/t/acme{LIST}")

    assert problem_in(answer, 401)["detail"]
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_an_unknown_address_is_a_problem(acme):
    problem_in(acme.get("/api/v1/nothing"), 404)
    problem_in(acme.get("/api/"), 404)


def test_a_wrong_method_is_a_problem_that_names_the_right_ones(acme):
    answer = acme.open(LIST, method="DELETE")

    problem_in(answer, 405)
    assert set(answer.headers["Allow"].split(", ")) >= {"GET", "POST"}


def test_an_address_outside_any_workspace_is_a_problem(acme):
    problem_in(acme.client.get(LIST), 404)


def test_a_missing_permission_is_a_problem(member):
    answer = member.delete(f"{LIST}{member.user_id}")

    assert "Delete projects" in problem_in(answer, 403)["detail"]


def test_a_browser_without_its_form_token_is_refused(make_app, acme):
    guarded = make_app()
    guarded.config["WTF_CSRF_ENABLED"] = True

    problem_in(sign_in(guarded, acme).post(LIST, json={"name": "Apollo"}), 400)


def test_a_program_without_a_token_is_asked_for_one(make_app, acme):
    guarded = make_app()
    guarded.config["WTF_CSRF_ENABLED"] = True

    answer = guarded.test_client().post(f"/t/acme{LIST}", json={"name": "Apollo"})

    assert "API token" in problem_in(answer, 401)["detail"]


def test_a_token_needs_no_form_token(make_app, acme):
    guarded = make_app()
    guarded.config["WTF_CSRF_ENABLED"] = True
    client = guarded.test_client()

    answer = client.post(f"/t/acme{LIST}", json={"name": "Apollo"}, headers=token_of(acme))

    assert answer.status_code == 201


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer", "Basic YTpi"])
def test_a_wrong_token_is_nobodys(app, acme, header):
    headers = {"Authorization": header}

    problem_in(app.test_client().get(f"/t/acme{LIST}", headers=headers), 401)


def test_a_token_opens_its_own_workspace_only(app, acme, initech):
    headers = token_of(acme)

    assert app.test_client().get(f"/t/acme{LIST}", headers=headers).status_code == 200
    assert app.test_client().get(f"/t/initech{LIST}", headers=headers).status_code in {401, 404}


def token_of(company) -> dict[str, str]:
    """An API token as a header."""
    with company.app.app_context():
        db.session.add(
            ApiToken(
                tenant_id=company.tenant.id,
                user_id=company.user_id,
                name="For tests",
                prefix="sct_test",
                token_hash=hash_of("sct_test"),
            )
        )
        db.session.commit()
    return {"Authorization": "Bearer sct_test"}
