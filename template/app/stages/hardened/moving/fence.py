"""The fence, and the one rule of who serves a tenant while it is moved.

A move's decision is one row: `hardened.placements` in the target. It's `fenced` at the epoch of
the attempt while the switch is under way. The mover makes it `active`; whoever gives the attempt
up makes it `gone`. Each of them changes it only from `fenced`, so that one of them wins, and the
other, though it may have slept for an hour, changes nothing. Until then the source serves; from
then on the target does.
"""

import time
from uuid import UUID

import psycopg
from psycopg import sql

from app.stages.hardened.moving.errors import StillBusy
from app.stages.hardened.moving.tables import marks_table, only

LOCK_MILLISECONDS = 500
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0

SET = (
    "INSERT INTO hardened.placements (tenant_id, epoch, state) VALUES (%(tenant)s, %(epoch)s, "
    "%(state)s) ON CONFLICT (tenant_id) "
    "DO UPDATE SET epoch = excluded.epoch, state = excluded.state"
)
FROM_FENCED = (
    "UPDATE hardened.placements SET state = %(state)s "
    "WHERE tenant_id = %(tenant)s AND epoch = %(epoch)s AND state = 'fenced'"
)
HOLDERS = (
    "SELECT string_agg(format('process %%s of %%s, in a transaction for %%s: %%s', pid, usename, "
    "date_trunc('second', now() - xact_start), left(query, 60)), '; ') FROM pg_stat_activity "
    "WHERE pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND "
    "database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND objsubid = 1 "
    "AND (classid::bigint << 32 | objid::bigint) = hashtextextended(%s, 0))"
)


def placement(connection: psycopg.Connection, tenant_id: UUID) -> tuple[str, int] | None:
    """What a database says of a tenant: its state and epoch, if it says anything."""
    asked = "SELECT state, epoch FROM hardened.placements WHERE tenant_id = %s"
    row = connection.execute(asked, (tenant_id,)).fetchone()
    return (row[0], row[1]) if row else None


def epoch_in(connection: psycopg.Connection, tenant_id: UUID) -> int:
    found = placement(connection, tenant_id)
    return found[1] if found else 0


def put(connection: psycopg.Connection, tenant_id: UUID, epoch: int, state: str) -> None:
    connection.execute(SET, {"tenant": tenant_id, "epoch": epoch, "state": state})


def change_from_fenced(
    connection: psycopg.Connection, tenant_id: UUID, epoch: int, state: str
) -> bool:
    """Change a row that is still of this attempt; whether it was."""
    values = {"tenant": tenant_id, "epoch": epoch, "state": state}
    return connection.execute(FROM_FENCED, values).rowcount == 1


def is_ours(connection: psycopg.Connection, tenant_id: UUID, epoch: int) -> bool:
    """Whether a fence is still of this attempt; within a transaction, until that ends."""
    asked = (
        "SELECT FROM hardened.placements WHERE tenant_id = %s AND epoch = %s AND state = 'fenced' "
        "FOR UPDATE"
    )
    return connection.execute(asked, (tenant_id, epoch)).fetchone() is not None


def fence(
    connection: psycopg.Connection, tenant_id: UUID, epoch: int, mark: UUID, patience: float
) -> tuple[int, float]:
    """Fence the source when the tenant's transactions have ended.

    Answers how often it was tried, and when the try began from which on new ones had to wait.

    Those that come meanwhile wait for half a second at most: then they go first, and we try again
    later. The mark is committed with the fence, after all that the tenant has written.
    """
    until, pause, tries = time.monotonic() + patience, FIRST_PAUSE, 1
    while True:
        began = time.monotonic()
        if try_to_fence(connection, tenant_id, epoch, mark):
            return tries, began
        if time.monotonic() + pause > until:
            holders = only(connection.execute(HOLDERS, (str(tenant_id),)))
            raise StillBusy(
                f"A transaction of this workspace doesn't end ({holders or 'it just ended'}).",
                hint="The workspace goes on where it was. Run this again when that one is over.",
            )
        time.sleep(pause)
        pause, tries = min(2 * pause, LONGEST_PAUSE), tries + 1


def try_to_fence(connection: psycopg.Connection, tenant_id: UUID, epoch: int, mark: UUID) -> bool:
    try:
        with connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}".encode())
            # The mark must leave the server at once, whatever it does with others' commits.
            connection.execute("SET LOCAL synchronous_commit = on")
            connection.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (str(tenant_id),)
            )
            put(connection, tenant_id, epoch, "fenced")
            put_mark(connection, tenant_id, mark)
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def put_mark(connection: psycopg.Connection, tenant_id: UUID, mark: UUID) -> None:
    """Write what the other side will have once it has all that was committed before."""
    statement = sql.SQL("INSERT INTO {} (tenant_id, id) VALUES (%s, %s)")
    connection.execute(statement.format(marks_table()), (tenant_id, mark))


def has_mark(connection: psycopg.Connection, mark: UUID, tenant_id: UUID) -> bool:
    asked = sql.SQL("SELECT FROM {} WHERE tenant_id = %s AND id = %s").format(marks_table())
    return connection.execute(asked, (tenant_id, mark)).fetchone() is not None


def target_serves(connection: psycopg.Connection, tenant_id: UUID, epoch: int) -> bool:
    """Decide an attempt, now and for good: whether the target took over.

    If it didn't it won't, as its row is no longer the one that the attempt would change.
    """
    with connection.transaction():
        asked = "SELECT state, epoch FROM hardened.placements WHERE tenant_id = %s FOR UPDATE"
        row = connection.execute(asked, (tenant_id,)).fetchone()
        if row is not None and row[0] == "active" and row[1] >= epoch:
            return True
        put(connection, tenant_id, max(epoch, row[1] if row else 0), "gone")
        return False
