"""A target's tables: made by the project's own migrations, emptied, and bared for the copying."""

from alembic import command
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import CompileError, DBAPIError

from app.migrate import config_of, opening
from app.settings import readable_database_url
from app.stages.services.promote.errors import Refused
from app.stages.services.promote.ledger import AT_THE_END, COPYING, PREPARING, Ledger
from app.stages.services.promote.postgres import TABLES, tables_from
from app.stages.services.promote.shapes import Table
from app.stages.services.promote.side import Side


def prepare(target: Side, service: str, source: str) -> None:
    """Make a target ready for rows. What is done already isn't done again."""
    ledger = Ledger(target)
    run = ledger.run()
    if run is None:
        ledger.begin(service, source)
    elif run.phase != PREPARING:
        return
    migrate_target(target.url, service)
    with target.transaction():
        # A migration may have put rows in; the source has them too, as they are by now.
        target.empty(sorted(target.tables()))
        ledger.put_off(target.take_down())
        ledger.enter(COPYING)


def bare_again(target: Side) -> None:
    """Take down what a second pass before this one put back, until it was refused in the end.

    A row that is carried anew is deleted first, which takes along what refers to it where foreign
    keys say so: rows of tables that were compared already.
    """
    with target.transaction():
        Ledger(target).put_off(target.take_down(since=AT_THE_END))


def migrate_target(url: str, service: str) -> None:
    """Run the migrations of a service, which has no tables but its own and the shared ones."""
    with opening(url) as connection:
        for package in packages_of(service):
            upgrade(connection, package, service)


def rehearsed(url: str, service: str) -> dict[str, Table]:
    """A service's tables as its migrations make them in a PostgreSQL, which takes them back."""
    with opening(readable_database_url(url)) as connection:
        with connection.begin() as rehearsal:
            for package in packages_of(service):
                upgrade(connection, package, service)
            found = tables_from(connection.exec_driver_sql(TABLES))
            rehearsal.rollback()
        return found


def packages_of(service: str) -> tuple[str, str]:
    return "shared", service


def upgrade(connection: Connection, package: str, service: str) -> None:
    try:
        command.upgrade(config_of(package, connection), "heads")
    except (DBAPIError, CompileError, CommandError) as error:
        raise Refused(
            f"{service}: the migrations of {package} don't run in a database of {service}'s "
            f"own: {getattr(error, 'orig', error)}\nDo they touch another package's tables? "
            "Such a change belongs into that package's history."
        ) from error
