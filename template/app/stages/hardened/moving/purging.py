"""Taking a tenant's rows out of a database that no longer serves it, in short transactions."""

from collections.abc import Callable
from uuid import UUID

import psycopg
from psycopg import sql

from app.stages.hardened.moving.comparing import fingerprint
from app.stages.hardened.moving.errors import NotTheSame
from app.stages.hardened.moving.tables import Table, marks_table, mine, with_tenant
from app.stages.hardened.moving.work import forget_parked

AT_ONCE = 5000

Seen = Callable[[Table, int], None]


def purge(
    connection: psycopg.Connection, tables: list[Table], tenant_id: UUID, seen: Seen
) -> dict[str, int]:
    """Delete the tenant's rows; answers how many in which table.

    The first piece of each table is deleted in a transaction that compares everybody else's rows
    before and after, in one snapshot: a trigger or a key that reaches further is found there, and
    nothing is committed. Of all others every row that goes is looked at.
    """
    gone: dict[str, int] = {}
    for table in in_order(connection, with_tenant(tables)):
        count = first_piece(connection, table, tables, tenant_id)
        total = count
        while count:
            seen(table, total)
            count = piece(connection, table, tenant_id)
            total += count
        if total:
            gone[table.name] = total
    forget_parked(connection, tenant_id)
    connection.execute(sql.SQL("DELETE FROM {} WHERE {}").format(marks_table(), mine(tenant_id)))
    return gone


def in_order(connection: psycopg.Connection, tables: list[Table]) -> list[Table]:
    """Those that refer to others first, so that no key holds a row back or takes others along."""
    asked = (
        "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint "
        "WHERE contype = 'f' AND conrelid <> confrelid"
    )
    refers = connection.execute(asked).fetchall()
    left, ordered = {table.name: table for table in tables}, []
    while left:
        free = [name for name in left if not any(to == name and of in left for of, to in refers)]
        for name in free or list(left):
            ordered.append(left.pop(name))
    return ordered


def first_piece(
    connection: psycopg.Connection, table: Table, tables: list[Table], tenant_id: UUID
) -> int:
    asked = sql.SQL("SELECT FROM {} WHERE {} LIMIT 1").format(table.quoted, mine(tenant_id))
    if connection.execute(asked).fetchone() is None:
        return 0
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        before = neighbours(connection, tables, tenant_id)
        count = piece(connection, table, tenant_id)
        if count and neighbours(connection, tables, tenant_id) != before:
            raise NotTheSame(
                f"To delete this workspace's rows of {table.name} would change others' rows.",
                hint="Nothing was deleted. Look for a trigger or a foreign key that reaches them.",
            )
    return count


def neighbours(
    connection: psycopg.Connection, tables: list[Table], tenant_id: UUID
) -> dict[str, object]:
    """What everybody else's rows add up to."""
    others = sql.SQL("({}) IS NOT TRUE").format(mine(tenant_id))
    return {one.name: fingerprint(connection, one, others) for one in with_tenant(tables)}


def piece(connection: psycopg.Connection, table: Table, tenant_id: UUID) -> int:
    names = sql.SQL(", ").join(map(sql.Identifier, table.key))
    deleted = connection.execute(
        sql.SQL(
            "WITH piece AS (SELECT {key} FROM {table} WHERE {mine} LIMIT {count}) "
            "DELETE FROM {table} USING piece WHERE ({own}) = ({of_piece}) AND {table}.{whose}"
        ).format(
            key=names,
            table=table.quoted,
            mine=mine(tenant_id),
            count=sql.Literal(AT_ONCE),
            own=sql.SQL(", ").join(
                sql.SQL("{}.{}").format(table.quoted, sql.Identifier(n)) for n in table.key
            ),
            of_piece=sql.SQL(", ").join(
                sql.SQL("piece.{}").format(sql.Identifier(n)) for n in table.key
            ),
            whose=mine(tenant_id),
        )
    )
    return deleted.rowcount
