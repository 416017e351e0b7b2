"""A server that silos are made on, as its administrator sees it.

That may be somebody who isn't a superuser, as on a managed PostgreSQL: to make roles and databases
is enough.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

from app.db import CONNECT_SECONDS
from app.stages.hardened.silos.errors import Refused

HARMLESS = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE"
COMMON = ("postgres", "template1")


@contextmanager
def connected(admin: str, database: str = "") -> Iterator[psycopg.Connection]:
    """The administrator's connection, in autocommit."""
    url = administrators(admin)
    with psycopg.connect(conninfo(url, database), autocommit=True) as connection:
        yield connection


def administrators(admin: str) -> URL:
    url = make_url(admin) if admin else None
    if url is None or url.get_backend_name() != "postgresql":
        raise Refused(
            "Set SILO_ADMIN_DATABASE_URL: the PostgreSQL server on which silos are made, as "
            "somebody who may make roles and databases there."
        )
    return url


def conninfo(url: URL, database: str = "") -> str:
    place = url.set(drivername="postgresql", database=database or url.database)
    if "connect_timeout" not in place.query:
        place = place.update_query_dict({"connect_timeout": str(CONNECT_SECONDS)})
    return place.render_as_string(hide_password=False)


@contextmanager
def holding(connection: psycopg.Connection, what: str, *, shared: bool = False) -> Iterator[None]:
    """Make others who want the same thing on this server wait; the lock ends with its process."""
    kind = "_shared" if shared else ""
    key = int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], "big", signed=True)
    connection.execute(f"SELECT pg_advisory_lock{kind}({key})".encode())
    try:
        yield
    finally:
        connection.execute(f"SELECT pg_advisory_unlock{kind}({key})".encode())


def has_database(connection: psycopg.Connection, name: str) -> bool:
    asked = "SELECT 1 FROM pg_database WHERE datname = %s"
    return connection.execute(asked, (name,)).fetchone() is not None


def has_role(connection: psycopg.Connection, name: str) -> bool:
    asked = "SELECT 1 FROM pg_roles WHERE rolname = %s"
    return connection.execute(asked, (name,)).fetchone() is not None


def make_role(connection: psycopg.Connection, name: str, password: str) -> None:
    """Make a role that may do nothing yet; its password becomes this one."""
    there = has_role(connection, name)
    connection.execute(
        sql.SQL("{} ROLE {} {} PASSWORD {}").format(
            sql.SQL("ALTER" if there else "CREATE"),
            sql.Identifier(name),
            # To take away what it never had is a superuser's business.
            sql.SQL("" if there else HARMLESS),
            sql.Literal(password),
        )
    )


def act_for(connection: psycopg.Connection, role: str) -> None:
    """Who isn't a superuser may give things only to a role that they are a member of."""
    connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role)))


def close_common_doors(connection: psycopg.Connection) -> None:
    """Close the databases that every server has, where the administrator may."""
    asked = (
        "SELECT datname FROM pg_database WHERE datname = ANY(%s) "
        "AND pg_has_role(datdba, 'MEMBER') AND has_database_privilege('public', oid, 'CONNECT')"
    )
    for (name,) in connection.execute(asked, (list(COMMON),)).fetchall():
        connection.execute(
            sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name))
        )


def open_doors(connection: psycopg.Connection, prefix: str) -> list[str]:
    """Which silo's role may connect to which database that isn't its own."""
    asked = (
        "SELECT rolname || ' -> ' || datname FROM pg_roles, pg_database "
        "WHERE starts_with(rolname, %(prefix)s) AND rolcanlogin AND datallowconn "
        "AND datname NOT IN (rolname, regexp_replace(rolname, '_owner$', '')) "
        "AND has_database_privilege(pg_roles.oid, pg_database.oid, 'CONNECT') ORDER BY 1"
    )
    return [door for (door,) in connection.execute(asked, {"prefix": prefix}).fetchall()]
