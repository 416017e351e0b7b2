"""Making a silo, and removing it. Each step may be repeated: a maker that was killed starts again.

Nobody is served by what is made here until the silo has a row in `hardened.placements`; to put one
there is the business of those who place and move tenants.
"""

from uuid import UUID

import psycopg
from psycopg import sql

from app.stages.hardened.silos import template
from app.stages.hardened.silos.names import (
    Passwords,
    Silo,
    database_of,
    owner_of,
    silo_of,
)
from app.stages.hardened.silos.server import (
    act_for,
    administrators,
    close_common_doors,
    connected,
    has_database,
    has_role,
    holding,
    make_role,
)
from app.stages.hardened.silos.walled import build_walls

ROWS = sql.SQL("SELECT, INSERT, UPDATE, DELETE")


def make(admin: str, service: str, tenant_id: UUID, passwords: Passwords) -> Silo:
    """Make what is missing of a tenant's silo. The roles' passwords become the given ones.

    `admin` is the URL of the server's administrator: SILO_ADMIN_DATABASE_URL.
    """
    silo = silo_of(administrators(admin), service, tenant_id, passwords)
    with connected(admin) as connection, holding(connection, silo.database):
        close_common_doors(connection)
        make_role(connection, silo.role, passwords.app)
        make_role(connection, silo.owner, passwords.owner)
        act_for(connection, silo.owner)
        copy_template(admin, connection, silo)
        close(connection, silo)
        hand_over(admin, silo)
        # Still alone: PostgreSQL lets no two grant on one table at a time.
        build_walls(silo.owner_url, service, silo.role)
    return silo


def copy_template(admin: str, connection: psycopg.Connection, silo: Silo) -> None:
    if has_database(connection, silo.database):
        return
    with template.ready(admin, silo.service) as source:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                sql.Identifier(silo.database), sql.Identifier(source), sql.Identifier(silo.owner)
            )
        )


def close(connection: psycopg.Connection, silo: Silo) -> None:
    """Let nobody in but the silo's own two roles."""
    database = sql.Identifier(silo.database)
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    connection.execute(
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sql.Identifier(silo.role))
    )


def hand_over(admin: str, silo: Silo) -> None:
    """Give the tables to the silo's owner; their rows, and those of later tables, to the app."""
    owner, role = sql.Identifier(silo.owner), sql.Identifier(silo.role)
    old = sql.Identifier(template.OWNER)
    statements = (
        sql.SQL("REASSIGN OWNED BY {} TO {}").format(old, owner),
        sql.SQL("SET LOCAL ROLE {}").format(owner),
        sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(role),
        sql.SQL("GRANT {} ON ALL TABLES IN SCHEMA public TO {}").format(ROWS, role),
        sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}").format(role),
        sql.SQL("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {} ON TABLES TO {}").format(
            ROWS, role
        ),
        sql.SQL("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO {}").format(
            role
        ),
    )
    with connected(admin, silo.database) as connection, connection.transaction():
        for statement in statements:
            connection.execute(statement)


def exists(admin: str, service: str, tenant_id: UUID) -> bool:
    with connected(admin) as connection:
        return has_database(connection, database_of(service, tenant_id))


def drop(admin: str, service: str, tenant_id: UUID) -> None:
    """Remove a silo with all that is in it, and its roles. One that isn't there is removed."""
    database = database_of(service, tenant_id)
    with connected(admin) as connection, holding(connection, database):
        roles = [r for r in (database, owner_of(database)) if has_role(connection, r)]
        for role in roles:
            act_for(connection, role)  # Else their connections mustn't be cut off.
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database))
        )
        for role in roles:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
