"""The group `flask tenant`: modules that bring a command take `cli` and `the_tenant` from here."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
import psycopg
from flask.cli import AppGroup
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError

from app.errors import Refused, Unavailable
from app.stages.hardened.lifecycle import operators

GOES_ON = "Nothing is lost. Mend that and run it again: it goes on where it was."

cli = AppGroup(
    "tenant", help="Look after tenants: make, suspend, export, restore, move, delete them."
)

Command = Callable[..., Any]
by_operator = click.option(
    "--operator",
    "-o",
    default="",
    metavar="NAME",
    help="Who asks for it, for the audit trail. Default: your name on this machine.",
)


def the_tenant(command: Command) -> Command:
    """The argument that says which tenant: its slug, or its id."""
    return click.argument("slug", metavar="SLUG")(command)


def say(text: str) -> None:
    """Tell how far it is, beside the answer."""
    click.echo(text, err=True)


def named(operator: str) -> str:
    """Who runs the command."""
    return operator or operators.at_the_shell()


@contextmanager
def plain_refusals() -> Iterator[None]:
    """Say in words what stands in the way, and that a command that was cut short goes on."""
    try:
        yield
    except Refused as refusal:
        raise click.ClickException("\n".join(filter(None, [str(refusal), refusal.hint]))) from None
    except Unavailable as error:
        raise click.ClickException(f"{error}\n{GOES_ON}") from None
    except (DBAPIError, psycopg.Error, RedisError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise click.ClickException(f"Something gave up in the middle: {cause}\n{GOES_ON}") from None
    except KeyboardInterrupt:
        raise click.ClickException(f"Interrupted. {GOES_ON}") from None
