"""PostgreSQL's logical replication of one tenant's rows: publications, slots, the subscription.

Each call may be repeated. The slot is made before the subscription and by itself: within one
cluster `CREATE SUBSCRIPTION` would wait for its own transaction.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import sql

from app.stages.hardened.moving.errors import CannotMove
from app.stages.hardened.moving.sides import Route
from app.stages.hardened.moving.tables import INBOX, Table, marks_table, mine, only

POLL_SECONDS = 0.005
# What is heard again comes within a day: an event's last try is that late (see app/events.py).
HEARD_LATELY = "2 days"
SLOT_SECONDS = 120
FAILURES = 3

Say = Callable[[str], None]


def publications(route: Route) -> tuple[str, str, str]:
    """What is replicated, what is replicated as it's added, and what is only looked at."""
    return f"{route.name}_rows", f"{route.name}_adds", f"{route.name}_work"


# --- Publishing ----------------------------------------------------------------------------------


def publish(connection: psycopg.Connection, route: Route, tables: list[Table]) -> None:
    """Publish the tenant's rows. Nobody else's work is touched, but for tables of a strange key."""
    say_whole_rows(connection, tables)
    rows, adds, work = publications(route)
    whose = mine(route.tenant_id)
    by_way = {way: [one for one in tables if one.way == way] for way in ("rows", "adds", "work")}
    lately = only(connection.execute(f"SELECT (now() - interval '{HEARD_LATELY}')::text".encode()))
    heard = sql.SQL("heard_at > {}::timestamptz").format(sql.Literal(lately))
    marks = sql.SQL("{} WHERE ({})").format(marks_table(), whose)
    make_publication(
        connection, rows, [part(table, whose) for table in by_way["rows"]] + [marks], "all"
    )
    added = [part(one, heard if one.name == INBOX else whose) for one in by_way["adds"]]
    make_publication(connection, adds, added, "insert")
    make_publication(connection, work, [table.quoted for table in by_way["work"]], "all")


def say_whole_rows(connection: psycopg.Connection, tables: list[Table]) -> None:
    """A filter by tenant must find the tenant in what a change says of the old row."""
    for table in tables:
        if table.needs_whole_rows:
            patiently(
                connection, sql.SQL("ALTER TABLE {} REPLICA IDENTITY FULL").format(table.quoted)
            )


def patiently(connection: psycopg.Connection, statement: sql.Composed) -> None:
    """Change a table that others use, without making them queue behind us for long."""
    for attempt in range(50):
        try:
            with connection.transaction():
                connection.execute("SET LOCAL lock_timeout = '200ms'")
                connection.execute(statement)
        except psycopg.errors.LockNotAvailable:
            time.sleep(min(0.1 * 2**attempt, 2))
        else:
            return
    raise CannotMove("A table is in use all the time and can't be changed. Try in a calmer hour.")


def part(table: Table, condition: sql.Composable) -> sql.Composed:
    return sql.SQL("{} WHERE ({})").format(table.quoted, condition)


def make_publication(
    connection: psycopg.Connection, name: str, tables: Sequence[sql.Composable], kind: str
) -> None:
    found = connection.execute("SELECT FROM pg_publication WHERE pubname = %s", (name,))
    if found.fetchone() is None:
        operations = "insert, update, delete, truncate" if kind == "all" else kind
        connection.execute(
            sql.SQL(
                "CREATE PUBLICATION {} FOR TABLE {} WITH (publish = {}, "
                "publish_via_partition_root = true)"
            ).format(sql.Identifier(name), sql.SQL(", ").join(tables), sql.Literal(operations))
        )


def unpublish(connection: psycopg.Connection, route: Route, tables: list[Table]) -> None:
    """Take the publications away; the last one that goes makes tables as they were."""
    for name in publications(route):
        connection.execute(sql.SQL("DROP PUBLICATION IF EXISTS {}").format(sql.Identifier(name)))
    others = "SELECT 1 FROM pg_publication WHERE starts_with(pubname, 'move_')"
    if connection.execute(others).fetchone() is None:
        for table in tables:
            if table.identity == "f" and "tenant_id" not in table.key:
                patiently(
                    connection,
                    sql.SQL("ALTER TABLE {} REPLICA IDENTITY DEFAULT").format(table.quoted),
                )


# --- Slots ---------------------------------------------------------------------------------------


def has_slot(connection: psycopg.Connection, name: str) -> bool:
    asked = (
        "SELECT FROM pg_replication_slots WHERE slot_name = %s AND confirmed_flush_lsn IS NOT NULL"
    )
    return connection.execute(asked, (name,)).fetchone() is not None


def make_slot(connection: psycopg.Connection, name: str) -> None:
    """Make a slot. It waits for what runs in the whole cluster, but not for ever."""
    if has_slot(connection, name):
        return
    connection.execute(f"SET statement_timeout = '{SLOT_SECONDS}s'".encode())
    try:
        connection.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (name,))
    except psycopg.errors.QueryCanceled:
        raise CannotMove(
            f"A replication slot couldn't begin within {SLOT_SECONDS} seconds: it waits for "
            f"transactions that don't end. {oldest(connection)}",
            hint="End that one and run this again; nothing is fenced, the tenant is served.",
        ) from None
    finally:
        connection.execute("SET statement_timeout = 0")


def oldest(connection: psycopg.Connection) -> str:
    """Who keeps everybody waiting."""
    asked = (
        "SELECT format('The oldest is of %s in %s (process %s, since %s).', usename, datname, pid, "
        "date_trunc('second', now() - xact_start)) FROM pg_stat_activity WHERE xact_start IS NOT "
        "NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend' ORDER BY xact_start"
    )
    return str(only(connection.execute(asked)) or "")


