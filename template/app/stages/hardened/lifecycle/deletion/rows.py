"""Deleting a tenant's rows from a database: children before parents, a batch at a time.

Which tables have such rows is asked of the database. The audit trail stays, and in auth's database
the ledger of operations and the catalog's tombstone.
"""

from collections.abc import Callable
from uuid import UUID

from psycopg import sql

from app.stages.hardened.lifecycle.database import TENANT, Database, columns_of

BATCH = 5_000
# What outlives a tenant, each with the reason; `scan` looks past these and nothing else.
KEPT = {
    "shared_audit": "what was done to the workspace, and by whom, is to be known afterwards",
    "auth_operations": "the deletion's own record, with the certificate",
    "auth_catalog": "that it was here and is deleted, so that nobody makes it again in its name",
}
Progress = Callable[[int, str], None]


def of_tenants(database: Database) -> list[str]:
    """The tables with rows of tenants that go with them, children first."""
    tables = {
        name: table
        for name, table in database.tables().items()
        if TENANT in columns_of(table) and not is_kept(name)
    }
    return database.in_order(tables)[::-1]


def is_kept(table: str) -> bool:
    return table in KEPT


def counted(database: Database, tenant_id: UUID) -> dict[str, int]:
    """How many rows of each table are a tenant's; auth's own row of it, too."""
    found = {table: database.count(table, tenant_id) for table in of_tenants(database)}
    if "auth_tenants" in database.tables():
        found["auth_tenants"] = database.count("auth_tenants", tenant_id, "id")
    return found


def delete(database: Database, tenant_id: UUID, progress: Progress, *names: str) -> None:
    """Delete a tenant's rows of some tables, or of all. Each batch is a transaction of its own:
    who is killed goes on where it was, and nobody waits long for a lock."""
    whole = database.refer_to_themselves()
    for table in of_tenants(database):
        if names and table not in names:
            continue
        delete_dependents(database, table, tenant_id)
        # Rows that refer to each other go together.
        limit = 0 if table in whole else BATCH
        while deleted := database.delete(table, tenant_id, limit):
            progress(deleted, table)


def delete_dependents(database: Database, table: str, tenant_id: UUID) -> None:
    """Rows without a tenant's id that belong to a tenant's row, as a role's permissions may."""
    for child, own, theirs in database.rows(CHILDREN, table):
        pairs = sql.SQL(" AND ").join(
            sql.SQL("c.{} = p.{}").format(sql.Identifier(a), sql.Identifier(b))
            for a, b in zip(own, theirs, strict=True)
        )
        database.connection.execute(
            sql.SQL("DELETE FROM {} c USING {} p WHERE {} AND p.{} = {}").format(
                sql.Identifier(child),
                sql.Identifier(table),
                pairs,
                sql.Identifier(TENANT),
                sql.Literal(str(tenant_id)),
            )
        )


CHILDREN = """
SELECT child.relname,
       ARRAY(SELECT attname::text FROM unnest(k.conkey) WITH ORDINALITY u(n, place)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY place),
       ARRAY(SELECT attname::text FROM unnest(k.confkey) WITH ORDINALITY u(n, place)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY place)
FROM pg_constraint k
JOIN pg_class child ON child.oid = k.conrelid
JOIN pg_class parent ON parent.oid = k.confrelid
WHERE k.contype = 'f' AND parent.relname = %s AND child.oid <> parent.oid
  AND parent.relnamespace = current_schema()::regnamespace
  AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = child.oid
                  AND a.attname = 'tenant_id' AND NOT a.attisdropped)
"""


def heard(database: Database, event_ids: list[UUID]) -> int:
    """Delete the notes that listeners here have heard a tenant's events."""
    if "shared_inbox" not in database.tables() or not event_ids:
        return 0
    asked = "DELETE FROM shared_inbox WHERE event_id = ANY(%s)"
    return database.connection.execute(asked, (event_ids,)).rowcount


def events_of(database: Database, tenant_id: UUID) -> list[UUID]:
    """The ids of the events that a database's outbox has of a tenant."""
    if "shared_outbox" not in database.tables():
        return []
    asked = "SELECT id FROM shared_outbox WHERE tenant_id = %s"
    return [row[0] for row in database.rows(asked, tenant_id)]


def running_jobs(database: Database, tenant_id: UUID) -> int:
    """How many jobs of a tenant a worker is at."""
    if "shared_jobs" not in database.tables():
        return 0
    asked = (
        "SELECT count(*) FROM shared_jobs WHERE tenant_id = %s AND state = 'running' "
        "AND heartbeat_at > now() - interval '45 seconds'"
    )
    return int(database.rows(asked, tenant_id)[0][0])
