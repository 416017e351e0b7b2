"""Migrating one silo: one transaction, which has happened whole or not at all."""

from collections.abc import Callable
from contextlib import nullcontext
from threading import Lock
from typing import cast

import psycopg
from alembic import command
from sqlalchemy.exc import DBAPIError

from app.migrate import LOCK, config_of, opening
from app.stages.hardened.silos import walled
from app.stages.hardened.silos.names import packages_of
from app.stages.hardened.silos.places import Place
from app.stages.hardened.silos.rendering import Script
from app.stages.hardened.silos.versions import version_of, with_walls

LOCK_SECONDS = 2
# Alembic keeps what it is at in one place of the process.
ONE_AT_A_TIME = Lock()
Scripts = Callable[[str, str], Script]

MIGRATED, ALREADY, AHEAD, GONE = "migrated", "already there", "ahead", "gone"


class NotNow(Exception):
    """It can't be done at the moment; to try again may help."""


def migrate(place: Place, scripts: Scripts) -> tuple[str, str]:
    """Bring a silo to this code's migrations; answers what came of it, and the version it has.

    Raises `NotNow` for what may pass by itself, and `psycopg.Error` for what won't.
    """
    try:
        outcome, version = migrate_tables(place, scripts)
        if outcome != AHEAD and not version.endswith(f"={walled.target()}"):
            walled.build_walls(place.url_text, place.service, place.role)
            return MIGRATED, with_walls(version, walled.target())
        return outcome, version
    except psycopg.errors.InvalidCatalogName:
        return GONE, ""
    except psycopg.OperationalError as error:
        if is_gone(error, place):
            return GONE, ""
        raise NotNow(str(error).strip()) from error


def migrate_tables(place: Place, scripts: Scripts) -> tuple[str, str]:
    with place.opened() as connection:
        outcome, version, script = in_one_transaction(connection, place, scripts)
        if script is None:
            return outcome, version
        by_alembic(place, script)
        return MIGRATED, version_of(connection, place.service)


def is_gone(error: psycopg.OperationalError, place: Place) -> bool:
    """Whether the server answered that there is no such database: the silo was dropped."""
    return f'database "{place.name}" does not exist' in str(error)


def in_one_transaction(
    connection: psycopg.Connection, place: Place, scripts: Scripts
) -> tuple[str, str, Script | None]:
    """Do what can be done by SQL; answers the script where Alembic has to run it."""
    with connection.transaction():
        if not prepare(connection):
            raise NotNow("somebody else migrates it")
        version = version_of(connection, place.service)
        script = scripts(place.service, version)
        if script.is_ahead:
            return AHEAD, version, None
        if script.is_nothing:
            return ALREADY, version, None
        if script.in_process:
            return "", version, script
        connection.execute(script.sql.encode())
        walled.wall_new_tables(connection, place.service)
        return MIGRATED, version_of(connection, place.service), None


def prepare(connection: psycopg.Connection) -> bool:
    """Don't make the silo's tenant wait behind us, and be the only one; else say no."""
    connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'".encode())
    # The rows of all who are here, where walls stand: a migration may have to change them.
    connection.execute("SET LOCAL app.at_work = 'on'")
    found = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (LOCK,)).fetchone()
    return bool(found and found[0])


def by_alembic(place: Place, script: Script) -> None:
    """Let Alembic run what can't be written down: also whole or not at all, unless it commits."""
    try:
        with ONE_AT_A_TIME, opening(place.url_text) as connection:
            connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_SECONDS}s'")
            connection.commit()
            with nullcontext() if script.commits else connection.begin():
                for package in packages_of(place.service):
                    if script.commits:
                        connection.rollback()  # Alembic commits only what it began itself.
                    command.upgrade(config_of(package, connection), "heads")
                raw = cast(psycopg.Connection, connection.connection.driver_connection)
                walled.wall_new_tables(raw, place.service)
                if script.commits:
                    connection.commit()
    except DBAPIError as error:
        raise cast(psycopg.Error, error.orig) from error
