"""A PostgreSQL database on either side: rows come and go by COPY."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from app.stages.services.promote.errors import Refused
from app.stages.services.promote.shapes import Column, Key, Shape, Table
from app.stages.services.promote.side import Side, Where
from app.stages.services.promote.values import KINDS

# A row is written in one way only, whatever the server's or the role's settings are.
SESSION = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    # An owner whom a later stage walls, too, sees the rows of all tenants then.
    "app.at_work": "on",
}
CONNECT_SECONDS = 5
LOCK_SECONDS = 5
# The server may work on for a moment for somebody who was killed.
CLAIM_SECONDS = 10
CLAIM = (1886547823, 1953461349)  # "prom", "ote": no other advisory lock is likely to be this one.
NATURAL = frozenset(
    {"uuid", "int", "moment", "clock", "date", "time", "bool", "float", "single", "numeric"}
)

TABLES = """
SELECT c.relname, a.attname, format_type(a.atttypid, NULL), t.typtype, a.atttypmod,
       format_type(a.atttypid, a.atttypmod),
       coalesce(array_position(i.indkey::int[], a.attnum::int), -1)
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
  AND NOT c.relispartition AND a.attgenerated = ''
ORDER BY c.relname, a.attnum
"""
# What stands in the way of rows that aren't all there yet, and how it's put back: the turn,
# how it's taken away, how it comes back.
OBSTACLES = """
WITH mine AS (
    SELECT oid FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relname NOT LIKE '\\_promote%'
)
SELECT 5, format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
       format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname,
              pg_get_constraintdef(oid))
FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 AND conrelid IN (SELECT oid FROM mine)
UNION ALL
SELECT 2, format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
       format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname,
              pg_get_constraintdef(oid))
