"""What PromQL asks for: the series that it names, with the labels that it looks at.

Only a real parser can tell; `promql-parser` is Prometheus' own grammar in Rust.
"""

import json
from collections.abc import Iterator
from typing import Any

import promql_parser as promql
import yaml

from tests.browser import PROJECT

FOLDER = PROJECT / "infra" / "observability"
# What Grafana puts in, as something that can be parsed.
VARIABLES = {"$service": ".*", "$release": ".*", "$tenant": ".*", "$__rate_interval": "5m"}


def rules(*names: str) -> Iterator[dict[str, Any]]:
    """Every rule of these files, recorded or alerting; of the services' if none is named."""
    for name in names or ("alerts", "recording"):
        text = (FOLDER / "rules" / f"{name}.yml").read_text("utf-8")
        for group in yaml.safe_load(text)["groups"]:
            yield from group["rules"]


def dashboards() -> dict[str, Any]:
    return {
        file.stem: json.loads(file.read_text("utf-8"))
        for file in sorted((FOLDER / "dashboards").glob("*.json"))
    }


def panels() -> Iterator[tuple[str, str]]:
    """Where a dashboard asks, and what."""
    for name, board in dashboards().items():
        for panel in board["panels"]:
            for target in panel["targets"]:
                yield f"{name}: {panel['title']}", target["expr"]


def parsed(text: str) -> Any:
    for name, value in VARIABLES.items():
        text = text.replace(name, value)
    return promql.parse(text)


def asked(text: str) -> dict[str, set[str]]:
    """Each series that an expression names, and the labels that it selects by or keeps."""
    found: dict[str, set[str]] = {}
    walk(parsed(text), set(), found)
    return found


def walk(node: Any, kept: set[str], found: dict[str, set[str]]) -> None:
    match node:
        case promql.VectorSelector():
            labels = {matcher.name for matcher in node.matchers.matchers} - {"__name__"}
            found.setdefault(node.name, set()).update(labels | kept)
        case promql.MatrixSelector():
            walk(node.vector_selector, kept, found)
        case promql.AggregateExpr():
            walk(node.expr, grouping(node), found)
        case promql.BinaryExpr():
            walk(node.lhs, kept, found)
            walk(node.rhs, kept if str(node.op) in {"or", "and"} else set(), found)
        case promql.Call():
            for argument in node.args:
                walk(argument, kept, found)
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            walk(node.expr, kept, found)


def grouping(node: Any) -> set[str]:
    return set(node.modifier.labels) if node.modifier else set()


def recorded() -> dict[str, set[str]]:
    """The series that rules make, and their labels."""
    made: dict[str, set[str]] = {}
    for rule in rules():
        if "record" in rule:
            made[rule["record"]] = labels_of(parsed(rule["expr"]), made)
    return made


def labels_of(node: Any, made: dict[str, set[str]]) -> set[str]:
    """The labels of what an expression answers; `made` is known of rules before this one."""
    match node:
        case promql.VectorSelector():
            return made.get(node.name, set())
        case promql.AggregateExpr():
            return grouping(node)
        case promql.Call() if node.func.name == "histogram_quantile":
            return labels_of(node.args[1], made) - {"le"}
        case promql.BinaryExpr():
            return labels_of(node.lhs, made) or labels_of(node.rhs, made)
        case promql.ParenExpr():
            return labels_of(node.expr, made)
    return set()


RULES = list(rules())
# All that is asked, by where it's asked.
ASKED = {
    **{f"rule {rule.get('record') or rule['alert']}": rule["expr"] for rule in RULES},
    **{f"dashboard {where} {number}": expr for number, (where, expr) in enumerate(panels())},
}
