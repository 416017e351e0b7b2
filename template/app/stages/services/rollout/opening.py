"""What the commands have in common: the group, their options, and how they reach the state."""

import getpass
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from app.stages.services.rollout.errors import Refused
from app.stages.services.rollout.store import Store

RELEASE = re.compile(r"[a-z0-9.-]{1,40}")

cli = AppGroup(
    "rollout",
    help="Bring a release to the tenants in waves; it comes back by itself if it's bad.\n\n"
    "The state is in auth's database: set SERVES=auth, or ROLLOUT_DATABASE_URL.",
)


def a_release(_context: Any, _option: Any, value: str) -> str:
    if not RELEASE.fullmatch(value):
        raise click.BadParameter("a release is 1 to 40 of a-z, 0-9, dot and dash, as its image tag")
    return value


release_argument = click.argument("release", callback=a_release)
waves_option = click.option(
    "--waves",
    "file",
    type=click.Path(path_type=Path),
    help="Who comes when. Default: app/features/rollout.toml, or the one that comes along.",
)
who_option = click.option(
    "--who",
    envvar=["ROLLOUT_WHO", "GITHUB_ACTOR"],
    help="For the record. Default: your name here.",
)
why_option = click.option("--why", default="", help="For the record.")
reason_option = click.option("--why", required=True, help="For the record.")
source_option = click.option(
    "--scrape",
    is_flag=True,
    help="Read the services' own /metrics instead of asking PROMETHEUS_URL: for a laptop.",
)
every_option = click.option(
    "--every",
    default=5.0,
    show_default=True,
    type=click.FloatRange(min=0.05),
    help="Seconds between two looks.",
)


@contextmanager
def plain_refusals() -> Iterator[None]:
    try:
        yield
    except Refused as error:
        raise click.ClickException(str(error)) from None
    except DBAPIError as error:
        said = str(error.orig).strip()
        raise click.ClickException(
            f"The state of rollouts can't be reached: {said}\nIt is at {shown_url()}. Nothing is "
            "lost: gateways keep their pins, and a rollout goes on with `flask rollout resume`."
        ) from None
    except KeyboardInterrupt:
        raise click.ClickException(
            "Interrupted. Everybody stays where they are; go on with `flask rollout resume`."
        ) from None


def state_url(*, writing: bool) -> str:
    """Where the state is: as its owner reaches it, or as the application does."""
    settings = current_app.config["SETTINGS"]
    if settings.rollout_database_url:
        return str(settings.rollout_database_url)
    if "auth" not in settings.served:
        raise Refused(
            f"The state of rollouts is in auth's database, and SERVES is {settings.serves}. Run "
            "this with auth's settings, or set ROLLOUT_DATABASE_URL."
        )
    of = settings.migrations_url_of if writing else settings.database_url_of
    return str(of("auth"))


def shown_url() -> str:
    try:
        return make_url(state_url(writing=False)).render_as_string(hide_password=True)
    except Refused:
        return "nowhere"


@contextmanager
def opened(*, writing: bool = True) -> Iterator[Store]:
    """The memory of rollouts; its tables are made at the first use."""
    with plain_refusals(), Store(state_url(writing=writing)) as store:
        if writing:
            settings = current_app.config["SETTINGS"]
            role = make_url(settings.database_url_of("auth")).username
            owner = make_url(store.url).username
            store.prepare(role if role != owner else None)
        elif not store.is_prepared():
            raise Refused("No release is known yet. Begin with: flask rollout adopt RELEASE")
        yield store


def name_of(who: str | None) -> str:
    return who or f"{getpass.getuser()}@{socket.gethostname()}"


def template() -> str:
    return str(current_app.config["SETTINGS"].rollout_upstreams)