FROM pg_constraint
WHERE contype IN ('u', 'x') AND conparentid = 0 AND conrelid IN (SELECT oid FROM mine)
UNION ALL
SELECT CASE WHEN i.indisunique THEN 1 ELSE 0 END, format('DROP INDEX %s', i.indexrelid::regclass),
       pg_get_indexdef(i.indexrelid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE NOT i.indisprimary AND i.indrelid IN (SELECT oid FROM mine) AND NOT c.relispartition
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
UNION ALL
SELECT 6, format('ALTER TABLE %s DISABLE TRIGGER %I', tgrelid::regclass, tgname),
       format('ALTER TABLE %s ENABLE TRIGGER %I', tgrelid::regclass, tgname)
FROM pg_trigger
WHERE NOT tgisinternal AND tgenabled = 'O' AND tgrelid IN (SELECT oid FROM mine)
UNION ALL
SELECT 6, format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', oid::regclass),
       format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', oid::regclass)
FROM pg_class WHERE relforcerowsecurity AND oid IN (SELECT oid FROM mine)
"""
SEQUENCES = """
SELECT s.oid::regclass::text, d.refobjid::regclass::text, quote_ident(a.attname)
FROM pg_class s
JOIN pg_depend d ON d.objid = s.oid AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE s.relkind = 'S' AND s.relnamespace = current_schema()::regnamespace
"""
# One that hasn't been asked yet is at none.
COUNTED = """
SELECT sequencename, coalesce(last_value, 0) FROM pg_sequences
WHERE schemaname = current_schema() AND increment_by > 0
"""
# They were made of empty tables. One that is made of another was made after it.
KEPT_VIEWS = """
SELECT oid::regclass::text FROM pg_class
WHERE relkind = 'm' AND relnamespace = current_schema()::regnamespace
ORDER BY pg_class.oid
"""
ELSEWHERE = """
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname <> current_schema()
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND coalesce(obj_description(n.oid, 'pg_namespace'), '') <> 'made by flask db upgrade'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                  AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1
"""
SLEEPERS = """
SELECT DISTINCT a.pid, a.application_name FROM pg_locks l
JOIN pg_stat_activity a ON a.pid = l.pid
JOIN pg_class c ON c.oid = l.relation AND c.relnamespace = current_schema()::regnamespace
WHERE NOT l.granted AND l.locktype = 'relation' AND c.relname = ANY(%s)
"""


class PostgresSide(Side):
    """One connection; a source's can't write."""

    dialect = "postgresql"

    def __init__(self, url: str, *, writing: bool) -> None:
        super().__init__(url)
        self.writing = writing
        self.connection = self.connect()

    def connect(self) -> psycopg.Connection[Any]:
        parsed = make_url(self.url).set(drivername="postgresql")
        settings = SESSION | {"default_transaction_read_only": "off" if self.writing else "on"}
        patience = {} if "connect_timeout" in parsed.query else {"connect_timeout": CONNECT_SECONDS}
        try:
            connection = psycopg.connect(
                parsed.render_as_string(hide_password=False),
                autocommit=True,
                application_name="flask promote",
                **cast(Any, patience),
            )
        except psycopg.Error as error:
            raise Refused(f"{self.shown} doesn't answer or refused: {error}") from None
        for name, value in settings.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        return connection

    def close(self) -> None:
        self.connection.close()

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(cast(Any, statement), values or None).fetchall()

    def execute(self, statement: str, *values: Any) -> None:
        try:
            self.connection.execute(cast(Any, statement), values or None)
        except psycopg.Error as error:
            raise Refused(f"{self.shown} refused: {error}\nIt was asked: {statement}") from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self.connection.transaction():
            yield

    def reading(self) -> "PostgresSide":
        return PostgresSide(self.url, writing=False)

    def identity(self) -> tuple[object, ...]:
        asked = "SELECT pg_postmaster_start_time(), current_database(), current_schema()"
        return self.rows(asked)[0]

    def all_tables(self) -> dict[str, Table]:
        return tables_from(self.rows(TABLES))

    def versions(self, package: str) -> set[str]:
        table = f"alembic_version_{package}"
        if not self.rows("SELECT to_regclass(%s)", table)[0][0]:
            return set()
        return {row[0] for row in self.rows(f"SELECT version_num FROM {table}")}  # noqa: S608

    def count(self, table: str, where: Where | None = None) -> int:
        asked = sql.SQL("SELECT count(*) FROM {}{}").format(sql.Identifier(table), clause(where))
        return int(self.rows(asked.as_string(self.connection))[0][0])

    def tenant_counts(self, table: str, column: str) -> dict[str, int]:
        asked = sql.SQL("SELECT coalesce({0}::text, ''), count(*) FROM {1} GROUP BY 1").format(
            sql.Identifier(column), sql.Identifier(table)
        )
        return dict(self.rows(asked.as_string(self.connection)))

    def distinct(self, table: str, column: str) -> list[str]:
        asked = sql.SQL("SELECT DISTINCT {} FROM {}").format(
            sql.Identifier(column), sql.Identifier(table)
        )
        return [row[0] for row in self.rows(asked.as_string(self.connection))]

    # --- Rows out ------------------------------------------------------------------------------

    def batch(self, shape: Shape, where: Where | None, after: Key | None, size: int) -> list[bytes]:
        key = sql.SQL(", ").join(sql.Identifier(column.name) for column in shape.key)
        conditions = [condition(where)] if where else []
        if after is not None:
            conditions.append(sql.SQL("({}) > ({})").format(key, literals(shape, after)))
        asked = sql.SQL("SELECT {} FROM {}{} ORDER BY {} LIMIT {}").format(
            self.read(shape), sql.Identifier(shape.name), all_of(conditions), key, sql.Literal(size)
        )
        return list(self.copy_out(asked))

    def stream(self, shape: Shape, where: Where | None = None) -> Iterator[bytes]:
        order = sql.SQL(", ").join(ordered(column) for column in shape.key or shape.columns)
        asked = sql.SQL("SELECT {} FROM {}{} ORDER BY {}").format(
            self.read(shape), sql.Identifier(shape.name), clause(where), order
        )
        return self.copy_out(asked)

    def fetch(self, shape: Shape, keys: Sequence[Key]) -> list[bytes]:
        if not keys:
            return []
        order = sql.SQL(", ").join(ordered(column) for column in shape.key)
        asked = sql.SQL("SELECT {} FROM {} WHERE {} ORDER BY {}").format(
            self.read(shape), sql.Identifier(shape.name), one_of(shape, keys), order
        )
        with self.by_key():
            return list(self.copy_out(asked))

    def copy_out(self, asked: sql.Composable) -> Iterator[bytes]:
        with (
            self.connection.cursor() as cursor,
            cursor.copy(sql.SQL("COPY ({}) TO STDOUT").format(asked)) as copy,
        ):
            for line in copy:
                yield bytes(line)

    def read(self, shape: Shape) -> sql.Composable:
        return sql.SQL(", ").join(read(column, shape) for column in shape.columns)

    # --- Rows in -------------------------------------------------------------------------------

    def insert(self, shape: Shape, lines: Sequence[bytes]) -> None:
        names = sql.SQL(", ").join(sql.Identifier(column.name) for column in shape.columns)
        asked = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(shape.name), names)
        try:
            with self.connection.cursor() as cursor, cursor.copy(asked) as copy:
                copy.write(b"".join(lines))
        except psycopg.Error as error:
            raise Refused(unfit(shape, lines, error)) from error

    def delete(self, shape: Shape, keys: Sequence[Key]) -> None:
        if keys:
            asked = sql.SQL("DELETE FROM {} WHERE {}").format(
                sql.Identifier(shape.name), one_of(shape, keys)
            )
            with self.by_key():
                self.connection.execute(asked)

    @contextmanager
    def by_key(self) -> Iterator[None]:
        """Let a few rows be found by their keys: the planner thinks that all are read faster."""
        for name in ("seqscan", "hashjoin", "mergejoin"):
            self.connection.execute(f"SET enable_{name} = off")
        yield
        for name in ("seqscan", "hashjoin", "mergejoin"):
            self.connection.execute(f"RESET enable_{name}")

    def empty(self, tables: Sequence[str]) -> None:
        if tables:
            names = sql.SQL(", ").join(sql.Identifier(table) for table in tables)
            self.connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(names))

    def take_down(self, since: int = 0) -> list[tuple[int, str]]:
        found = sorted(one for one in self.rows(OBSTACLES) if one[0] >= since)
        for _turn, away, _back in reversed(found):
            self.execute(away)
        return [(turn, back) for turn, _away, back in found]

    def settle(self, counted: dict[str, int]) -> None:
        for sequence, table, column in self.rows(SEQUENCES):
            self.execute(
                f"SELECT setval('{sequence}', coalesce(max({column}), 1), "  # noqa: S608
                f"max({column}) IS NOT NULL) FROM {table}"
            )
        for name, here in self.counted().items():
            if (there := counted.get(name, 0)) > here:
                self.rows("SELECT setval(%s, %s)", quoted(name), there)
        for (view,) in self.rows(KEPT_VIEWS):
            self.execute(f"REFRESH MATERIALIZED VIEW {view}")

    def counted(self) -> dict[str, int]:
        return dict(self.rows(COUNTED))

    def elsewhere(self) -> list[str]:
        return [row[0] for row in self.rows(ELSEWHERE)]

    def analyse(self) -> None:
        self.execute("ANALYZE")

    def claim(self) -> None:
        """An advisory lock of the session: it ends with the connection, however that ends."""
        with self.connection.transaction():
            self.connection.execute(f"SET LOCAL lock_timeout = '{CLAIM_SECONDS}s'")
            try:
                self.connection.execute("SELECT pg_advisory_lock(%s, %s)", CLAIM)
            except psycopg.errors.LockNotAvailable:
                raise Refused(CLAIMED.format(self.shown, self.holder())) from None

    def holder(self) -> str:
        asked = """
            SELECT coalesce(a.client_addr::text, 'this machine'), l.pid, a.backend_start::text
            FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
            WHERE l.locktype = 'advisory' AND l.granted AND l.classid = %s AND l.objid = %s
              AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """
        with PostgresSide(self.url, writing=False).connection as connection:
            found = connection.execute(asked, CLAIM).fetchone()
        return "from {}, server process {}, since {}".format(*found) if found else "just ended"

    # --- A source that nobody writes to --------------------------------------------------------

    @contextmanager
    def standing_still(self, tables: Sequence[str]) -> Iterator[None]:
        """Writers wait at the tables' locks; if one did, the product isn't stopped."""
        names = sql.SQL(", ").join(sql.Identifier(table) for table in tables)
        with self.connection.transaction():
            self.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            self.connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
            try:
                self.connection.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(names))
            except psycopg.errors.LockNotAvailable:
                raise Refused(STILL_WRITTEN.format(self.shown, "a transaction is open")) from None
            except psycopg.errors.InsufficientPrivilege as error:
                raise Refused(
                    f"{self.shown}: {error.diag.message_primary}. The role needs the right to "
                    "write there, as the product's has, to keep others from writing meanwhile."
                ) from None
            yield
            waiting = self.rows(SLEEPERS, list(tables))
            if waiting:
                who = ", ".join(f"{name or 'process'} {pid}" for pid, name in waiting)
                raise Refused(STILL_WRITTEN.format(self.shown, f"waiting to write: {who}"))

    def broken_references(self) -> list[str]:
        return []

    def others(self) -> list[tuple[int, str]]:
        """Who else is connected."""
        return cast(
            list[tuple[int, str]],
            self.rows(
                "SELECT pid, application_name FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name <> 'flask promote' "
                "AND backend_type = 'client backend'"
            ),
        )


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


CLAIMED = (
    "Another `flask promote` is at work in {} ({}). Let it come to its end, or end it; then run "
    "this again: it goes on where the other one was."
)


def tables_from(rows: Iterable[Sequence[Any]]) -> dict[str, Table]:
    """The tables in what a server answers to TABLES."""
    columns: dict[str, list[Column]] = {}
    keys: dict[str, list[tuple[int, str]]] = {}
    for table, name, type_, category, modifier, exact, place in rows:
        kind = "enum" if category == "e" else KINDS.get(type_, "other")
        scale = (modifier - 4) & 0x7FF if kind == "numeric" and modifier >= 4 else None
        # Exact: a bare `character` has room for one.
        columns.setdefault(table, []).append(Column(name, exact, kind, scale))
        keys.setdefault(table, [])
        if place >= 0:
            keys[table].append((place, name))
    return {
        table: Table(table, tuple(found), tuple(name for _, name in sorted(keys[table])))
        for table, found in columns.items()
    }


STILL_WRITTEN = (
    "{} is being written to ({}): what comes now wouldn't be carried. Stop the product, or run "
    "`flask promote freeze`, then run `flask promote finish` again; nothing that was copied is "
    "lost."
)


def unfit(shape: Shape, lines: Sequence[bytes], error: psycopg.Error) -> str:
    """Which row PostgreSQL refused, by its key: its context says the number of the line."""
    context = error.diag.context or ""
    number = re.search(r"line (\d+)", context)
    row = ""
    if number and shape.keys and int(number[1]) <= len(lines):
        row = f" The row's key is {', '.join(shape.key_of(lines[int(number[1]) - 1]))}."
    return (
        f"A row of {shape.name} doesn't fit: {error.diag.message_primary or error}. "
        f"{error.diag.message_detail or ''}{row} ({context.splitlines()[0] if context else ''})\n"
        "Mend it in the source, where SQLite may have let pass what PostgreSQL doesn't, and run "
        "the command again: it goes on where it was."
    )


def read(column: Column, shape: Shape) -> sql.Composable:
    name = sql.Identifier(column.name)
    if column.kind == "interval" and shape.converted:
        asked = "(extract(epoch FROM {}) * 1000000)::bigint || ' microseconds'"
        return sql.SQL(cast(Any, asked)).format(name)
    return name


def ordered(column: Column) -> sql.Composable:
    """An order that doesn't depend on a server's language."""
    name = sql.Identifier(column.name)
    if column.kind in NATURAL:
        return name
    if column.kind == "bytes":
        return name
    return sql.SQL('{}::text COLLATE "C"').format(name)


def literals(shape: Shape, key: Key) -> sql.Composable:
    return sql.SQL(", ").join(
        sql.SQL("{}::{}").format(sql.Literal(value), sql.SQL(cast(Any, column.type)))
        for column, value in zip(shape.key, key, strict=True)
    )


def one_of(shape: Shape, keys: Sequence[Key]) -> sql.Composable:
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in shape.key)
    tuples = sql.SQL(", ").join(sql.SQL("({})").format(literals(shape, key)) for key in keys)
    return sql.SQL("({}) IN (VALUES {})").format(names, tuples)


def condition(where: Where) -> sql.Composable:
    if not where.values:
        return sql.SQL("true" if where.negated else "false")
    values = sql.SQL(", ").join(sql.Literal(value) for value in where.values)
    word = sql.SQL("NOT IN" if where.negated else "IN")
    return sql.SQL("{} {} ({})").format(sql.Identifier(where.column), word, values)


def clause(where: Where | None) -> sql.Composable:
    return all_of([condition(where)] if where else [])


def all_of(conditions: Sequence[sql.Composable]) -> sql.Composable:
    if not conditions:
        return sql.SQL("")
    return sql.SQL(" WHERE ") + sql.SQL(" AND ").join(conditions)
