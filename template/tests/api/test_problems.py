"""What goes wrong in the API is a problem document, whoever answers it."""

import pytest

from app.auth.identity import hash_of
from app.auth.models import ApiToken
from app.db import db
from tests.world import sign_in

LIST = "/api/v1/members"
NOTES = "/api/v1/notes/"
NOTE = {"text": "Remember the milk."}


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
    assert set(answer.headers["Allow"].split(", ")) >= {"GET"}


def test_an_address_outside_any_workspace_is_a_problem(acme):
    problem_in(acme.client.get(LIST), 404)


def test_a_missing_permission_is_a_problem(noting, member):
    answer = sign_in(noting, member).delete(f"{NOTES}{member.user_id}")

    assert "Invite and remove people" in problem_in(answer, 403)["detail"]


def test_a_browser_without_its_form_token_is_refused(guarded, acme):
    problem_in(sign_in(guarded, acme).post(NOTES, json=NOTE), 400)


def test_a_program_without_a_token_is_asked_for_one(guarded, acme):
    answer = guarded.test_client().post(f"/t/acme{NOTES}", json=NOTE)

    assert "API token" in problem_in(answer, 401)["detail"]


def test_a_token_needs_no_form_token(guarded, acme):
    client, headers = guarded.test_client(), token_of(acme)

    assert client.post(f"/t/acme{NOTES}", json=NOTE, headers=headers).status_code == 201


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("null", "application/json", 422),
        ("{", "application/json", 400),
        ("", "application/json", 400),
        ('{"text": "x"}', "text/plain", 415),
        ("text=x", "application/x-www-form-urlencoded", 415),
    ],
)
def test_a_body_that_is_not_json_is_never_taken_for_an_empty_one(writer, body, kind, status):
    problem_in(writer.post(NOTES, data=body, content_type=kind), status)


def test_what_is_wrong_with_a_request_is_listed_by_field(writer):
    answer = writer.post(NOTES, json={"text": 7})

    (error,) = problem_in(answer, 422)["errors"]
    assert error == {"field": "text", "message": "Input should be a valid string"}


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
