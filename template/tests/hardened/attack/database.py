"""Attacks on PostgreSQL itself, as the role that the application works as, and as the owner.

What whoever can inject SQL could do is said in docs/hardened/attack.md: `SET LOCAL` to another
tenant is one of those things, and no policy that compares a setting can refuse it.
"""

from typing import Any

from sqlalchemy import create_engine, select, text
from sqlalchemy.pool import NullPool

from app.billing.models import Subscription
from app.db import METADATA, db
from app.errors import Unavailable
from app.stages.hardened.attack.record import Attack
from app.stages.hardened.walls.transactions import BeingMoved, Elsewhere
from app.tenancy import WrongTenant
from app.tenancy.models import is_tenant_owned
from tests.hardened.attack.attacks import attack
from tests.hardened.attack.field import Field, table_of
from tests.hardened.attack.paths import targets


@attack("nobody's transaction", postgres=True)
def nobodys_transaction(field: Field, record: Attack) -> None:
    """Every table of tenants, with no tenant set, on connections that served one a moment ago."""
    for target in targets(field):
        if target.table.info.get("spans_tenants"):
            continue  # A sweep reads it, and says so at the model.
        for end in ("commit", "rollback"):
            with field.theirs.serving(), db.writer(target.bind).connect() as connection:
                connection.execute(select(target.table.c.id))
                getattr(connection, end)()
            with field.app.app_context(), db.writer(target.bind).connect() as connection:
                found = connection.execute(select(target.table.c.id)).all()
                record.judge(f"{target.table.name}: {len(found)} rows after {end}" if found else "")
        with field.theirs.serving(), db.reader(target.bind).connect() as connection:
            connection.execute(select(target.table.c.id)).all()
        with field.app.app_context(), db.reader(target.bind).connect() as connection:
            found = connection.execute(select(target.table.c.id)).all()
            record.judge(f"{target.table.name}: {len(found)} rows in a reader" if found else "")


@attack("two tenants in one transaction", postgres=True)
def two_tenants_in_one_transaction(field: Field, record: Attack) -> None:
    """A transaction of theirs that goes on as ours: it's refused, or shows ours alone."""
    from flask import g

    for target in targets(field):
        with field.theirs.serving(), db.writer(target.bind).connect() as connection:
            connection.execute(select(target.table.c.id)).all()
            g.tenant = field.ours.tenant
            try:
                ids = [row.id for row in connection.execute(select(target.table.c.id))]
            except WrongTenant:
                ids = []
            record.judge(
                f"{target.table.name} is theirs still" if target.theirs["id"] in ids else ""
            )


@attack("other epochs", postgres=True)
def other_epochs(field: Field, record: Attack) -> None:
    """A tenant that is elsewhere, gone or being moved: whoever believes otherwise gets no row."""
    bad = {(1, "active"): Elsewhere, (0, "gone"): Elsewhere, (0, "fenced"): BeingMoved}
    for (epoch, state), refusal in bad.items():
        place(field, epoch, state)
        try:
            with field.ours.serving(), db.writer(None).connect() as connection:
                connection.execute(select(table_of(Subscription).c.id)).all()
            record.judge(f"served at epoch {epoch}, {state}")
        except Unavailable as error:
            record.judge("" if isinstance(error, refusal) else f"{state}: {error!r}")
    place(field, None, "")


def place(field: Field, epoch: int | None, state: str) -> None:
    given = {"id": field.ours.tenant.id, "epoch": epoch, "state": state}
    with field.looking() as connection:
        connection.execute(text("DELETE FROM hardened.placements WHERE tenant_id = :id"), given)
        if epoch is not None:
            connection.execute(
                text("INSERT INTO hardened.placements VALUES (:id, :epoch, :state)"), given
            )
        connection.commit()


