"""A target's tables: made by the project's own migrations, emptied, and bared for the copying."""

from alembic import command
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from app.migrate import config_of, opening
from app.stages.services.promote.errors import Refused
from app.stages.services.promote.ledger import AT_THE_END, COPYING, PREPARING, Ledger
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
    for package in ("shared", service):
        try:
            with opening(url) as connection:
                command.upgrade(config_of(package, connection), "heads")
        except (DBAPIError, CommandError) as error:
            raise Refused(
                f"{service}: the migrations of {package} don't run in a database of {service}'s "
                f"own: {getattr(error, 'orig', error)}\nDo they touch another package's tables? "
                "Such a change belongs into that package's history."
            ) from error
