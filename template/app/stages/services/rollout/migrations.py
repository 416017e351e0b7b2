"""What the release before can live with: migrations that only add, or say why they do more.

While a rollout is underway two releases work on the same tables. So each migration between them is
run without a database, and what it would do is looked at. A step that would break the code of the
release before is refused, with the way to do it in two releases. One that is meant so says it:

    contract = "nothing has read projects.colour since 1.4.0"
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from types import ModuleType
from typing import Any
from unittest.mock import patch

import sqlalchemy as sa
from alembic.operations import AbstractOperations, Operations, ops
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError

from app import migrate
from app.db import METADATA, PACKAGES
from app.stages.services.rollout.errors import Refused

LONG_ENOUGH = 10
BESIDE = (
    "Add the new column beside it, write both, fill it, read the new one; a release later drop the "
    "old one. Or keep the column's name and rename the attribute only."
)
EXPAND = "First a release whose code {without}; the release after it {contract}."
SAFE = re.compile(
    r"(create (table|sequence|extension|type|schema|(or replace )?(function|view))|"
    r"create index|drop index|insert|update|select|grant|comment|analyze|set|"
    r"alter type \S+ add value|"
    r"alter table (only )?(if exists )?\S+ (validate constraint|enable|force)) ?",
    re.IGNORECASE,
)
WIDER: dict[type[Any], tuple[type[Any], ...]] = {
    sa.SmallInteger: (sa.SmallInteger, sa.Integer, sa.BigInteger),
    sa.Integer: (sa.Integer, sa.BigInteger),
    sa.BigInteger: (sa.BigInteger,),
}
Heads = Mapping[str, Iterable[str]]


@dataclass(frozen=True, slots=True)
class Finding:
    """A step of a migration that the release before can't live with."""

    revision: str
    step: str
    why: str
    instead: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A migration that is new, what was found in it, and its reason if it has one."""

    package: str
    revision: str
    title: str
    findings: tuple[Finding, ...]
    reason: str

    @property
    def is_refused(self) -> bool:
        return bool(self.findings) and not self.reason


@dataclass
class New:
    """What the new migrations have made so far: nothing that the release before knows."""

    tables: set[str] = field(default_factory=set)
    columns: set[tuple[str, str]] = field(default_factory=set)


def heads() -> dict[str, list[str]]:
    """The newest migrations of this code, by package."""
    return {package: sorted(migrate.heads_of(package)) for package in PACKAGES}


def check(before: Heads) -> list[Checked]:
    """Every migration of this code that the release with these heads doesn't have."""
    return [
        checked for package in PACKAGES for checked in check_package(package, before.get(package))
    ]


def check_package(package: str, before: Iterable[str] | None) -> Iterator[Checked]:
    scripts = ScriptDirectory.from_config(migrate.config_of(package))
    new = New()
    for script in reversed(newer(scripts, package, before)):
        found = tuple(findings(script.module, script.revision, package, new))
        yield Checked(package, script.revision, script.doc or "", found, reason_of(script.module))


def newer(scripts: ScriptDirectory, package: str, before: Iterable[str] | None) -> list[Any]:
    """The migrations after some, the newest first.

    Raises `Refused` if this code doesn't know where to begin: then it's the older of the two.
    """
    known = list(before or ())
    try:
        old = {
            script.revision for one in known for script in scripts.iterate_revisions(one, "base")
        }
    except (CommandError, RevisionError):
        raise Refused(
            f"The release before has migrations of {package} that this code doesn't know: "
            f"{', '.join(known)}. Is this code the older of the two?"
        ) from None
    return [script for script in scripts.walk_revisions() if script.revision not in old]


def reason_of(module: ModuleType) -> str:
    reason = getattr(module, "contract", "")
    return reason.strip() if isinstance(reason, str) and len(reason.strip()) >= LONG_ENOUGH else ""


def findings(module: ModuleType, revision: str, package: str, new: New) -> Iterator[Finding]:
    """What in a migration the release before can't live with."""
    operations, trouble = operations_of(module, package)
    for one in operations:
        for step, why, instead in problems_of(one, new):
            yield Finding(revision, step, why, instead)
    if trouble:
        yield Finding(
            revision,
            "something that needs a database",
            f"it can't be looked at without one ({trouble})",
            "Look at it yourself, and say in `contract` why the release before can live with it.",
        )


def operations_of(module: ModuleType, package: str) -> tuple[list[ops.MigrateOperation], str]:
    """What a migration does, in order, and what kept us from seeing all of it."""
    seen: list[ops.MigrateOperation] = []
    context = MigrationContext.configure(
        dialect_name="postgresql",
        opts={
            "as_sql": True,
            "output_buffer": StringIO(),
            "target_metadata": METADATA[package],
        },
    )
    bind: Any = context.bind  # What `op.get_bind()` answers.
    bind.execute = lambda statement, *_, **__: seen.append(ops.ExecuteSQLOp(statement))
    with recording(seen), Operations.context(context):
        try:
            module.upgrade()
        except Exception as error:
            return seen, f"{type(error).__name__}: {error}"
    return seen, ""


@contextmanager
def recording(seen: list[ops.MigrateOperation]) -> Iterator[None]:
    """Keep each operation that is invoked, inside of a batch or not."""
    really = AbstractOperations.invoke

    def invoke(self: AbstractOperations, operation: Any) -> Any:
        seen.append(operation)
        return really(self, operation)

    with patch.object(AbstractOperations, "invoke", invoke):
        yield


