"""`flask keys`: make and show the keys that this service signs with."""

import click
from flask import current_app
from flask.cli import with_appcontext

from app.stages.services import keys

ROTATION = """Rotate in three deployments, so that no token is refused on the way:

  1. Put the new key at the end of SIGNING_KEYS: others learn it.
  2. Move it to the front: it signs, the old one still verifies.
  3. Take the old one out, ten minutes later or whenever you like."""


@click.group("keys")
def cli() -> None:
    """Make and show the keys that this service signs with."""


@cli.command()
def new() -> None:
    """Print a new private key for SIGNING_KEYS.

    Each service has its own. It's printed alone on a line; what to do with it goes to stderr.
    """
    click.echo(keys.new_key())
    click.echo(ROTATION, err=True)


@cli.command()
@with_appcontext
def show() -> None:
    """Show this service's keys by their public names, and which one signs."""
    settings = current_app.config["SETTINGS"]
    known = keys.own_keys()
    signing = next((key for key in known if not key.expired), None)
    where = "SIGNING_KEYS" if settings.signing_keys else f"{current_app.instance_path}"
    click.echo(f"{settings.service}, keys of {where}:")
    for key in known:
        does = "expired" if key.expired else "signs" if key is signing else "verifies"
        until = f", until {keys.day(key.until)}" if key.until else ""
        click.echo(f"  {key.name}  {does}{until}")
