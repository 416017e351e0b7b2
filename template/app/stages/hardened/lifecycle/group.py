"""The group `flask tenant`: modules that bring a command take `cli` and `the_tenant` from here."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.exc import DBAPIError

from app.errors import Refused, Unavailable

cli = AppGroup(
    "tenant", help="Look after tenants: make, place, suspend, export, restore, delete them."
)

Command = Callable[..., Any]


def the_tenant(command: Command) -> Command:
    """The argument that says which tenant: its slug, or its id."""
    return click.argument("slug", metavar="SLUG")(command)


@contextmanager
def plain_refusals() -> Iterator[None]:
    """Say in words what stands in the way, and that a command that was cut short goes on."""
    try:
        yield
    except Refused as refusal:
        raise click.ClickException("\n".join(filter(None, [str(refusal), refusal.hint]))) from None
    except Unavailable as error:
        raise click.ClickException(f"{error}\nNothing is lost: run it again.") from None
    except DBAPIError as error:
        raise click.ClickException(
            f"A database gave up in the middle: {str(error.orig).strip()}\n"
            "Nothing is lost. Mend that and run it again: it goes on where it was."
        ) from None
