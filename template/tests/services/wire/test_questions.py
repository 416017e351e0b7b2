"""A question goes to the service that serves the package, and the answer is the same as here."""

import re
from uuid import uuid4

import pytest

from app import auth, billing
from app.errors import Unavailable
from app.stages.services import client, deadline, keys, proof
from app.tenancy import serving
from tests.services.wire.conftest import NOWHERE

PATH = "/internal/auth/owners"


@pytest.fixture
def features(service, answering):
    """The product, whose neighbours auth and billing answer on real ports."""
    made = {}

    def late(name):
        return lambda environ, start: made[name](environ, start)

    urls = {f"{name}_url": answering(late(name)) for name in ("auth", "billing", "features")}
    for name in ("auth", "billing", "features"):
        made[name] = service(name, signing_keys=[keys.new_key()], **urls)
    made["features"].neighbours = made
    return made["features"]


@pytest.fixture
def at_auth(features):
    """Auth, as somebody who can reach its port sees it."""
    return features.neighbours["auth"].test_client()


def token(app, body=b"{}", path=PATH, audience="auth", seconds=30, **claims) -> str:
    """A token that the product signed for a question."""
    given = {
        "for": "question",
        "what": proof.digest("POST", path, body),
        "tenant": None,
        "actor": None,
        "request_id": "",
    }
    with app.app_context():
        return keys.sign(given | claims, audience, seconds)


def ask(at_auth, bearer: str, path=PATH, body=b"{}", **headers):
    headers |= {"Authorization": f"Bearer {bearer}"} if bearer else {}
    return at_auth.post(path, data=body, headers=headers)


def of_tenant(tenant) -> list[str]:
    return [str(tenant.id), tenant.slug, tenant.name]


def test_questions_about_a_tenant_are_answered_by_its_service(features, acme, initech):
    with features.app_context(), serving(acme.tenant):
        assert auth.owners() == ["ada@acme.test"]
        assert auth.headcount() == 1
        assert billing.plan_of().is_free
        assert billing.used("reports.built") == 0
    with features.app_context(), serving(initech.tenant):
        assert auth.owners() == ["bill@initech.test"]


def test_values_travel_as_what_they_are(features, acme, initech):
    with features.app_context():
        assert auth.find_tenant("acme") == acme.tenant
        assert auth.find_tenant("nobody") is None
        assert auth.tenant_with_id(initech.tenant.id) == initech.tenant
        assert auth.names_of({acme.user_id, uuid4()}) == {acme.user_id: "Ada"}
        tenants = auth.all_tenants()
        assert next(tenants) == acme.tenant
        assert list(tenants) == [initech.tenant]


def test_the_request_id_travels(features, acme, capsys):
    import structlog

    with features.app_context(), structlog.contextvars.bound_contextvars(request_id="r" * 32):
        auth.find_tenant("acme")

    assert re.search(rf"POST /internal/auth/find_tenant 200.*{'r' * 32}", capsys.readouterr().err)


def test_connections_are_kept_between_questions(features, acme):
    with features.app_context(), serving(acme.tenant):
        for _ in range(5):
            auth.headcount()
            billing.used("reports.built")

        for name in ("auth", "billing"):
            pool = client.pool_of(name)
            assert (pool.num_requests, pool.num_connections) == (5, 1)


def test_a_bare_question_gets_401(at_auth, acme):
    for headers in ({}, {"X-Tenant": str(acme.tenant.id), "X-User": str(acme.user_id)}):
        answer = ask(at_auth, "", **headers)

        assert answer.status_code == 401
        assert answer.mimetype == "application/problem+json"
        assert "only to signed questions" in answer.json["detail"]


def test_a_forged_tenant_in_a_header_changes_nothing(features, at_auth, acme, initech):
    bearer = token(features, tenant=of_tenant(acme.tenant))

    answer = ask(
        at_auth, bearer, **{"X-Tenant": str(initech.tenant.id), "X-Tenant-Slug": "initech"}
    )

    assert answer.json == ["ada@acme.test"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"audience": "billing"}, "is for 'billing', not for 'auth'"),
        ({"body": b'{"x": 1}'}, "is for another question"),
        ({"path": "/internal/auth/headcount"}, "is for another question"),
        ({"for": "identity"}, "isn't for a question between services"),
        ({"seconds": 3600}, "lives too long"),
        ({"seconds": -60}, "has expired"),
    ],
)
def test_a_token_is_for_one_question_only(features, at_auth, acme, change, words):
    answer = ask(at_auth, token(features, **{"tenant": of_tenant(acme.tenant)} | change))

    assert answer.status_code == 401
    assert words in answer.json["detail"]


def test_a_caught_token_is_taken_once(features, at_auth, acme):
    bearer = token(features, tenant=of_tenant(acme.tenant))

    assert ask(at_auth, bearer).status_code == 200
    again = ask(at_auth, bearer)
    assert (again.status_code, again.json["detail"]) == (401, "This token was used already.")


@pytest.mark.parametrize("bearer", ["x", "a.b.c", "a.eyJpc3MiOiJtYWxsb3J5In0.c", "a.W10.c", "é"])
def test_what_is_no_token_of_a_service_gets_401(at_auth, bearer):
    assert ask(at_auth, bearer.encode().decode("latin-1")).status_code == 401


def test_a_question_with_no_time_left_is_not_worked_on(features, at_auth, acme):
    bearer = token(features, tenant=of_tenant(acme.tenant))

    assert ask(at_auth, bearer, **{deadline.HEADER: "0"}).status_code == 504


def test_what_does_not_fit_the_signature_is_refused(features, at_auth):
    path, body = "/internal/auth/find_tenant", b'{"slug": 5, "more": 1}'

    answer = ask(at_auth, token(features, body, path), path, body)

    assert answer.status_code == 422
    assert "slug: Input should be a valid string" in answer.json["detail"]


def test_a_door_of_another_package_is_misdirected(features, at_auth):
    path = "/internal/billing/plan_name"

    assert ask(at_auth, token(features, path=path), path).status_code == 421


def test_one_process_for_everything_asks_nobody(app, acme, monkeypatch):
    monkeypatch.setitem(app.extensions, "ask", None)

    with app.app_context(), serving(acme.tenant):
        assert auth.owners() == ["ada@acme.test"]


def test_a_service_alone_says_who_is_missing(service, acme):
    alone = service("features", auth_url=NOWHERE)

    with alone.app_context(), pytest.raises(Unavailable, match="The service auth doesn't answer"):
        auth.find_tenant("acme")
