"""`flask rollout follow`: runs beside each gateway."""

import signal
import socket
from collections.abc import Callable
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from app.stages.services.gateway import WRITTEN_TO
from app.stages.services.rollout.follower import Follower
from app.stages.services.rollout.opening import (
    cli,
    plain_refusals,
    state_url,
    template,
)
from app.stages.services.rollout.store import Store


@cli.command("follow")
@click.option(
    "--file",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The Caddyfile to write, which Caddy runs with; pins/ and slots/ are beside it.",
)
@click.option(
    "--base",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=f"The Caddyfile to start from. Default: {WRITTEN_TO}",
)
@click.option("--name", help="What this gateway is called. Default: the host's name.")
@click.option(
    "--every",
    default=0.5,
    show_default=True,
    type=click.FloatRange(min=0.05),
    help="Seconds between two looks.",
)
@click.option("--once", is_flag=True, help="Write the files before Caddy starts, and end.")
@with_appcontext
def follow_command(
    file: Path, base: Path | None, name: str | None, every: float, once: bool
) -> None:
    """Bring the pins from the database to the Caddy beside us, for as long as we run.

    While the database is away, and after this ended, Caddy goes on with the last ones. It's never
    reloaded: it looks at files. Start Caddy anew when your own Caddyfile has changed.
    """
    settings = current_app.config["SETTINGS"]
    found = base or Path(current_app.root_path).parent / WRITTEN_TO
    if not found.exists():
        raise click.ClickException(f"There is no {found}. Say with --base where the Caddyfile is.")
    with plain_refusals(), Store(state_url(writing=False)) as store:
        follower = Follower(
            store,
            file,
            found.read_text("utf-8"),
            template(),
            settings.tenant_domain,
            name or socket.gethostname(),
            click.echo,
        )
        follower.prepare()
        if not once:
            follower.follow(every, until_told_to_stop())


def until_told_to_stop() -> Callable[[], bool]:
    told: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: told.append(received))
    return lambda: bool(told)
