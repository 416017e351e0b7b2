"""Whatever is sent to the API, nothing breaks: it's done as the document says, or a problem."""

import json
from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.openapi import described
from tests.isolation.rows import fill, ids_in

KEPT_QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
ANYTHING = st.recursive(
    SCALARS, lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(), part, max_size=3)
)
JSON = "application/json"
HEADERS = ("If-Match", "Idempotency-Key")


@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=KEPT_QUIET)
@given(st.data())
def test_nothing_that_is_sent_breaks_it(acme, data):
    """In tests each answer is checked against its model, too: one that differs is a 500."""
    method, path, operation = data.draw(st.sampled_from(operations(acme.app)))
    parameters = operation["parameters"]
    for parameter in parameters:
        if parameter["in"] == "path":
            an_id = data.draw(ids_of(acme) | st.uuids())
            path = path.replace(f"{{{parameter['name']}}}", str(an_id))

    answer = acme.open(
        path,
        method=method,
        query_string=data.draw(some_of(names_in(parameters, "query"))),
        headers={name: quote(data.draw(st.text())) for name in HEADERS},
        **data.draw(bodies(acme.app, operation)),
    )

    assert answer.status_code < 500, answer.text
    assert answer.status_code < 400 or answer.mimetype == "application/problem+json"


def ids_of(company):
    """The ids of rows that are there, so that more than "not found" is tried."""
    return st.sampled_from(ids_in(fill(company, "ours", "features")))


def operations(app) -> list[tuple[str, str, dict[str, Any]]]:
    with app.app_context():
        paths = described()["paths"].items()
    return [(method.upper(), path, one) for path, ways in paths for method, one in ways.items()]


def names_in(parameters, place: str) -> list[str]:
    return [parameter["name"] for parameter in parameters if parameter["in"] == place]


def some_of(names: list[str]):
    words = st.text() | st.integers().map(str) | st.uuids().map(str) | st.just("true")
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, words))


def bodies(app, operation):
    """No body, a broken one, any JSON, or JSON with the right names and anything in them."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return st.just({})
    with app.app_context():
        name = content["schema"]["$ref"].rpartition("/")[2]
        fields = described()["components"]["schemas"][name]["properties"]
    usual = st.fixed_dictionaries(dict.fromkeys(fields, st.text(min_size=1)))
    named = usual | st.fixed_dictionaries({}, optional=dict.fromkeys(fields, ANYTHING))
    broken = st.binary().map(lambda raw: {"data": raw, "content_type": JSON})
    return (named | ANYTHING).map(as_json) | broken | st.just({})


def as_json(body: object) -> dict[str, Any]:
    """By Python's own writer: ours refuses numbers that clients may well send."""
    return {"data": json.dumps(body), "content_type": JSON}
