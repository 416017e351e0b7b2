"""Jobs and events that wait: carried by hand at the switch.

Whoever sweeps a database takes up each row that lies there, a tenant or none set. So an open row
lies in one database only: when a tenant leaves, those it has there are parked aside.
"""

from collections.abc import Iterable, Iterator
from uuid import UUID

import psycopg
from psycopg import sql

from app.stages.hardened.moving.pgoutput import Key, Keys
from app.stages.hardened.moving.tables import OPEN, PARKED, Table, mine

AT_ONCE = 1000


def park(connection: psycopg.Connection, tables: list[Table], tenant_id: UUID) -> None:
    """Take what is open out of the sweeps' way, and remember it."""
    for table in of_work(tables):
        connection.execute(
            sql.SQL(
                "WITH gone AS (DELETE FROM {table} WHERE {mine} AND state = ANY(%s) RETURNING *) "
                "INSERT INTO {parked} SELECT tenant_id, {name}, id, to_jsonb(gone) FROM gone "
                "ON CONFLICT (tenant_id, relation, id) DO UPDATE SET row = excluded.row"
            ).format(**names(table, tenant_id)),
            (list(OPEN[table.name]),),
        )


def unpark(connection: psycopg.Connection, tables: list[Table], tenant_id: UUID) -> None:
    """Put it back: the tenant stays."""
    for table in of_work(tables):
        connection.execute(
            sql.SQL(
                "INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table}, row)).* "
                "FROM {parked} WHERE {mine} AND relation = {name} ON CONFLICT (id) DO NOTHING"
            ).format(**names(table, tenant_id))
        )
    forget_parked(connection, tenant_id)


def forget_parked(connection: psycopg.Connection, tenant_id: UUID) -> None:
    connection.execute(sql.SQL("DELETE FROM {} WHERE {}").format(parked_table(), mine(tenant_id)))


def names(table: Table, tenant_id: UUID) -> dict[str, sql.Composable]:
    return {
        "table": table.quoted,
        "mine": mine(tenant_id),
        "parked": parked_table(),
        "name": sql.Literal(table.name),
    }


def parked_table() -> sql.Identifier:
    return sql.Identifier(*PARKED.split("."))


def of_work(tables: list[Table]) -> list[Table]:
    return [table for table in tables if table.way == "work"]


def unsettled(
    source: psycopg.Connection, target: psycopg.Connection, table: Table, tenant_id: UUID
) -> set[Key]:
    """The rows that must be carried whatever was compared: open or parked, on either side."""
    asked = sql.SQL(
        "SELECT id::text FROM {table} WHERE {mine} AND state = ANY(%s) "
        "UNION SELECT id::text FROM {parked} WHERE {mine} AND relation = {name}"
    ).format(**names(table, tenant_id))
    states = list(OPEN[table.name])
    return {key for side in (source, target) for key in side.execute(asked, (states,))}


def pieces(keys: Iterable[Key]) -> Iterator[list[str]]:
    """Ids, a thousand at a time."""
    ids = [key[0] for key in keys]
    return (ids[at : at + AT_ONCE] for at in range(0, len(ids), AT_ONCE))


def carry(
    source: psycopg.Connection,
    target: psycopg.Connection,
    tables: list[Table],
    tenant_id: UUID,
    keys: Keys,
) -> int:
    """Make the target's rows as they are in the source, parked ones too; answers how many."""
    count = 0
    with target.transaction():
        for table in of_work(tables):
            for ids in pieces(keys.get(table.name, ())):
                count += carry_some(source, target, table, tenant_id, ids)
        forget_parked(target, tenant_id)
    return count


def carry_closed(
    source: psycopg.Connection,
    target: psycopg.Connection,
    table: Table,
    tenant_id: UUID,
    keys: set[Key],
) -> int:
    """Carry what is over, while everybody works: it's the bulk, and nobody takes it up."""
    done = 0
    for ids in pieces(keys):
        asked = sql.SQL(
            "SELECT id::text FROM {table} WHERE {mine} AND id = ANY(%s::uuid[]) "
            "AND state <> ALL(%s)"
        ).format(**names(table, tenant_id))
        closed = [found for (found,) in source.execute(asked, (ids, list(OPEN[table.name])))]
        with target.transaction():
            done += carry_some(source, target, table, tenant_id, closed)
    return done


def carry_some(
    source: psycopg.Connection,
    target: psycopg.Connection,
    table: Table,
    tenant_id: UUID,
    ids: list[str],
) -> int:
    target.execute(
        sql.SQL("DELETE FROM {table} WHERE {mine} AND id = ANY(%s::uuid[])").format(
            **names(table, tenant_id)
        ),
        (ids,),
    )
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    statement = sql.SQL(
        "INSERT INTO {table} ({columns}) SELECT {columns} "
        "FROM jsonb_populate_record(NULL::{table}, %s::jsonb)"
    ).format(**names(table, tenant_id), columns=columns)
    rows = list(rows_of(source, table, tenant_id, ids))
    with target.cursor() as cursor:
        cursor.executemany(statement, [(row,) for row in rows])
    return len(rows)


def rows_of(
    source: psycopg.Connection, table: Table, tenant_id: UUID, ids: list[str]
) -> Iterator[str]:
    asked = sql.SQL(
        "SELECT to_jsonb(t)::text FROM {table} t WHERE {mine} AND id = ANY(%(ids)s::uuid[]) "
        "UNION ALL SELECT row::text FROM {parked} p WHERE {mine} AND relation = {name} "
        "AND id = ANY(%(ids)s::uuid[]) "
        "AND NOT EXISTS (SELECT FROM {table} t WHERE t.id = p.id)"
    ).format(**names(table, tenant_id))
    return (row for (row,) in source.execute(asked, {"ids": ids}))
