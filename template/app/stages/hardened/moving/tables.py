"""What is carried: every table with the tenant's rows, and by which of three ways.

rows     what belongs to tenants, and what names one in its key: replicated, filtered
adds     what is only ever added (audit, the inbox): replicated, inserts alone
work     jobs and events still to be delivered: carried by hand at the switch, since whoever
         sweeps a database takes up each row that lies there
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from app.db import owns
from app.stages.hardened.moving.errors import CannotMove

INBOX = "shared_inbox"
ADDED_ONLY = ("shared_audit",)
# The states in which somebody still has to do something about a row.
OPEN = {"shared_jobs": ("queued", "running"), "shared_outbox": ("pending", "dead")}
MARKS, PARKED = "hardened.moving_marks", "hardened.moving_parked"
TENANT = "tenant_id"

LISTED = """
SELECT c.relname, c.relreplident,
    ARRAY(SELECT attname::text FROM pg_attribute a WHERE attrelid = c.oid AND attnum > 0
          AND NOT attisdropped AND attgenerated = '' ORDER BY attname) AS columns,
    ARRAY(SELECT a.attname::text FROM pg_index i,
          unnest(i.indkey::int[]) WITH ORDINALITY AS k(n, at)
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.n
          WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY k.at) AS key,
    ARRAY(SELECT format_type(a.atttypid, a.atttypmod) FROM pg_index i,
          unnest(i.indkey::int[]) WITH ORDINALITY AS k(n, at)
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.n
          WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY k.at) AS types
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname
"""
OBJECTS = (
    f"CREATE TABLE IF NOT EXISTS {MARKS} (tenant_id uuid, id uuid, PRIMARY KEY (tenant_id, id))",
    (
        f"CREATE TABLE IF NOT EXISTS {PARKED} (tenant_id uuid, relation text, id uuid, "
        "row jsonb NOT NULL, PRIMARY KEY (tenant_id, relation, id))"
    ),
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it's carried: its columns by name, and its key."""

    name: str
    identity: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    types: tuple[str, ...]

    @property
    def quoted(self) -> sql.Identifier:
        return sql.Identifier("public", self.name)

    @property
    def way(self) -> str:
        """`rows`, `adds` or `work`."""
        if self.name in OPEN:
            return "work"
        return "adds" if self.name in (INBOX, *ADDED_ONLY) else "rows"

    @property
    def rest(self) -> tuple[tuple[str, str], ...]:
        """The columns of the key besides the tenant, with their types."""
        pairs = zip(self.key, self.types, strict=True)
        return tuple((name, kind) for name, kind in pairs if name != TENANT)

    @property
    def needs_whole_rows(self) -> bool:
        """Whether a change must say the whole row, as its key doesn't tell whose it was."""
        return self.way == "rows" and TENANT not in self.key and self.identity != "f"

    @property
    def hashed(self) -> sql.Composed:
        """A number for all that is in a row, the same in any order of the columns."""
        columns = sql.SQL(", ").join(map(sql.Identifier, self.columns))
        return sql.SQL("hashtextextended(ROW({})::text, 0)").format(columns)


def tables_of(connection: psycopg.Connection, service: str) -> list[Table]:
    """Every table of a service's database that has rows of tenants, the inbox included."""
    found = [
        Table(name, identity, tuple(columns), tuple(key), tuple(types))
        for name, identity, columns, key, types in connection.execute(LISTED).fetchall()
        if name == INBOX or (TENANT in columns and (owns("shared", name) or owns(service, name)))
    ]
    if keyless := [table.name for table in found if not table.rest]:
        raise CannotMove(
            f"{', '.join(keyless)}: a row can't be told from others without a primary key.",
            hint="Give each such table one, with tenant_id in it.",
        )
    return found


def with_tenant(tables: list[Table]) -> list[Table]:
    """Those whose rows name their tenant: all but the inbox."""
    return [table for table in tables if TENANT in table.columns]


def make_objects(connection: psycopg.Connection) -> None:
    """The marks by which one database knows how far the other has come, and the parked rows."""
    for statement in OBJECTS:
        connection.execute(statement.encode())


def marks_table() -> sql.Identifier:
    return sql.Identifier(*MARKS.split("."))


def mine(tenant_id: UUID) -> sql.Composed:
    return sql.SQL("tenant_id = {}").format(sql.Literal(str(tenant_id)))


def count(connection: psycopg.Connection, table: Table, tenant_id: UUID) -> int:
    asked = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(table.quoted, mine(tenant_id))
    return only(connection.execute(asked))


def only(cursor: "psycopg.Cursor[Any]") -> Any:
    """The one value of an answer, or None."""
    row = cursor.fetchone()
    return row[0] if row else None
