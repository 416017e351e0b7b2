"""`flask throttle`: what each workspace may ask of us, and the gateway's part of it."""

import time
from pathlib import Path

import click
from flask import current_app
from flask.cli import AppGroup, with_appcontext
from redis import Redis
from redis.exceptions import RedisError

from app import auth
from app.stages.hardened.throttle import edge, waiting
from app.stages.hardened.throttle.allowances import OVERRIDES, Allowance, Override, overrides
from app.stages.services import identity_store
from app.stages.services.rollout.following import until_told_to_stop

cli = AppGroup("throttle", help="How much each workspace may ask for, and exceptions for a while.")
HOURS = {"m": 1 / 60, "h": 1.0, "d": 24.0}


class Duration(click.ParamType[float]):
    """A time such as 30m, 2h or 7d, in seconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        text = str(value)
        if text[-1:] not in HOURS or not text[:-1].isdecimal() or not int(text[:-1]):
            self.fail(f"{text!r} isn't a duration such as 30m, 2h or 7d", param, ctx)
        return int(text[:-1]) * HOURS[text[-1]] * 3600


@cli.command("show")
@with_appcontext
def show() -> None:
    """Show the allowances by plan, the exceptions, and who is turned away right now."""
    settings = current_app.config["SETTINGS"]
    click.echo(f"Everybody        {settings.throttle} (requests a second : at once)")
    for part in filter(None, settings.throttle_plans.split(",")):
        plan, _, allowance = part.strip().partition("=")
        click.echo(f"Plan {plan:<12}{allowance}")
    store = opened()
    try:
        for slug, override in sorted(overrides(store).items()):
            left = int(override.until - time.time())
            click.echo(f"{slug:<17}{override.allowance} for {left} s more: {override.reason}")
        for slug in sorted(edge.turned_away(store)):
            click.echo(f"{slug:<17}turned away at the gateway")
    except RedisError as error:
        raise click.ClickException(f"Redis doesn't answer: {error}") from None


@cli.command("set")
@click.argument("slug")
@click.argument("allowance")
@click.option("--for", "seconds", type=Duration(), required=True, help="30m, 2h, 7d: it ends.")
@click.option("--reason", required=True, help="Why; whoever looks later reads it.")
@with_appcontext
def set_command(slug: str, allowance: str, seconds: float, reason: str) -> None:
    """Give the workspace SLUG another ALLOWANCE for a while, such as 100:200.

    The first number is requests a second, the second how many there may be at once after a pause.
    Every process knows within a second.
    """
    if auth.find_tenant(slug) is None:
        raise click.ClickException(f"There is no workspace {slug!r}.")
    try:
        override = Override(Allowance.read(allowance), time.time() + seconds, reason)
        opened().hset(OVERRIDES, slug, override.dump())
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    except RedisError as error:
        raise click.ClickException(f"Redis doesn't answer, nothing was changed: {error}") from None
    click.echo(f"{slug} has {override.allowance} for {seconds / 60:.0f} minutes.")


@cli.command("clear")
@click.argument("slug")
@with_appcontext
def clear(slug: str) -> None:
    """End the exception of the workspace SLUG, and let it in at the gateway again."""
    store = opened()
    try:
        found = store.hdel(OVERRIDES, slug)
        store.zrem(edge.BANNED, slug)
        store.delete(f"throttle:strikes:{slug}")
    except RedisError as error:
        raise click.ClickException(f"Redis doesn't answer, nothing was changed: {error}") from None
    click.echo(f"{slug} has what its plan has." if found else f"{slug} had no exception.")


folder = click.argument("folder", type=click.Path(path_type=Path))
room = click.option(
    "--waiting-room",
    default="127.0.0.1:8429",
    show_default=True,
    help="Where the gateway sends who is turned away: host:port.",
)


@cli.command("rule")
@folder
@room
@with_appcontext
def rule(folder: Path, waiting_room: str) -> None:
    """Print what the gateway imports, so that it looks into FOLDER for who is turned away.

    Where TENANT_DOMAIN is set, it looks at the host instead of the path.
    """
    address_of(waiting_room)
    domain = current_app.config["SETTINGS"].tenant_domain
    click.echo(edge.rule(folder, waiting_room, domain), nl=False)


@cli.command("follow")
@folder
@room
@click.option(
    "--every",
    default=0.2,
    show_default=True,
    type=click.FloatRange(min=0.05),
    help="Seconds between two looks.",
)
@with_appcontext
def follow(folder: Path, waiting_room: str, every: float) -> None:
    """Keep FOLDER beside a gateway: a file for each workspace that is turned away.

    Those whom the gateway sends on are kept waiting a second before they are refused.
    """
    store, over = opened(), until_told_to_stop()
    host, port = address_of(waiting_room)
    try:
        waiting.keep_open(host, port, lambda: edge.follow(store, folder, every, over))
    except OSError as error:
        raise click.ClickException(f"{waiting_room} can't be listened at: {error}") from None


def address_of(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise click.ClickException(f"{text!r} isn't host:port, such as 127.0.0.1:8429.")
    return host, int(port)


def opened() -> Redis:
    url = current_app.config["SETTINGS"].redis_url
    if not url:
        raise click.ClickException("REDIS_URL is not set: exceptions are kept in Redis.")
    return identity_store.client_of(url, 2.0)