def drop_slot(connection: psycopg.Connection, name: str) -> None:
    """Drop a slot once its process has ended: one that is active can't be."""
    asked = "SELECT active_pid FROM pg_replication_slots WHERE slot_name = %s"
    until = time.monotonic() + 30
    while (row := connection.execute(asked, (name,)).fetchone()) is not None:
        if row[0] is None:
            with suppress(psycopg.errors.ObjectInUse, psycopg.errors.UndefinedObject):
                connection.execute("SELECT pg_drop_replication_slot(%s)", (name,))
                return
        if time.monotonic() > until:
            raise CannotMove(
                f"The slot {name} is still in use, by process {row[0]}.", hint="Run this again."
            )
        time.sleep(0.05)


def advance_slot(connection: psycopg.Connection, name: str) -> None:
    """Let a slot begin from here on."""
    connection.execute(
        "SELECT pg_replication_slot_advance(%s, pg_current_wal_insert_lsn())", (name,)
    )


# --- Subscribing ---------------------------------------------------------------------------------


def has_subscription(connection: psycopg.Connection, name: str) -> bool:
    asked = (
        "SELECT FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid "
        "WHERE subname = %s AND datname = current_database()"
    )
    return connection.execute(asked, (name,)).fetchone() is not None


def subscribe(connection: psycopg.Connection, route: Route, *, copy: bool) -> None:
    """Let the target follow the source, from the slot on; with what is there already, or without.

    It works as the role that makes it: that one passes the walls, their owner would not.
    """
    rows, adds, _ = publications(route)
    if not has_subscription(connection, route.name):
        connection.execute(
            sql.SQL(
                "CREATE SUBSCRIPTION {} CONNECTION {} PUBLICATION {}, {} WITH ("
                "create_slot = false, slot_name = {}, copy_data = {}, "
                "origin = 'none', run_as_owner = true)"
            ).format(
                sql.Identifier(route.name),
                sql.Literal(route.source.conninfo),
                sql.Identifier(rows),
                sql.Identifier(adds),
                sql.Literal(route.name),
                sql.Literal(copy),
            )
        )


def copied(connection: psycopg.Connection, name: str) -> tuple[int, int, int]:
    """How many tables follow, of how many, and how many rows were copied in those under way."""
    asked = (
        "SELECT count(*) FILTER (WHERE srsubstate = 'r'), count(*), (SELECT coalesce(sum("
        "tuples_processed), 0) FROM pg_stat_progress_copy WHERE datname = current_database()) "
        "FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid WHERE subname = %s"
    )
    row: Any = connection.execute(asked, (name,)).fetchone()
    return int(row[0]), int(row[1]), int(row[2])


def refuse_failing(connection: psycopg.Connection, name: str) -> None:
    """Raises if the target tries again and again to write what it can't."""
    asked = (
        "SELECT apply_error_count + sync_error_count FROM pg_stat_subscription_stats "
        "WHERE subname = %s"
    )
    if (only(connection.execute(asked, (name,))) or 0) >= FAILURES:
        raise CannotMove(
            "The target can't write what the source sends; its server's log says why.",
            hint="Mend that and run it again, or give up: flask tenant move SLUG --abandon",
        )


def stop(connection: psycopg.Connection, name: str) -> None:
    """Let the target follow no more, and wait until it doesn't."""
    if has_subscription(connection, name):
        connection.execute(sql.SQL("ALTER SUBSCRIPTION {} DISABLE").format(sql.Identifier(name)))
        asked = "SELECT count(*) FROM pg_stat_subscription WHERE subname = %s AND pid IS NOT NULL"
        while only(connection.execute(asked, (name,))):
            time.sleep(POLL_SECONDS)


def go_on(connection: psycopg.Connection, name: str) -> None:
    if has_subscription(connection, name):
        connection.execute(sql.SQL("ALTER SUBSCRIPTION {} ENABLE").format(sql.Identifier(name)))


def unsubscribe(connection: psycopg.Connection, name: str) -> int | None:
    """Drop the subscription alone, whether the other server is there or not; answers its number."""
    if not has_subscription(connection, name):
        return None
    asked = "SELECT oid::bigint FROM pg_subscription WHERE subname = %s"
    number = int(only(connection.execute(asked, (name,))))
    quoted = sql.Identifier(name)
    connection.execute(sql.SQL("ALTER SUBSCRIPTION {} DISABLE").format(quoted))
    connection.execute(sql.SQL("ALTER SUBSCRIPTION {} SET (slot_name = NONE)").format(quoted))
    connection.execute(sql.SQL("DROP SUBSCRIPTION {}").format(quoted))
    return number


def drop_slots(connection: psycopg.Connection, route: Route, number: int | None) -> None:
    """Drop the slots of a direction, those that a copy left behind included."""
    left = "SELECT slot_name FROM pg_replication_slots WHERE slot_name LIKE %s"
    names = [route.name, route.checks]
    if number is not None:
        names += [name for (name,) in connection.execute(left, (f"pg\\_{number}\\_sync\\_%",))]
    for name in names:
        drop_slot(connection, name)


def lag_bytes(connection: psycopg.Connection, name: str) -> int:
    """How much the source keeps for somebody who hasn't fetched it yet."""
    asked = (
        "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), restart_lsn) "
        "FROM pg_replication_slots WHERE slot_name = %s"
    )
    return int(only(connection.execute(asked, (name,))) or 0)
