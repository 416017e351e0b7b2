"""The API's reference: an OpenAPI document in the shape that a page can show."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from markupsafe import Markup, escape

TONES = {"get": "info", "post": "good", "put": "warn", "patch": "warn", "delete": "bad"}
SAMPLES = {"string": "…", "integer": 1, "number": 1.5, "boolean": True, "array": [], "object": {}}
PLACES = {"path": "in the address", "query": "query", "header": "header", "cookie": "cookie"}
CODE = re.compile(r"`([^`]+)`")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Value:
    """Something to send or to get back: a parameter, or a field of a body."""

    name: str
    kind: str
    text: Markup
    required: bool = False
    place: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that the API can do."""

    id: str
    tag: str
    method: str
    path: str
    summary: str
    text: Markup
    parameters: list[Value]
    body: list[Value]
    sample: str
    status: str
    answer: list[Value]
    problems: list[str]

    @property
    def tone(self) -> str:
        return TONES.get(self.method, "neutral")


def operations_by_tag(document: Json) -> list[tuple[str, list[Operation]]]:
    """Everything that the document describes, in its order; each group once."""
    groups: dict[str, list[Operation]] = {}
    for one in operations_in(document):
        groups.setdefault(one.tag, []).append(one)
    return list(groups.items())


def operations_in(document: Json) -> Iterator[Operation]:
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            body = schema_of(told.get("requestBody", {}))
            good, problems = sort_out(told["responses"])
            yield Operation(
                id=told["operationId"],
                tag=told["tags"][0],
                method=method,
                path=path,
                summary=told["summary"],
                text=prose(told.get("description", "")),
                parameters=[parameter(one) for one in told.get("parameters", [])],
                body=fields_of(body, schemas),
                sample=sample_of(body, schemas),
                status=good,
                answer=fields_of(schema_of(told["responses"].get(good, {})), schemas),
                problems=problems,
            )


def sort_out(responses: Json) -> tuple[str, list[str]]:
    """The status of success, and those of the ways to fail."""
    good = next((status for status in responses if status.startswith("2")), "")
    return good, [status for status in responses if status.startswith(("4", "5"))]


def schema_of(holder: Json) -> Json:
    """The schema of a body, whatever its content type."""
    return next((kind.get("schema", {}) for kind in holder.get("content", {}).values()), {})


def parameter(told: Json) -> Value:
    return Value(
        name=told["name"],
        kind=kind_of(told.get("schema", {})),
        text=prose(told.get("description", "")),
        required=told.get("required", False),
        place=PLACES[told["in"]],
    )


def fields_of(schema: Json, schemas: Json) -> list[Value]:
    model = resolve(schema, schemas)
    required = model.get("required", [])
    return [
        Value(name, kind_of(field), prose(field.get("description", "")), name in required)
        for name, field in model.get("properties", {}).items()
    ]


def sample_of(schema: Json, schemas: Json) -> str:
    """The smallest body that has all that is required, as JSON."""
    model = resolve(schema, schemas)
    sample = {
        name: sample_value(resolve(model["properties"][name], schemas))
        for name in model.get("required", [])
    }
    return orjson.dumps(sample).decode() if schema else ""


def sample_value(schema: Json) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    return SAMPLES.get(schema.get("type", "string"))


def resolve(schema: Json, schemas: Json) -> Json:
    """What a reference points to; anything else is itself."""
    name = schema.get("$ref", "").rpartition("/")[2]
    found: Json = schemas[name] if name else schema
    return found


def kind_of(schema: Json) -> str:
    """A type as people say it."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(kind_of(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"“{one}”" for one in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {kind_of(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type", "anything"))


def prose(text: str) -> Markup:
    """Text with `code` in it, as HTML."""
    parts = CODE.split(text.strip())
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(parts)
    )
