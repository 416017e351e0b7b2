"""`flask billing`: plans that nobody pays for."""

import pytest

from tests.billing.subscribers import plan_of


def test_an_operator_grants_a_plan(acme, app):
    answer = app.test_cli_runner().invoke(args=["billing", "grant", "acme", "pro"])

    assert answer.output == "Acme is on pro now.\n"
    assert plan_of(acme) == "pro"


@pytest.mark.parametrize(
    ("workspace", "plan", "complaint"),
    [("nobody", "pro", "There is no workspace 'nobody'"), ("acme", "gold", "No plan is called")],
)
def test_a_typo_of_the_operator_is_said(acme, app, workspace, plan, complaint):
    answer = app.test_cli_runner().invoke(args=["billing", "grant", workspace, plan])

    assert answer.exit_code == 1
    assert complaint in answer.output
    assert plan_of(acme) == "free"


def test_without_stripe_there_is_nothing_to_push_to(app):
    answer = app.test_cli_runner().invoke(args=["billing", "push"])

    assert answer.exit_code == 1
    assert "STRIPE_SECRET_KEY" in answer.output
