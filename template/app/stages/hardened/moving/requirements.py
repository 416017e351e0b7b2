"""What a move needs of the two servers, said before anything is begun."""

from collections.abc import Iterator
from typing import Any

import psycopg

from app.stages.hardened.moving.errors import CannotMove
from app.stages.hardened.moving.sides import Route, Side
from app.stages.hardened.moving.tables import Table, only, tables_of

OLDEST = 16
# There and back, what changed meanwhile, and two tables being copied.
SLOTS = 5


def refuse_unfit(route: Route) -> None:
    """Raises `CannotMove`, which names all that is missing at once."""
    missing = []
    for side in (route.source, route.target):
        with side.connect() as connection:
            missing += [f"{side.shown}: {what}" for what in lacking(connection, route.service)]
    if missing:
        raise CannotMove(
            "The databases aren't ready for a move:\n  " + "\n  ".join(missing),
            hint="See docs/hardened/moving.md, “What it needs”.",
        )


def lacking(connection: psycopg.Connection, service: str) -> Iterator[str]:
    if connection.info.server_version < OLDEST * 10_000:
        yield f"PostgreSQL {OLDEST} or newer is needed"
    if (level := shown(connection, "wal_level")) != "logical":
        yield (
            f"wal_level is {level}: set it to logical and restart the server "
            "(RDS: rds.logical_replication = 1 in the parameter group)"
        )
    used = only(connection.execute("SELECT count(*) FROM pg_replication_slots"))
    if int(shown(connection, "max_replication_slots")) - used < SLOTS:
        yield f"max_replication_slots leaves fewer than {SLOTS}: finish moves, or set it higher"
    following = only(connection.execute("SELECT count(*) FROM pg_subscription WHERE subenabled"))
    if int(shown(connection, "max_logical_replication_workers")) - following < 2:
        yield (
            "max_logical_replication_workers (and max_worker_processes) leave fewer than 2: "
            "finish moves, or set them higher"
        )
    yield from privileges(connection, service)


def shown(connection: psycopg.Connection, name: str) -> str:
    return str(only(connection.execute("SELECT current_setting(%s)", (name,))))


def privileges(connection: psycopg.Connection, service: str) -> Iterator[str]:
    """What a role needs that isn't a superuser."""
    asked = (
        "SELECT rolname, rolsuper, rolreplication, rolbypassrls, "
        "pg_has_role('pg_create_subscription', 'USAGE'), "
        "has_database_privilege(current_database(), 'CREATE') "
        "FROM pg_roles WHERE rolname = current_user"
    )
    row: Any = connection.execute(asked).fetchone()
    name, is_super, *rights = row
    if is_super:
        return
    for has, what in zip(
        rights,
        (
            f"ALTER ROLE {name} REPLICATION",
            f"ALTER ROLE {name} BYPASSRLS",
            f"GRANT pg_create_subscription TO {name}",
            f"GRANT CREATE ON DATABASE {connection.info.dbname} TO {name}",
        ),
        strict=True,
    ):
        if not has:
            yield f"{name} lacks a right: {what}"
    owners = (
        "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = "
        "'public'::regnamespace AND relkind IN ('r', 'p') AND NOT pg_has_role(relowner, 'USAGE')"
    )
    for (owner,) in connection.execute(owners):
        yield f"{name} must act for the owner of the tables: GRANT {owner} TO {name}"


def same_tables(
    source: psycopg.Connection, target: psycopg.Connection, service: str
) -> list[Table]:
    """The tables to carry; raises unless both databases have the same ones."""
    here, there = (tables_of(side, service) for side in (source, target))
    shapes = [
        {table.name: (table.columns, table.key, table.types) for table in tables}
        for tables in (here, there)
    ]
    if shapes[0] != shapes[1]:
        odd = [
            name
            for name in sorted({*shapes[0], *shapes[1]})
            if shapes[0].get(name) != shapes[1].get(name)
        ]
        raise CannotMove(
            f"The two databases aren't at the same migration: {', '.join(odd)} differ.",
            hint="Migrate both (flask db upgrade, flask silos migrate), then run this again.",
        )
    return here


def refuse_a_bare_side(side: Side, connection: psycopg.Connection) -> None:
    """Raises where no walls were built: nothing would keep the tenant's transactions out."""
    if only(connection.execute("SELECT to_regclass('hardened.placements')")) is None:
        raise CannotMove(
            f"{side.shown} has no fence: the schema `hardened` is missing.",
            hint="Run `flask db upgrade` there.",
        )
