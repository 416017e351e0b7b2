"""A database as the tools of tenants see it: as the owner at work, rows as canonical text.

PostgreSQL writes and reads the values itself, in one way whatever a server's settings are, so what
comes out goes in exactly. Which tables have rows of tenants is asked of the database: a team's
table is found by its column `tenant_id`, whether or not a model stands for it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self, cast
from uuid import UUID

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from app.errors import Refused, Unavailable
from app.stages.services.promote.postgres import SESSION, TABLES, tables_from
from app.stages.services.promote.shapes import Table
from app.stages.services.promote.values import fields_of, line_of

CONNECT_SECONDS = 5
TENANT = "tenant_id"
# Tables that name a tenant and span them all: auth's, and those that each process keeps.
SPANNING = ("auth_", "shared_")
OURS = ("alembic_version", "_promote")

REFERENCES = """
SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint
WHERE contype = 'f' AND connamespace = current_schema()::regnamespace AND conparentid = 0
"""


class NeedsPostgres(Refused):
    """This works on PostgreSQL only."""

    title = "This needs PostgreSQL"


class Away(Unavailable):
    """A database of a service doesn't answer."""


class Database:
    """One connection to a service's database; close it, or use it in `with`."""

    def __init__(self, url: str, service: str = "", *, owner: bool = True) -> None:
        self.url, self.service = url, service
        if make_url(url).get_backend_name() != "postgresql":
            raise NeedsPostgres(
                f"{service or 'This database'} is on SQLite: whole tenants are exported, restored "
                "and deleted on PostgreSQL only. `flask dev` starts one."
            )
        self.connection = self.connect(owner)

    def connect(self, owner: bool) -> psycopg.Connection[Any]:
        parsed = make_url(self.url).set(drivername="postgresql")
        patience = {} if "connect_timeout" in parsed.query else {"connect_timeout": CONNECT_SECONDS}
        try:
            connection = psycopg.connect(
                parsed.render_as_string(hide_password=False),
                autocommit=True,
                application_name="flask tenant",
                **cast(Any, patience),
            )
        except psycopg.Error as error:
            raise Away(f"The database of {self.service} doesn't answer: {error}".strip()) from None
        for name, value in {**SESSION, **({"app.at_work": "on"} if owner else {})}.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        return connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.connection.close()

    def rows(self, asked: Any, *values: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(asked, values or None).fetchall()

    @contextmanager
    def transaction(self, *, snapshot: bool = False) -> Iterator[None]:
        """One transaction; a snapshot sees one state of all tables and writes nothing."""
        with self.connection.transaction():
            if snapshot:
                self.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield

    # --- What is there -------------------------------------------------------------------------

    def tables(self) -> dict[str, Table]:
        """Every table with rows of the product's."""
        found = tables_from(self.rows(TABLES))
        return {name: table for name, table in found.items() if not name.startswith(OURS)}

    def owned(self) -> dict[str, Table]:
        """The tables whose rows belong to tenants, so that rows come after those they refer to."""
        tables = {
            name: table
            for name, table in self.tables().items()
            if TENANT in columns_of(table) and not name.startswith(SPANNING)
        }
        return {name: tables[name] for name in self.in_order(tables)}

    def in_order(self, names: Mapping[str, Any]) -> list[str]:
        """Tables after those that their rows refer to; raises `Refused` where that's a circle."""
        waits: dict[str, set[str]] = {name: set() for name in names}
        for child, parent in self.references():
            if child in waits and parent in waits and child != parent:
                waits[child].add(parent)
        ordered: list[str] = []
        while waits:
            free = sorted(name for name, parents in waits.items() if not parents & set(waits))
            if not free:
                raise Refused(
                    f"{self.service}: {', '.join(sorted(waits))} refer to each other in a circle, "
                    "so no order suits them. Let one of the foreign keys be without."
                )
            ordered += free
            waits = {name: parents for name, parents in waits.items() if name not in free}
        return ordered

    def references(self) -> list[tuple[str, str]]:
        """Which table refers to which."""
        return [(child.strip('"'), parent.strip('"')) for child, parent in self.rows(REFERENCES)]

    def refer_to_themselves(self) -> set[str]:
        return {child for child, parent in self.references() if child == parent}

    def migrations(self, package: str) -> list[str]:
        """Which migrations a package is at."""
        table = f"alembic_version_{package}"
        if not self.rows("SELECT to_regclass(%s)", table)[0][0]:
            return []
        asked = sql.SQL("SELECT version_num FROM {} ORDER BY 1").format(sql.Identifier(table))
        return [row[0] for row in self.rows(asked)]

    # --- A tenant's rows -----------------------------------------------------------------------

    def read(self, table: Table, tenant_id: UUID) -> Iterator[dict[str, str | None]]:
        """A tenant's rows of one table by their key, each value as PostgreSQL writes it."""
        names = columns_of(table)
        asked = sql.SQL("COPY (SELECT {} FROM {} WHERE {} = {} ORDER BY {}) TO STDOUT").format(
            listed(names),
            sql.Identifier(table.name),
            sql.Identifier(TENANT),
            sql.Literal(str(tenant_id)),
            in_one_order(table),
        )
        with self.connection.cursor() as cursor, cursor.copy(asked) as copy:
            for line in whole_lines(copy):
                yield dict(zip(names, fields_of(line), strict=True))

    def count(self, table: str, tenant_id: UUID, column: str = TENANT) -> int:
        asked = sql.SQL("SELECT count(*) FROM {} WHERE {} = %s").format(
            sql.Identifier(table), sql.Identifier(column)
        )
        return int(self.rows(asked, tenant_id)[0][0])

    def delete(self, table: str, tenant_id: UUID, limit: int = 0) -> int:
        """Delete a tenant's rows of a table, or at most so many of them."""
        name = sql.Identifier(table)
        chosen = sql.SQL("{} = {}").format(sql.Identifier(TENANT), sql.Literal(str(tenant_id)))
        if limit:
            chosen = sql.SQL("ctid = ANY(ARRAY(SELECT ctid FROM {} WHERE {} LIMIT {}))").format(
                name, chosen, sql.Literal(limit)
            )
        return self.connection.execute(
            sql.SQL("DELETE FROM {} WHERE {}").format(name, chosen)
        ).rowcount

    def load(self, table: Table, rows: Iterator[dict[str, str | None]], tenant_id: UUID) -> int:
        """Add rows in one statement, within a transaction: COPY into a table that lasts as long as
        it, since COPY knows no policies; then one INSERT, so that rows may refer to each other."""
        names = columns_of(table)
        passing = sql.Identifier(f"_loading_{table.name}"[:60])
        columns, name = listed(names), sql.Identifier(table.name)
        self.connection.execute(
            sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA").format(
                passing, columns, name
            )
        )
        asked = sql.SQL("COPY {} ({}) FROM STDIN").format(passing, columns)
        with self.connection.cursor() as cursor, cursor.copy(asked) as copy:
            for row in rows:
                copy.write(line_of([row[one] for one in names]))
        strangers = self.rows(
            sql.SQL("SELECT count(*) FROM {} WHERE {} IS DISTINCT FROM {}").format(
                passing, sql.Identifier(TENANT), sql.Literal(str(tenant_id))
            )
        )[0][0]
        if strangers:
            raise Refused(f"{strangers:,} rows of {table.name} aren't this workspace's.")
        added = self.connection.execute(
            sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}").format(
                name, columns, columns, passing
            )
        ).rowcount
        self.connection.execute(sql.SQL("DROP TABLE {}").format(passing))
        return added


def columns_of(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def listed(names: Sequence[str]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def in_one_order(table: Table) -> sql.Composable:
    """The key's order, or all columns'; as text by its bytes, so that every server agrees."""
    names = table.key or columns_of(table)
    return sql.SQL(", ").join(
        sql.SQL('{}::text COLLATE "C"').format(sql.Identifier(name)) for name in names
    )


def whole_lines(copy: psycopg.Copy) -> Iterator[bytes]:
    """The server sends a line in each message."""
    for line in copy:
        yield bytes(line)
