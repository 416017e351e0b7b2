"""The walls of a silo. A table that a migration makes gets its own in the same transaction.

What all walls are like is a version, too, as migrations are: a silo whose walls another release
built is behind, and gets this code's.
"""

import hashlib
from collections.abc import Iterator

import psycopg
from psycopg import sql
from sqlalchemy import text

from app.db import owns
from app.migrate import opening
from app.stages.hardened.silos.names import packages_of
from app.stages.hardened.walls.policies import OBJECTS, QUALS, TABLES, build, kind_of

# The mark of what was built: a comment, so that no table is needed for it.
MARKED = "hardened.kind"


def target() -> str:
    """The walls as this code builds them, in short."""
    return hashlib.sha256(f"{QUALS}{OBJECTS.read_text('utf-8')}".encode()).hexdigest()[:8]


def walls_of(connection: psycopg.Connection) -> str:
    """The walls that a silo has, by their mark; nothing, where none were finished."""
    asked = "SELECT obj_description(to_regclass(%s), 'pg_class')"
    found = connection.execute(asked, (MARKED,)).fetchone()
    return str(found[0] or "") if found else ""


def build_walls(owner_url: str, service: str, role: str) -> None:
    """Build what is missing, as the silo's owner; `role` is the one that the service works as."""
    with opening(owner_url) as connection:
        for package in packages_of(service):
            build(connection, package, role, kind="silo")
        connection.execute(text(f"COMMENT ON TABLE {MARKED} IS '{target()}'"))
        connection.commit()


def wall_new_tables(connection: psycopg.Connection, service: str) -> None:
    """Build walls around the tables that have none, within the transaction that made them."""
    for _oid, name, quoted, forced, owner in connection.execute(TABLES.encode()).fetchall():
        if not forced:
            for statement in walls_around(service, name, quoted, owner):
                connection.execute(statement.encode())


def walls_around(service: str, name: str, quoted: str, owner: str) -> Iterator[str]:
    package = next(one for one in packages_of(service) if owns(one, name))
    for verb in ("ENABLE", "FORCE"):
        yield f"ALTER TABLE {quoted} {verb} ROW LEVEL SECURITY"
    kind = kind_of(package, name)
    for policy, to in ((kind, "PUBLIC"), ("at_work", sql.Identifier(owner).as_string())):
        yield (
            f"CREATE POLICY hardened_{policy} ON {quoted} TO {to} "
            f"USING ({QUALS[policy]}) WITH CHECK ({QUALS[policy]})"
        )