def problems_of(one: Any, new: New) -> Iterator[tuple[str, str, str]]:
    """The step, why the release before can't live with it, and what to do instead."""
    table = getattr(one, "table_name", "") or getattr(one, "source_table", "")
    if isinstance(one, ops.CreateTableOp):
        new.tables.add(one.table_name)
    elif isinstance(one, ops.ExecuteSQLOp):
        yield from in_sql(str(one.sqltext))
    elif table in new.tables:
        return
    elif isinstance(one, ops.AddColumnOp):
        yield from in_new_column(one, new)
    elif isinstance(one, ops.AlterColumnOp) and (table, one.column_name) not in new.columns:
        yield from in_changed_column(one)
    elif isinstance(one, ops.DropColumnOp) and (table, one.column_name) not in new.columns:
        yield (
            f"drops the column {table}.{one.column_name}",
            "the release before still reads and writes it",
            in_two(f"no longer mentions {one.column_name}", "drops it"),
        )
    elif isinstance(one, ops.DropTableOp):
        yield (
            f"drops the table {table}",
            "the release before still uses it",
            in_two(f"no longer uses {table}", "drops it"),
        )
    elif isinstance(one, ops.RenameTableOp) and one.table_name not in new.tables:
        yield (
            f"renames the table {table} to {one.new_table_name}",
            f"the release before still asks for {table}",
            "Keep the name (`__tablename__`), or make a new table and fill it from the old one.",
        )
    else:
        yield from in_constraint(one, table)


def in_new_column(one: ops.AddColumnOp, new: New) -> Iterator[tuple[str, str, str]]:
    column, table = one.column, one.table_name
    new.columns.add((table, column.name))
    fills_itself = column.server_default is not None or column.identity or column.computed
    if not column.nullable and not fills_itself:
        yield (
            f"adds {table}.{column.name}, which must be filled and has no default",
            "rows that the release before writes don't have it, and fail",
            "Give it a server_default, or make it nullable now and NOT NULL one release later.",
        )
    if column.unique:
        yield (
            f"adds {table}.{column.name} as unique",
            "if it has a default, the second row that the release before writes fails",
            in_two("writes the column always", "makes it unique"),
        )


def in_changed_column(one: ops.AlterColumnOp) -> Iterator[tuple[str, str, str]]:
    name = f"{one.table_name}.{one.column_name}"
    if one.modify_name is not None:
        yield (
            f"renames {name} to {one.modify_name}",
            f"the release before still asks for {one.column_name}",
            BESIDE,
        )
    if one.modify_nullable is False:
        yield (
            f"makes {name} NOT NULL",
            "the release before may still leave it empty, and would fail",
            in_two(f"always fills {one.column_name}", "makes it NOT NULL"),
        )
    if one.modify_type is not None and not is_wider(one.existing_type, one.modify_type):
        yield (
            f"changes the type of {name} to {one.modify_type!r}",
            "what the release before writes may not fit, or what it reads may surprise it",
            "Add a column of the new type beside it and move over to it in two releases.",
        )
    if one.modify_server_default is None and one.existing_nullable is not True:
        yield (
            f"takes the default of {name} away",
            "the release before may leave the column to it",
            in_two(f"fills {one.column_name} itself", "takes the default away"),
        )


def is_wider(old: Any, new: Any) -> bool:
    """Whether every value of a type fits into another one and reads the same."""
    old, new = (kind() if isinstance(kind, type) else kind for kind in (old, new))
    if old is None:
        return False
    if isinstance(old, sa.String) and isinstance(new, sa.String):
        return new.length is None or (old.length is not None and new.length >= old.length)
    for kind, wider in WIDER.items():
        if type(old) is kind:
            return type(new) in wider
    return repr(old) == repr(new)


def in_constraint(one: Any, table: str) -> Iterator[tuple[str, str, str]]:
    """Rules for rows: a new one may refuse what the release before writes."""
    kinds = {
        ops.CreateUniqueConstraintOp: "a unique constraint",
        ops.CreateCheckConstraintOp: "a check",
        ops.CreateForeignKeyOp: "a foreign key",
        ops.CreatePrimaryKeyOp: "a primary key",
    }
    kind = kinds.get(type(one))
    if isinstance(one, ops.CreateIndexOp) and one.unique:
        kind = "a unique index"
    if kind:
        yield (
            f"adds {kind} to {table}",
            "the release before doesn't know of it and may write what it refuses",
            in_two("keeps to the rule", "adds it to the table"),
        )
    if isinstance(one, ops.DropConstraintOp) and one.constraint_type not in {"foreignkey", "check"}:
        yield (
            f"drops the constraint {one.constraint_name} of {table}",
            "the release before may rely on it: an upsert (ON CONFLICT) fails without",
            in_two("does without it", "drops it"),
        )


def in_sql(given: str) -> Iterator[tuple[str, str, str]]:
    """Statements that are known to be harmless pass; the others need a reason."""
    for statement in filter(None, (part.strip() for part in given.split(";"))):
        plain = " ".join(re.sub(r"--[^\n]*", "", statement).split())
        if plain and not SAFE.match(plain):
            yield (
                f"runs {plain[:60]!r}",
                "this SQL isn't known to be harmless to the release before",
                "Say in `contract` why it is, or do it a release later.",
            )


def in_two(without: str, contract: str) -> str:
    return EXPAND.format(without=without, contract=contract)
