"""What there is to attack: the operations of the API's document, and the pages of the routes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import current_app

from app.access import access_of
from app.stages.hardened.attack.browser import Browser

PARAMETER = re.compile(r"[{<][^}>]+[}>]")
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Operation:
    """One address and what may be done there."""

    method: str
    path: str
    body: Any = None
    query: tuple[str, ...] = ()

    @property
    def takes_an_id(self) -> bool:
        return bool(PARAMETER.search(self.path))

    def of(self, an_id: str) -> str:
        """The address with an id in each of its places."""
        asked = "&".join(f"{name}={an_id}" for name in self.query)
        return PARAMETER.sub(an_id, self.path) + (f"?{asked}" if asked else "")


def operations(url: str, text: str) -> list[Operation]:
    """What the document of the running system names, but for what anybody may call."""
    document = Browser(url).ask("/openapi.json").json() or {}
    return [
        Operation(method.upper(), path, body_of(document, told, text), ids_in_query(told))
        for path, item in document.get("paths", {}).items()
        for method, told in item.items()
        if method in METHODS and told.get("security") != []
    ]


def ids_in_query(told: dict[str, Any]) -> tuple[str, ...]:
    return tuple(
        parameter["name"]
        for parameter in told.get("parameters", [])
        if parameter["in"] == "query" and "uuid" in str(parameter.get("schema"))
    )


def body_of(document: dict[str, Any], told: dict[str, Any], text: str) -> Any:
    content = told.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    return example(document, schema, text) if schema else None


def example(document: dict[str, Any], schema: dict[str, Any], text: str) -> Any:
    """The simplest value that a schema allows, with the text wherever it takes one."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return example(document, document["components"]["schemas"][name], text)
    for choices in ("anyOf", "oneOf", "allOf"):
        if choices in schema:
            return example(document, schema[choices][0], text)
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    match schema.get("type"):
        case "object":
            parts = schema.get("properties", {})
            return {name: example(document, part, text) for name, part in parts.items()}
        case "array":
            return [example(document, schema.get("items", {}), text)]
        case "string":
            return text
        case "boolean":
            return False
        case "integer" | "number":
            return schema.get("minimum", 1)
    return None


def pages() -> Iterator[Operation]:
    """The pages that this project's routes have, for whoever is signed in."""
    for rule in current_app.url_map.iter_rules():
        view = access_of(current_app, rule.endpoint)
        is_page = view.kind == "permission" and not rule.rule.startswith("/api/")
        if is_page and "GET" in (rule.methods or ()):
            yield Operation("GET", rule.rule)
