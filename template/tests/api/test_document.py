"""The OpenAPI document: valid, complete, and the page that shows it."""

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import create_model

from app.api import NameTaken, name_of


@pytest.fixture
def document(acme):
    return acme.get("/openapi.json").json


def operations_in(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_it_is_valid_openapi_3_1(document):
    assert document["openapi"].startswith("3.1.")

    OpenAPIV31SpecValidator(document).validate()


def test_every_route_of_the_api_is_in_it(app, document):
    """One that is missing lacks `@spec.validate(...)` from app.api."""
    missing = {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/")
        and method.lower() not in document["paths"].get(as_path(rule.rule), {})
    }

    assert missing == set()


def as_path(rule: str) -> str:
    parts = (part.rpartition(":")[2] if ":" in part else part for part in rule.split("<"))
    return "{".join(parts).replace(">", "}")


def test_nothing_but_the_api_is_in_it(document):
    assert {path.split("/")[1] for path in document["paths"]} == {"api"}


def test_names_in_it_are_plain_and_stay_the_same(document):
    names = [operation["operationId"] for _, operation in operations_in(document)]

    assert len(names) == len(set(names))
    assert {"analytics_daily", "auth_me", "progress_show"} <= set(names)
    assert all(name.isidentifier() for name in document["components"]["schemas"])


def test_every_operation_is_described_and_says_who_may_call_it(document):
    for name, operation in operations_in(document):
        assert operation["summary"].endswith("."), name
        assert operation["tags"], name
        assert "401" in operation["responses"], name
    assert document["security"] == [{"token": []}]
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_every_operation_says_what_a_problem_looks_like(document):
    for name, operation in operations_in(document):
        assert operation["responses"]["default"]["$ref"].endswith("/Problem"), name
    (kind,) = document["components"]["responses"]["Problem"]["content"]
    assert kind == "application/problem+json"


def test_what_may_be_sent_twice_takes_an_idempotency_key(writer):
    write = writer.get("/openapi.json").json["paths"]["/api/v1/notes/"]["post"]

    assert "Idempotency-Key" in [parameter["name"] for parameter in write["parameters"]]


def test_it_names_the_workspace_it_was_asked_for_in(acme, document):
    (server,) = document["servers"]

    assert server["url"] == "/t/{workspace}"
    assert server["variables"]["workspace"]["default"] == "acme"


def test_with_tenants_on_subdomains_it_names_the_host(make_app):
    app = make_app(tenant_domain="app.test")
    client = app.test_client()

    answer = client.get("/openapi.json", base_url="http://acme.app.test:8000")

    (server,) = answer.json["servers"]
    assert server["url"] == "http://{workspace}.app.test:8000"
    assert server["variables"]["workspace"]["default"] == "acme"


def test_two_models_of_one_name_are_refused():
    first, second = create_model("OnlyInThisTest"), create_model("OnlyInThisTest")
    name_of(first)

    with pytest.raises(NameTaken, match="called OnlyInThisTest: rename"):
        name_of(second)


def test_the_page_needs_no_other_host_and_no_script_of_its_own(acme):
    page = acme.get("/docs/try").text

    assert "http" not in page.replace("http-equiv", "")
    assert "<script>" not in page
    assert "openapi.json" in page
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "docs.js"):
        assert acme.client.get(f"/static/swagger/{name}", buffered=True).status_code == 200
