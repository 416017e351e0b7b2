"""`flask as`: a command in the place of one of the services of a `flask dev` that runs."""

import json
import os
from pathlib import Path
from typing import Any

import click
from flask import Flask
from flask.cli import with_appcontext

from app.dev.command import this_app
from app.dev.processes import flask
from app.stages.services.dev_system import NOTE, settings_of
from app.stages.services.settings import SERVICES


@click.command("as", context_settings={"allow_interspersed_args": False})
@click.argument("service", type=click.Choice(SERVICES))
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@with_appcontext
def as_service(service: str, command: tuple[str, ...]) -> None:
    """Run a flask COMMAND as SERVICE, beside the `flask dev` that runs in this folder.

    It has the service's database, also as the owner of its tables, Redis and the neighbours.

    \b
        flask as auth shell
        flask as billing db check
    """
    app = this_app()
    note = note_of(app)
    env = settings_of(
        app,
        service,
        address=note["url"],
        database=note["databases"][service],
        redis=note["redis"],
        ports=note["ports"],
    )
    env["MIGRATIONS_DATABASE_URL"] = note["owners"][service]
    words = flask(*command)
    os.execve(words[0], words, env)  # noqa: S606  # As typed; Ctrl-C is the command's own.


def note_of(app: Flask) -> dict[str, Any]:
    """What the `flask dev` of this folder wrote down."""
    file = Path(app.instance_path) / NOTE
    try:
        note: dict[str, Any] = json.loads(file.read_text("utf-8"))
        os.kill(note["dev"], 0)
    except (OSError, ValueError, KeyError):
        raise click.ClickException(
            "No `flask dev` runs in this folder: start one in another terminal."
        ) from None
    return note
