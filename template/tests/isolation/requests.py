"""What people would send to each route: forms as the pages have them, JSON as documented."""

from collections import defaultdict
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from app.api import spec
from app.columns import new_id
from app.openapi import described
from tests.isolation.rows import ids_in
from tests.world import Company

Fields = dict[str, str]


class Forms(HTMLParser):
    """The forms of a page: where each goes, and what it sends."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, Fields]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form" and given.get("method") == "post":
            self.found.append((given.get("action") or "", {}))
        elif self.found and tag in {"input", "textarea", "select"} and given.get("name"):
            usual = "you@example.com" if given.get("type") == "email" else "text"
            self.found[-1][1][str(given["name"])] = given.get("value") or usual
        elif self.found and tag == "option" and self.found[-1][1]:
            name = list(self.found[-1][1])[-1]
            if self.found[-1][1][name] == "text":
                self.found[-1][1][name] = given.get("value") or "text"


def forms_of(company: Company, rows: dict[str, Any]) -> dict[str, Fields]:
    """What the forms send, by endpoint, as they stand on the company's own pages."""
    forms: dict[str, Fields] = defaultdict(dict)
    adapter = company.app.url_map.bind("localhost")
    root = f"/t/{company.tenant.slug}"
    for rule in company.app.url_map.iter_rules():
        for path in paths_of(rule, ids_in(rows)) if "GET" in (rule.methods or ()) else ():
            for action, fields in forms_at(company, path):
                endpoint = endpoint_at(adapter, (action or path).removeprefix(root))
                forms[endpoint or rule.endpoint] |= fields
    return forms


def forms_at(company: Company, path: str) -> list[tuple[str, Fields]]:
    answer = company.get(path)
    return Forms(answer.text).found if answer.mimetype == "text/html" else []


def endpoint_at(adapter: Any, path: str) -> str | None:
    try:
        return str(adapter.match(path.partition("?")[0], method="POST")[0])
    except HTTPException:
        return None


def paths_of(rule: Rule, ids: list[UUID]) -> list[str]:
    """The addresses of a route, with each of these ids in each of its places."""
    if not rule.arguments:
        return [rule.rule]
    return [build(rule, an_id) for an_id in ids]


def build(rule: Rule, an_id: UUID) -> str:
    values = {name: value_of(rule, name, an_id) for name in rule.arguments}
    _, path = rule.build(values, append_unknown=False) or ("", "")
    return str(path)


def value_of(rule: Rule, name: str, an_id: UUID) -> Any:
    kind = type(rule._converters[name]).__name__
    if kind not in PARAMETERS:
        raise AssertionError(
            f"The isolation tests don't know what to put for <{name}> in {rule.rule}: "
            f"add {kind} to PARAMETERS in tests/isolation/requests.py."
        )
    return PARAMETERS[kind](an_id)


# What stands for a row in an address, by the kind of parameter.
PARAMETERS = {
    "UUIDConverter": lambda an_id: an_id,
    "UnicodeConverter": str,
    "PathConverter": str,
    "IntegerConverter": lambda _: 1,
}


class Document:
    """What the API's document says of each route."""

    def __init__(self, app: Flask) -> None:
        with app.app_context():
            self.document = described()

    def operation(self, rule: Rule, method: str) -> dict[str, Any]:
        path, _ = spec.backend.parse_path(rule, None)
        found: dict[str, Any] = self.document["paths"].get(path, {}).get(method.lower(), {})
        return found

    def query(self, rule: Rule, method: str, an_id: UUID) -> dict[str, str]:
        """The parameters in which a route takes an id."""
        return {
            parameter["name"]: str(an_id)
            for parameter in self.operation(rule, method).get("parameters", [])
            if parameter["in"] == "query" and "uuid" in str(parameter["schema"])
        }

    def body(self, rule: Rule, method: str, an_id: UUID) -> Any:
        """What a route takes, with the id wherever it takes one."""
        content = self.operation(rule, method).get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        return self.example(schema, an_id) if schema else None

    def takes_ids(self, rule: Rule, method: str) -> bool:
        """Whether a route takes an id in its query or its body."""
        an_id = new_id()
        sent = self.body(rule, method, an_id), self.query(rule, method, an_id)
        return str(an_id) in str(sent)

    def example(self, schema: dict[str, Any], an_id: UUID) -> Any:
        """The simplest value that a JSON schema allows, with everything that is optional."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return self.example(self.document["components"]["schemas"][name], an_id)
        for choices in ("anyOf", "oneOf", "allOf"):
            if choices in schema:
                return self.example(schema[choices][0], an_id)
        if "enum" in schema or "const" in schema:
            return schema.get("const", schema.get("enum", [None])[0])
        match schema.get("type"):
            case "object":
                properties = schema.get("properties", {})
                return {name: self.example(part, an_id) for name, part in properties.items()}
            case "array":
                return [self.example(schema.get("items", {}), an_id)]
            case "string" if schema.get("format") == "uuid":
                return str(an_id)
            case "string":
                return "text".ljust(schema.get("minLength", 0), "x")
            case "boolean":
                return False
            case "integer" | "number":
                return schema.get("minimum", 1)
        return None
