"""Every decision is explainable, and the explanation is what requests are told."""

import json

import pytest

from app.stages.hardened.rbac import builtin
from tests.hardened.rbac.test_escalation import token_of


@pytest.fixture
def rbac(app):
    def run(*args, **kwargs):
        return app.test_cli_runner().invoke(args=["rbac", *args], **kwargs)

    return run


def test_a_grant_is_traced_to_its_role(rbac, join):
    max_ = join("Max", "Viewer", permissions=["billing:invoices"])

    said = rbac("explain", "max@acme.test", "billing:invoices", "--tenant", "acme")

    assert said.exit_code == 0
    assert said.output.startswith("max@acme.test MAY billing:invoices in acme.\n")
    assert "Granted by Role of Max." in said.output
    assert "Viewer: does not grant it" in said.output
    assert "GET /billing/invoices" in said.output
    by_id = rbac("explain", str(max_.id), "billing:invoices", "--tenant", "acme")
    assert by_id.output == said.output


def test_a_refusal_names_the_roles_that_do_not_grant_it(rbac, join):
    join("Max", "Viewer")

    said = rbac("explain", "max@acme.test", "projects:write", "--tenant", "acme", "--json")

    decision = json.loads(said.output)
    assert said.exit_code == 3
    assert decision["allowed"] is False
    assert decision["because"] == "None of their roles grants it: Viewer."
    assert decision["granted_by"] == []
    assert "POST /api/v1/projects/" in decision["routes"]


def test_who_does_not_belong_there_may_nothing(rbac, acme, initech):
    said = rbac("explain", "bill@initech.test", "projects:read", "--tenant", "acme")

    assert said.exit_code == 3
    assert "They don't belong to the workspace." in said.output


def test_what_is_mistyped_is_met_with_what_was_meant(rbac, acme):
    person = rbac("explain", "ade@acme.test", "projects:read", "--tenant", "acme")
    tenant = rbac("explain", "ada@acme.test", "projects:read", "--tenant", "acne")
    permission = rbac("explain", "ada@acme.test", "projects:redd", "--tenant", "acme")

    assert "Did you mean ada@acme.test?" in person.output
    assert "Did you mean acme?" in tenant.output
    assert "Did you mean projects:read" in permission.output
    assert [one.exit_code for one in (person, tenant, permission)] == [1, 1, 3]


def test_a_token_is_explained_without_standing_in_the_history(rbac, ada, narrow_tokens):
    narrow_tokens("projects:read")
    ask = ("explain", "ada@acme.test", "audit:read", "--tenant", "acme", "--token")
    said = rbac(*ask, input=f"{token_of(ada)}\n")
    wrong = rbac(*ask, input="sct_nobodys\n")

    assert "The role allows it, the token's scopes don't." in said.output
    assert "narrowed to projects:read" in said.output
    assert "token doesn't work here" in wrong.output
    assert (said.exit_code, wrong.exit_code) == (3, 3)


@pytest.mark.parametrize(
    ("roles", "permissions"),
    [((), None), (("Admin",), None), (("Viewer",), ["audit:read"]), ((), [])],
)
def test_the_explanation_is_what_requests_are_told(app, ada, join, roles, permissions):
    max_ = join("Max", *roles, permissions=permissions)
    for one in (ada, max_):
        answer = ada.at.get(f"/api/v1/members/{one.id}/access").json["items"]
        assert {item["permission"] for item in answer} == set(app.extensions["permissions"])
        assert {item["permission"] for item in answer if item["allowed"]} == one.may()
        assert all(bool(item["granted_by"]) == item["allowed"] for item in answer)


def test_the_page_shows_why(ada, join):
    max_ = join("Max", "Viewer")

    page = ada.at.get(f"/members/{max_.id}/access").text

    assert "Granted by Viewer." in page
    assert "None of their roles grants it: Viewer." in page
    assert page.count("checked") == 1


def test_the_matrix_has_a_column_for_a_role_of_the_workspaces_own(rbac, ada):
    ada.make("Reader", "projects:read")

    rows = json.loads(rbac("matrix", "--tenant", "acme", "--json").output)

    found = {row["permission"]: row["roles"] for row in rows}
    assert found["projects:read"]["Reader"]
    assert not found["projects:write"]["Reader"]
    assert "Reader" not in rbac("matrix").output


def test_commands_have_help(rbac):
    for args in ((), ("explain",), ("matrix",)):
        assert rbac(*args, "--help").exit_code == 0


def test_built_in_roles_are_nested(app):
    with app.app_context():
        sets = [set(one.permissions()) for one in (builtin.VIEWER, builtin.MEMBER, builtin.ADMIN)]
    assert sets[0] < sets[1] < sets[2]
