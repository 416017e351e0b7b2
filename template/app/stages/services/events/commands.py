"""`flask events`: what waits, what is dead, and how to try it again."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import click
from flask import current_app
from flask.cli import AppGroup, with_appcontext
from redis.exceptions import RedisError
from sqlalchemy import CursorResult, select, update

from app import migrate
from app.db import db, now
from app.events import OutboxRow
from app.stages.services.events import lag, letters, streams

cli = AppGroup("events")
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Moment(click.ParamType[datetime]):
    """A moment: so long ago (`30m`, `2h`, `7d`), or as ISO 8601 (in UTC without a zone)."""

    name = "when"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        if found := re.fullmatch(r"(\d+)([mhd])", value):
            return now() - timedelta(**{UNITS[found[2]]: int(found[1])})
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no moment. Say 2h, 30m, 7d or 2026-12-24T18:00.", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@cli.command("list")
@click.option("--dead", is_flag=True, help="Those that were given up, with their error.")
@click.option("--tenant", metavar="SLUG", help="Only those of this workspace.")
@click.option("--name", help="Only those of this name, such as project.created.")
@click.option("--limit", default=50, show_default=True, help="How many, the newest.")
@with_appcontext
def list_command(dead: bool, tenant: str | None, name: str | None, limit: int) -> None:
    """Show this service's events, or the dead letters of all services."""
    with plain_errors():
        if dead and on_streams():
            show_dead(tenant, name, limit)
        else:
            show_outbox(tenant, name, limit, dead=dead)


def show_dead(tenant: str | None, name: str | None, limit: int) -> None:
    """The dead letters, and what was given up in the prototype: the outbox has kept that."""
    earlier = rows_of(tenant, name, limit, dead=True)
    show_rows(earlier)
    count = len(earlier) + show_letters(tenant, name, limit)
    click.echo(f"{count} dead." if count else "None is dead.")


def show_letters(tenant: str | None, name: str | None, limit: int) -> int:
    found = [
        letter
        for letter in letters.every(streams.redis())
        if (tenant is None or slug_of(letter) == tenant) and (name is None or named(letter) == name)
    ]
    for letter in found[-limit:]:
        at = datetime.fromtimestamp(letter.at, UTC)
        click.echo(
            f"{letter.id}  {at:%Y-%m-%d %H:%M:%S}  {named(letter)}  {slug_of(letter) or '-'}"
        )
        click.echo(f"    event {letter.event.id if letter.event else '(unreadable)'}")
        click.echo(f"    for {letter.listener or letter.group}, attempts: {letter.attempts}")
        click.echo(f"    {letter.error}")
    return len(found)


def slug_of(letter: letters.Letter) -> str:
    return letter.event.tenant.slug if letter.event and letter.event.tenant else ""


def named(letter: letters.Letter) -> str:
    return letter.event.name if letter.event else "(unreadable)"


def show_outbox(tenant: str | None, name: str | None, limit: int, *, dead: bool) -> None:
    found = rows_of(tenant, name, limit, dead=dead)
    show_rows(found)
    if not found:
        click.echo("None.")


def rows_of(tenant: str | None, name: str | None, limit: int, *, dead: bool) -> list[OutboxRow]:
    rows = select(OutboxRow).order_by(OutboxRow.id.desc()).limit(limit)
    if dead:
        rows = rows.where(OutboxRow.state == "dead")
    if tenant is not None:
        rows = rows.where(OutboxRow.tenant_slug == tenant)
    if name is not None:
        rows = rows.where(OutboxRow.name == name)
    return list(db.session.scalars(rows))[::-1]


def show_rows(found: list[OutboxRow]) -> None:
    for row in found:
        click.echo(
            f"{row.id}  {row.at:%Y-%m-%d %H:%M:%S}  {row.state:9}  {row.name}  "
            f"{row.tenant_slug or '-'}" + (f"\n    {row.error}" if row.error else "")
        )


@cli.command("replay")
@click.argument("which", metavar="[ID]", required=False)
@click.option("--all-dead", is_flag=True, help="Every dead letter.")
@click.option(
    "--since", type=Moment(), metavar="WHEN", help="All that this service published since."
)
@with_appcontext
def replay_command(which: str | None, all_dead: bool, since: datetime | None) -> None:
    """Deliver again: one event or dead letter by its ID, all dead ones, or all since a moment.

    Whoever has heard an event already isn't told again. WHEN is 30m, 2h, 7d (so long ago) or a
    moment as 2026-12-24T18:00 (UTC). After Redis lost its data, run --since for each service.
    """
    if [which is not None, all_dead, since is not None].count(True) != 1:
        raise click.UsageError("Say which: an ID, --all-dead, or --since WHEN.")
    with plain_errors():
        if since is not None:
            count = ship_again(OutboxRow.at >= since)
        elif on_streams():
            count = replay_letters(which)
            if all_dead:
                count += ship_again(OutboxRow.state == "dead")
        else:
            count = ship_again(OutboxRow.state == "dead" if which is None else id_is(which))
        if which is not None and not count and on_streams():
            count = ship_again(id_is(which))
    if which is not None and not count:
        raise click.ClickException(
            f"There is no event or dead letter {which} here: see `flask events list --dead`."
        )
    click.echo(f"{count} will be delivered again.")


def replay_letters(which: str | None) -> int:
    """Put dead letters back: all, or those that have this id or are of this event."""
    found = [
        letter
        for letter in letters.every(streams.redis())
        if which is None or which in {letter.id, str(letter.event.id) if letter.event else ""}
    ]
    if which is None:  # What nobody can read would only die again.
        found = [letter for letter in found if letter.event]
    for letter in found:
        letters.replay(streams.redis(), letter)
    return len(found)


def id_is(which: str) -> Any:
    try:
        return OutboxRow.id == UUID(which)
    except ValueError:
        raise click.ClickException(
            f"There is no dead letter {which}, and it's no event's id either: "
            "see `flask events list` and `flask events list --dead`."
        ) from None


def ship_again(which: Any) -> int:
    """Let the outbox deliver events again."""
    again = update(OutboxRow).where(which).values(state="pending", attempts=0, due_at=now())
    done = db.session.execute(again.execution_options(synchronize_session=False))
    db.session.commit()
    return cast("CursorResult[Any]", done).rowcount


@cli.command("lag")
@with_appcontext
def lag_command() -> None:
    """Show how far each service is behind, by partition."""
    with plain_errors():
        waiting = lag.backlog()
        click.echo(f"outbox     {waiting.events:>8} to ship   oldest {waiting.seconds:.1f} s")
        if not on_streams():
            return
        for one in lag.of_all(streams.redis()):
            if one.events:
                click.echo(
                    f"{one.group:10} {one.unread:>8} unread    {one.unfinished} unfinished   "
                    f"oldest {one.seconds:.1f} s   partition {one.partition}"
                )
        click.echo(f"dead       {lag.dead(streams.redis()):>8}")


def on_streams() -> bool:
    """Whether events travel through Redis here; with SERVES=all they don't."""
    return "transport" in current_app.extensions


@contextmanager
def plain_errors() -> Iterator[None]:
    """Say in a line what is away."""
    with migrate.plain_errors():
        try:
            yield
        except RedisError as error:
            raise click.ClickException(f"Redis doesn't answer (REDIS_URL): {error}") from None
