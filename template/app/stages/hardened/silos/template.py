"""The database that silos of a service are copied from: its tables, migrated, and no rows.

To copy it takes a tenth of a second where migrating takes seconds. There is one for each state of
the migrations; whoever needs it first makes it. It's a template only once it's whole, so one whose
maker was killed is made anew.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from alembic import command
from psycopg import sql

from app.migrate import config_of, folders_of, heads_of, opening
from app.stages.hardened.silos.names import PREFIX, packages_of
from app.stages.hardened.silos.server import (
    act_for,
    administrators,
    connected,
    has_database,
    has_role,
    holding,
)

# It owns the tables of every template, and nobody can log in as it.
OWNER = f"{PREFIX}template_owner"


@contextmanager
def ready(admin: str, service: str) -> Iterator[str]:
    """The name of the template that this code needs; nobody removes it meanwhile."""
    name = name_of(service)
    with connected(admin) as connection:
        while True:
            with holding(connection, name, shared=True):
                if is_whole(connection, name):
                    yield name
                    return
            build(admin, service, name)


def name_of(service: str) -> str:
    """A name that changes with the migrations, those of a team that edits one it wrote included."""
    digest = hashlib.sha256()
    for package in packages_of(service):
        digest.update(" ".join(sorted(heads_of(package))).encode())
        for folder in folders_of(package):
            for file in sorted(folder.glob("*.py")):
                digest.update(file.read_bytes())
    return f"{PREFIX}template_{service}_{digest.hexdigest()[:12]}"


def is_whole(connection: psycopg.Connection, name: str) -> bool:
    asked = "SELECT datistemplate FROM pg_database WHERE datname = %s"
    found = connection.execute(asked, (name,)).fetchone()
    return bool(found and found[0])


def build(admin: str, service: str, name: str) -> None:
    with connected(admin) as connection, holding(connection, name):
        if is_whole(connection, name):
            return
        database = sql.Identifier(name)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(database))
        make_owner(connection)
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(database)
        )
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
        fill(admin, service, name)
        connection.execute(
            sql.SQL("ALTER DATABASE {} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false").format(
                database
            )
        )


def make_owner(connection: psycopg.Connection) -> None:
    """Make the owner unless it's there; templates of two services may be made at once."""
    with holding(connection, OWNER):
        if not has_role(connection, OWNER):
            connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(OWNER)))
        act_for(connection, OWNER)


def fill(admin: str, service: str, name: str) -> None:
    """Run the service's migrations, so that the tables are the owner's."""
    owner = sql.Identifier(OWNER)
    with connected(admin, name) as connection:
        connection.execute(sql.SQL("GRANT CREATE, USAGE ON SCHEMA public TO {}").format(owner))
        as_owner = administrators(admin).set(database=name)
        as_owner = as_owner.update_query_dict({"options": f"-crole={OWNER}"})
        with opening(as_owner.render_as_string(hide_password=False)) as migrating:
            for package in packages_of(service):
                command.upgrade(config_of(package, migrating), "heads")
        connection.execute(sql.SQL("REVOKE ALL ON SCHEMA public FROM {}").format(owner))


def drop_old(admin: str, service: str) -> list[str]:
    """Remove the templates of other states of the migrations than this code's."""
    asked = "SELECT datname FROM pg_database WHERE starts_with(datname, %s) AND datname <> %s"
    gone = []
    with connected(admin) as connection:
        names = (f"{PREFIX}template_{service}_", name_of(service))
        for (name,) in connection.execute(asked, names).fetchall():
            with holding(connection, name):
                drop(connection, name)
            gone.append(name)
    return gone


def drop(connection: psycopg.Connection, name: str) -> None:
    if has_database(connection, name):
        database = sql.Identifier(name)
        connection.execute(sql.SQL("ALTER DATABASE {} WITH IS_TEMPLATE false").format(database))
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))
