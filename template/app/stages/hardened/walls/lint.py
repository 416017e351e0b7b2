"""Whether the walls stand: what the catalogue of PostgreSQL says, asked rule by rule.

The questions are in `rules.sql`. A refusal keeps the application from starting; a notice is
something to know. They are asked as the application's role, for it's that role that must be held.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Engine, Index, Table, UniqueConstraint, text

from app.db import METADATA

RULES = Path(__file__).with_name("rules.sql")
RULE = re.compile(
    r"""^-- rule: (?P<name>[^\n]+) · (?P<level>refusal|notice)
-- (?P<says>[^\n]+)
(?P<question>SELECT .*?)(?=\n\n|\Z)""",
    re.MULTILINE | re.DOTALL,
)
STANDING = "SELECT name, kind, enabled AND forced AS stands FROM walled ORDER BY name"


@dataclass(frozen=True, slots=True)
class Rule:
    """A question to the catalogue, and what to say about each row of the answer."""

    name: str
    refuses: bool
    says: str
    question: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a rule found: where, and what to do."""

    rule: str
    refuses: bool
    where: str
    detail: str
    says: str

    def __str__(self) -> str:
        place = f"{self.where} ({self.detail})" if self.detail else self.where
        return f"{place} {self.says}."


@cache
def rules() -> tuple[Rule, ...]:
    return tuple(
        Rule(found["name"], found["level"] == "refusal", found["says"], found["question"])
        for found in RULE.finditer(RULES.read_text("utf-8"))
    )


@cache
def common() -> str:
    """What all questions begin with."""
    words = RULES.read_text("utf-8")
    return words[words.index("WITH RECURSIVE") : words.index("-- rule:")]


def findings(connection: Connection) -> list[Finding]:
    """Everything that the rules find in a database, refusals first."""
    if connection.dialect.name != "postgresql":
        return []
    found = [finding for rule in rules() for finding in look(connection, rule)]
    return sorted(found, key=lambda one: not one.refuses)


def refusals(connection: Connection) -> list[Finding]:
    """What the application doesn't start with."""
    if connection.dialect.name != "postgresql":
        return []
    return [one for rule in rules() if rule.refuses for one in look(connection, rule)]


def look(connection: Connection, rule: Rule) -> Iterator[Finding]:
    for where, detail in ask(connection, rule.question):
        yield Finding(rule.name, rule.refuses, where, detail or "", rule.says)


def standing(connection: Connection) -> list[Any]:
    """Each table that must have a wall: its name, its kind, and whether one stands."""
    return ask(connection, STANDING)


def ask(connection: Connection, question: str) -> list[Any]:
    known = {"spanning": list(spanning()), "excused": list(excused())}
    words = text(common() + question)
    return list(connection.execute(words, {k: known[k] for k in words.compile().params}).all())


def spanning() -> Iterator[str]:
    """The tables whose models say that they are read where no tenant is set."""
    for table in tables():
        if table.info.get("spans_tenants"):
            yield table.name


def excused() -> Iterator[str]:
    """What may be unique over all tenants, as the models say: `table.column,column`."""
    for table in tables():
        for columns in (*excused_columns(table), *excused_constraints(table)):
            yield f"{table.fullname}.{','.join(sorted(columns))}"


def excused_columns(table: Table) -> Iterator[list[str]]:
    yield from ([column.name] for column in table.c if column.info.get("spans_tenants"))


def excused_constraints(table: Table) -> Iterator[list[str]]:
    for one in (*table.constraints, *table.indexes):
        if isinstance(one, UniqueConstraint | Index) and one.info.get("spans_tenants"):
            yield [part.name for part in one.columns if isinstance(part, Column)]


def tables() -> Iterator[Table]:
    for metadata in METADATA.values():
        yield from metadata.tables.values()


def of_engines(engines: dict[str, Engine]) -> dict[str, list[Finding]]:
    """The refusals of several databases, by the names of these."""
    found = {}
    for name, engine in engines.items():
        with engine.connect() as connection:
            found[name] = refusals(connection)
    return found
