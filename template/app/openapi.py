"""The OpenAPI 3.1 document at /openapi.json, made from the views, and the pages at /docs."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from flask import Blueprint, Flask, current_app, jsonify, render_template, request
from werkzeug.routing import Rule

from app.access import Access, access_of, public
from app.api import spec
from app.pages import reference
from app.tenancy import slug_in_url
from app.tenancy.urls import outside

bp = Blueprint("openapi", __name__)

ABOUT = """
Everything happens in a workspace, which the address names. Make a token in your workspace's
settings and send it as `Authorization: Bearer <token>`; it's good for that workspace only.

What goes wrong is answered with a problem document (RFC 9457); what is wrong with the request
itself is listed in its `errors`. Lists answer `next`: send it as `after` for the page that follows.
"""
PROBLEM = {"$ref": "#/components/responses/Problem"}
ONCE = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Any text of yours: a request that is sent again with it is done once.",
    "schema": {"type": "string", "maxLength": 200},
}


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)


@bp.get("/openapi.json")
@public
def document():
    """The document. It names the workspace from whose address it was asked for."""
    response = jsonify({**described(), "servers": [server()]})
    response.headers["Cache-Control"] = "no-cache"
    return response


@bp.get("/docs")
@public
def docs():
    """The document as a page to read."""
    return render_template(
        "reference.html",
        about=[reference.prose(paragraph) for paragraph in ABOUT.split("\n\n")],
        sections=reference.operations_by_tag(described()),
        server=example_server(),
    )


@bp.get("/docs/try")
@public
def try_out():
    """The document as a page to try."""
    return render_template("try_api.html")


def described() -> dict[str, Any]:
    """The document but for its servers; made once."""
    if "openapi" not in current_app.extensions:
        current_app.extensions["openapi"] = describe()
    made: dict[str, Any] = current_app.extensions["openapi"]
    return made


def describe() -> dict[str, Any]:
    made = from_views()
    made["info"] = {
        "title": f"{current_app.config['PRODUCT']['name']} API",
        "version": "1",
        "description": ABOUT.strip(),
    }
    made["security"] = [{"token": []}]
    made["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    made["components"]["responses"] = {"Problem": problem_response()}
    for rule, operation in operations_in(made):
        complete(operation, rule)
    return made


def from_views() -> dict[str, Any]:
    """What spectree knows. It takes its own models apart on the way, so it works on a copy."""
    known = spec.models
    spec.models = deepcopy(known)
    try:
        return spec._generate_spec()
    finally:
        spec.models = known


def operations_in(made: dict[str, Any]) -> Iterator[tuple[Rule, dict[str, Any]]]:
    """Each operation of the document, with the rule that it was made from."""
    for rule in current_app.url_map.iter_rules():
        path, _ = spec.backend.parse_path(rule, None)
        for method in rule.methods or ():
            operation = made["paths"].get(path, {}).get(method.lower())
            if operation:
                yield rule, operation


def complete(operation: dict[str, Any], rule: Rule) -> None:
    """Add what the view doesn't say by itself: who may call it, and how it may go wrong."""
    access = access_of(current_app, rule.endpoint)
    if access.kind == "public":
        operation["security"] = []
    if getattr(current_app.view_functions[rule.endpoint], "is_idempotent", False):
        operation["parameters"].append(ONCE)
    operation["responses"].pop("422", None)
    for status in problems_of(operation, rule, access):
        operation["responses"].setdefault(status, PROBLEM)


def problems_of(operation: dict[str, Any], rule: Rule, access: Access) -> Iterator[str]:
    if access.kind != "public":
        yield "401"
    if access.permission:
        yield "403"
    if rule.arguments or access.permission:
        yield "404"
    if "requestBody" in operation:
        yield from ("400", "415")
    if "requestBody" in operation or operation["parameters"]:
        yield "422"
    yield "default"


def problem_response() -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": "Why it wasn't done",
        "content": {"application/problem+json": {"schema": schema}},
    }


def server() -> dict[str, Any]:
    """Where the API of a workspace is, as seen from where the document was asked for."""
    domain = current_app.config["SETTINGS"].tenant_domain
    variables = {"workspace": {"default": slug_in_url() or "acme"}}
    if domain:
        port = request.host.partition(":")[2]
        url = f"{request.scheme}://{{workspace}}.{domain}{':' + port if port else ''}"
    else:
        url = f"{outside()}/t/{{workspace}}"
    return {"url": url, "variables": variables}


def example_server() -> str:
    """The whole address of one workspace's API, for examples."""
    told = server()
    url: str = told["url"].replace("{workspace}", told["variables"]["workspace"]["default"])
    return f"{request.host_url.rstrip('/')}{url}" if url.startswith("/") else url
