"""A service answers for its own routes and tables, and says whose the others are."""

import pytest
from sqlalchemy import func, select

from app.billing.models import Subscription
from app.db import db, reading
from app.doors import owner_of
from app.stages.services.guard import NotServedHere


@pytest.mark.parametrize(
    ("serves", "path", "owner"),
    [
        ("billing", "/login", "auth"),
        ("auth", "/t/acme/projects/", "features"),
        ("features", "/t/acme/billing/", "billing"),
    ],
)
def test_a_route_of_another_service_is_misdirected(service, serves, path, owner):
    answer = service(serves).test_client().get(path)

    assert answer.status_code == 421
    assert answer.mimetype == "application/problem+json"
    assert answer.json["detail"].endswith(f"is answered by {owner}.")


@pytest.mark.parametrize("serves", ["auth", "billing", "analytics", "features"])
def test_every_service_says_that_it_lives_and_what_it_signs_with(service, serves):
    client = service(serves).test_client()

    assert client.get("/healthz").status_code == 200
    assert client.get("/.well-known/jwks.json").status_code == 200
    assert client.get("/nowhere").status_code == 404


def test_every_route_of_a_package_is_known_as_its_own(app):
    """A view that hid its module behind a wrapper would be served by everybody."""
    for rule in app.url_map.iter_rules():
        blueprint = app.blueprints.get(rule.endpoint.rpartition(".")[0])
        view = app.view_functions[rule.endpoint]
        if blueprint is not None:
            assert owner_of(view.__module__) == owner_of(blueprint.import_name), rule


@pytest.mark.parametrize("how", ["session", "reading", "engine"])
def test_tables_of_another_service_are_out_of_reach(service, how):
    reach = {
        "session": lambda: db.session.scalar(
            select(func.count())
            .select_from(Subscription)
            .execution_options(across_tenants="a test")
        ),
        "reading": lambda: reading("billing").__enter__(),
        "engine": lambda: db.engines["billing"].begin(),
    }

    with service("features").app_context(), pytest.raises(NotServedHere) as refusal:
        reach[how]()

    assert "ask at its front door, app/billing/calls.py" in str(refusal.value)


def test_one_process_for_everything_guards_nothing(app):
    assert app.test_client().get("/login").status_code == 200
