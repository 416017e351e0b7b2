"""Whether both databases hold the same: all of it online, then what changed since."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from app.stages.hardened.moving.pgoutput import Key, Keys, as_arrays
from app.stages.hardened.moving.tables import Table, mine

CHUNK = 20_000

Found = Callable[[Table, set[Key]], None]
Seen = Callable[[Table, int], None]


def compare(
    source: psycopg.Connection,
    target: psycopg.Connection,
    table: Table,
    tenant_id: UUID,
    differs: Found,
    seen: Seen,
) -> None:
    """Walk a table in the order of its key and tell which rows differ, a piece at a time.

    A row that is being written differs for a moment: whoever asks looks at those again.
    """
    low: Key | None = None
    while True:
        high = end_of_chunk(source, table, tenant_id, low)
        count, here = summary(source, table, tenant_id, low, high)
        if (count, here) != summary(target, table, tenant_id, low, high):
            piece = [hashes(side, table, tenant_id, low, high) for side in (source, target)]
            if keys := {key for key, _ in piece[0] ^ piece[1]}:
                differs(table, keys)
        seen(table, count)
        if high is None:
            return
        low = high


def within(table: Table, tenant_id: UUID, low: Key | None, high: Key | None) -> sql.Composed:
    """The condition for the tenant's rows after one key and up to another."""
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in table.rest)
    parts: list[sql.Composable] = [mine(tenant_id)]
    for sign, key in ((">", low), ("<=", high)):
        if key is not None:
            values = sql.SQL(", ").join(
                sql.SQL("{}::{}").format(sql.Literal(value), sql.SQL(kind))
                for value, (_, kind) in zip(key, table.rest, strict=True)
            )
            parts.append(sql.SQL("({}) {} ({})").format(names, sql.SQL(sign), values))
    return sql.SQL(" AND ").join(parts)


def key_of(table: Table) -> sql.Composed:
    """The key as text, under names that no ORDER BY takes for the columns themselves."""
    return sql.SQL(", ").join(
        sql.SQL("{}::text AS {}").format(sql.Identifier(name), sql.Identifier(f"key_{at}"))
        for at, (name, _) in enumerate(table.rest)
    )


def end_of_chunk(
    source: psycopg.Connection, table: Table, tenant_id: UUID, low: Key | None
) -> Key | None:
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in table.rest)
    asked = sql.SQL("SELECT {} FROM {} WHERE {} ORDER BY {} OFFSET {} LIMIT 1").format(
        key_of(table), table.quoted, within(table, tenant_id, low, None), names, CHUNK - 1
    )
    return source.execute(asked).fetchone()


def summary(
    connection: psycopg.Connection, table: Table, tenant_id: UUID, low: Key | None, high: Key | None
) -> tuple[int, int]:
    asked = sql.SQL("SELECT count(*), coalesce(bit_xor({}), 0) FROM {} WHERE {}").format(
        table.hashed, table.quoted, within(table, tenant_id, low, high)
    )
    found: Any = connection.execute(asked).fetchone()
    return found[0], found[1]


def hashes(
    connection: psycopg.Connection, table: Table, tenant_id: UUID, low: Key | None, high: Key | None
) -> set[tuple[Key, int]]:
    asked = sql.SQL("SELECT {}, {} FROM {} WHERE {}").format(
        key_of(table), table.hashed, table.quoted, within(table, tenant_id, low, high)
    )
    return {(row[:-1], row[-1]) for row in connection.execute(asked)}


def hashes_at(
    connection: psycopg.Connection, table: Table, tenant_id: UUID, keys: set[Key]
) -> set[tuple[Key, int]]:
    """The rows with these keys: found by the index, whatever the table's size."""
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in table.rest)
    arrays = sql.SQL(", ").join(
        sql.SQL("%s::text[]::{}[]").format(sql.SQL(kind)) for _, kind in table.rest
    )
    asked = sql.SQL(
        "SELECT {}, {} FROM {} JOIN unnest({}) AS wanted({}) USING ({}) WHERE {}"
    ).format(key_of(table), table.hashed, table.quoted, arrays, names, names, mine(tenant_id))
    return {(row[:-1], row[-1]) for row in connection.execute(asked, as_arrays(table, keys))}


def differing(
    source: psycopg.Connection,
    target: psycopg.Connection,
    tables: list[Table],
    tenant_id: UUID,
    keys: Keys,
) -> Keys:
    """Which of these rows aren't the same in both."""
    found: Keys = {}
    for table in tables:
        if wanted := keys.get(table.name):
            pair = [hashes_at(side, table, tenant_id, wanted) for side in (source, target)]
            if pair[0] != pair[1]:
                found[table.name] = {key for key, _ in pair[0] ^ pair[1]}
    return found


def fingerprint(connection: psycopg.Connection, table: Table, condition: sql.Composable) -> Any:
    """Count and checksum of whatever rows are meant."""
    asked = sql.SQL("SELECT count(*), coalesce(bit_xor({}), 0) FROM {} WHERE {}").format(
        table.hashed, table.quoted, condition
    )
    return connection.execute(asked).fetchone()