TAKING_DOWN = (
    "ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY",
    "DROP POLICY hardened_tenant ON {table}",
    "CREATE POLICY open ON {table} USING (true)",
    "ALTER TABLE {table} OWNER TO CURRENT_USER",
    "TRUNCATE {table}",
    "COPY {table} FROM PROGRAM 'true'",
    (
        "CREATE TRIGGER spy BEFORE UPDATE ON {table} FOR EACH ROW "
        "EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    ),
    "CREATE VIEW spy AS SELECT * FROM {table}",
    "CREATE TABLE spy AS SELECT * FROM {table}",
    "CREATE FUNCTION spy() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
    "ALTER ROLE CURRENT_USER BYPASSRLS",
    "INSERT INTO hardened.placements VALUES (gen_random_uuid(), 0, 'active')",
    "UPDATE hardened.kind SET kind = 'silo'",
    "SET SESSION AUTHORIZATION {owner}",
    "SET ROLE {owner}",
    "SET row_security = off; SELECT * FROM {table}",
)


@attack("taking walls down", postgres=True)
def taking_walls_down(field: Field, record: Attack) -> None:
    """What the application's role might say to take a wall down or to walk round it."""
    owner = f'"{field.owner_url.partition("//")[2].partition(":")[0]}"'
    for target in targets(field):
        for command in TAKING_DOWN:
            said = command.format(table=target.table.name, owner=owner)
            with field.app.app_context(), db.engines[target.bind].connect() as connection:
                try:
                    connection.exec_driver_sql(said)
                    record.judge(f"{said} is allowed")
                except Exception:
                    record.judge("")
                connection.rollback()


@attack("the owner", postgres=True)
def the_owner(field: Field, record: Attack) -> None:
    """The owner of the tables, who doesn't say what for: FORCE holds them, too."""
    engine = create_engine(field.owner_url, poolclass=NullPool)
    with engine.connect() as connection:
        for table in owned():
            found = connection.execute(select(table.c.tenant_id)).all()
            record.judge(f"{table.name}: {len(found)} rows" if found else "")


def owned() -> list[Any]:
    return [
        table
        for metadata in METADATA.values()
        for table in metadata.sorted_tables
        if is_tenant_owned(table) and not table.info.get("spans_tenants")
    ]


ROUNDABOUT = """
SELECT n.nspname || '.' || c.relname AS name, 'a view' AS what
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND has_table_privilege(current_user, c.oid, 'SELECT')
  AND NOT coalesce(c.reloptions @> '{security_invoker=true}', false)
UNION ALL
SELECT n.nspname || '.' || p.proname, 'a function of its owner''s rights'
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND has_schema_privilege(current_user, n.oid, 'USAGE')
  AND has_function_privilege(current_user, p.oid, 'EXECUTE')
UNION ALL
SELECT rolname, 'more than a plain role' FROM pg_roles
WHERE pg_has_role(current_user, oid, 'MEMBER')
  AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolreplication)
UNION ALL
SELECT c.relname, 'its own table' FROM pg_class c
WHERE c.relkind IN ('r', 'p') AND pg_has_role(current_user, c.relowner, 'MEMBER')
  AND c.relnamespace = 'public'::regnamespace
"""


@attack("ways round", postgres=True)
def ways_round(field: Field, record: Attack) -> None:
    """Views and functions with another's rights, and rights that no policy binds."""
    with field.app.app_context(), db.engine.connect() as connection:
        found = connection.execute(text(ROUNDABOUT)).all()
    record.tried()
    record.breaches += [f"{row.name} is {row.what}" for row in found]


@attack("keys that tell", layers=("all",))
def keys_that_tell(field: Field, record: Attack) -> None:
    """Unique constraints and foreign keys that reach across tenants would tell that a row is
    there: each begins with the tenant, or holds what no tenant chooses."""
    for table in owned():
        for index in unique_columns(table):
            across = "tenant_id" not in index and not index <= FROM_OUTSIDE
            record.judge(f"{table.name} {sorted(index)} is unique across tenants" if across else "")
        for key in table.foreign_key_constraints:
            target = key.referred_table
            loose = is_tenant_owned(target) and "tenant_id" not in key.column_keys
            record.judge(f"{table.name} -> {target.name} isn't tied by the tenant" if loose else "")


def unique_columns(table: Any) -> list[set[str]]:
    found = [{c.name for c in index.columns} for index in table.indexes if index.unique]
    kinds = ("unique_constraint", "primary_key_constraint")
    return found + [
        {column.name for column in constraint.columns}
        for constraint in table.constraints
        if constraint.__visit_name__ in kinds
    ]


# The payment provider makes these, so nobody can try one out.
FROM_OUTSIDE = {"provider_id"}
