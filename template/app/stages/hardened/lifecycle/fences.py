"""The fence of a database: while a tenant is behind it, no transaction of the application begins
for that tenant there, and those that had begun are waited for.

`hardened.enter`, by which each of them begins, takes a shared lock and looks at the tenant's row;
whoever takes the lock alone, and changes the row, knows that nobody is inside.
"""

from uuid import UUID

import psycopg

from app.errors import Unavailable
from app.stages.hardened.lifecycle.database import Database

LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s::text, 0))"
PATIENCE = "SET LOCAL lock_timeout = '15s'"


class Busy(Unavailable):
    """A transaction of the tenant doesn't come to its end."""


def has_walls(database: Database) -> bool:
    return bool(database.rows("SELECT to_regclass('hardened.placements') IS NOT NULL")[0][0])


def state(database: Database, tenant_id: UUID) -> tuple[str, int] | None:
    """What the fence says of a tenant, and its epoch; None where it has no row."""
    if not has_walls(database):
        return None
    asked = "SELECT state, epoch FROM hardened.placements WHERE tenant_id = %s"
    rows = database.rows(asked, tenant_id)
    return (rows[0][0], int(rows[0][1])) if rows else None


def put(database: Database, tenant_id: UUID, state: str) -> None:
    """Set the fence once nobody is inside; raises `Busy` if somebody stays."""
    if not has_walls(database):
        return
    with database.transaction():
        alone(database, tenant_id)
        database.connection.execute(
            "INSERT INTO hardened.placements AS p VALUES (%s, 0, %s) "
            "ON CONFLICT (tenant_id) DO UPDATE SET state = excluded.state",
            (tenant_id, state),
        )


def open_at(database: Database, tenant_id: UUID, epoch: int) -> None:
    """Serve the tenant here, from this epoch on."""
    database.connection.execute(
        "INSERT INTO hardened.placements VALUES (%s, %s, 'active') ON CONFLICT (tenant_id) "
        "DO UPDATE SET epoch = excluded.epoch, state = 'active'",
        (tenant_id, epoch),
    )


def take_back(
    database: Database, tenant_id: UUID, was: tuple[str, int] | list[object] | None
) -> None:
    """Make the fence what it was: no row, or the row with its state and epoch."""
    if not has_walls(database):
        return
    with database.transaction():
        alone(database, tenant_id)
        if was is None:
            asked = "DELETE FROM hardened.placements WHERE tenant_id = %s"
            database.connection.execute(asked, (tenant_id,))
        else:
            database.connection.execute(
                "UPDATE hardened.placements SET state = %s WHERE tenant_id = %s",
                (was[0], tenant_id),
            )


def alone(database: Database, tenant_id: UUID) -> None:
    database.connection.execute(PATIENCE)
    try:
        database.connection.execute(LOCK, (str(tenant_id),))
    except psycopg.errors.LockNotAvailable:
        raise Busy(
            f"{database.service}: a transaction of this workspace has been open for 15 seconds."
        ) from None
