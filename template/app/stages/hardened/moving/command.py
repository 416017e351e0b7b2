"""`flask tenant move` and `flask tenant moves`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import click
import psycopg
from flask import current_app

from app.columns import now
from app.stages.hardened.catalog.places import SILOED
from app.stages.hardened.lifecycle.finding import find, refuse_elsewhere
from app.stages.hardened.lifecycle.group import cli, plain_refusals, the_tenant
from app.stages.hardened.lifecycle.operators import operator_name
from app.stages.hardened.moving import ledger, moves
from app.stages.hardened.moving.models import Move
from app.stages.hardened.moving.mover import LONGEST_SWITCH_SECONDS, PATIENCE_SECONDS

# A server keeps its log for whoever has a slot, until the disk is full.
MUCH = 1_000_000_000
LONG = timedelta(days=7)


@cli.command("move")
@the_tenant
@click.option("--to", "goal", type=click.Choice(["silo", "pool"]), help="Where the rows go.")
@click.option(
    "--service",
    type=click.Choice(SILOED),
    default="features",
    show_default=True,
    help="Whose rows.",
)
@click.option("--back", is_flag=True, help="Take it back, with all that was written meanwhile.")
@click.option("--finish", is_flag=True, help="End it: no way back; delete what nobody serves.")
@click.option("--abandon", is_flag=True, help="Give it up before the switch.")
@click.option(
    "--patience",
    default=PATIENCE_SECONDS,
    show_default=True,
    help="Seconds to wait, in all, for transactions of the workspace that don't end.",
)
@click.option(
    "--longest",
    default=LONGEST_SWITCH_SECONDS,
    show_default=True,
    help="Seconds that people may have to wait; a switch that takes longer is called off.",
)
def move_command(
    slug: str,
    goal: str | None,
    service: str,
    back: bool,
    finish: bool,
    abandon: bool,
    patience: float,
    longest: float,
) -> None:
    """Move a workspace's rows between the pool and a silo, while people work in it.

    Run again after whatever stopped it, it goes on where it was. After the switch the way back
    stays armed until --finish.
    """
    if [bool(goal), back, finish, abandon].count(True) != 1:
        raise click.UsageError("Say one of --to, --back, --finish, --abandon.")
    with plain_refusals(), plain_outages():
        tenant = find(slug).as_tenant()
        app = current_app._get_current_object()  # type: ignore[attr-defined]
        wish = moves.Wish(
            app,
            tenant,
            service,
            operator_name(),
            click.echo,
            patience=patience,
            longest=longest,
        )
        if goal:
            tell_switched(moves.move(wish, goal), slug, service, goal)
        elif back:
            tell_back(moves.go_back(wish), slug, service)
        elif finish:
            tell_finished(moves.finish(wish))
        else:
            moves.abandon(wish)
            click.echo("Given up. The workspace never stopped being served where it is.")


@contextmanager
def plain_outages() -> Iterator[None]:
    """Say in words that a server went away."""
    try:
        yield
    except psycopg.Error as error:
        raise click.ClickException(
            f"A database gave up in the middle: {str(error).strip()}\n"
            "Nothing is lost. Mend that and run it again: it goes on where it was."
        ) from None


def tell_switched(found: dict[str, Any], slug: str, service: str, goal: str) -> None:
    tell_figures(found)
    click.echo(
        f"{slug}'s {service} are served in the {goal}. The way back is armed, and its slot keeps "
        f"the server's log: look at `flask tenant moves`.\n"
        f"Back:  flask tenant move {slug} --service {service} --back\n"
        f"Done:  flask tenant move {slug} --service {service} --finish"
    )


def tell_back(found: dict[str, Any], slug: str, service: str) -> None:
    tell_figures(found)
    click.echo(
        f"{slug} is back where it was.\n"
        f"Done:  flask tenant move {slug} --service {service} --finish"
    )


def tell_figures(found: dict[str, Any]) -> None:
    switch = found.get("switch")
    if switch:
        click.echo(
            f"Read-only for {switch['read_only_ms']} ms (waited "
            f"{switch['waited_for_transactions_ms']} ms for running transactions, caught up in "
            f"{switch['caught_up_ms']}, compared {switch['rows_compared_again']:,} rows again in "
            f"{switch['compared_ms']}, handed over in {switch['handed_over_ms']}). "
            f"{found.get('rows', 0):,} rows compared."
        )


def tell_finished(gone: dict[str, Any]) -> None:
    if "dropped" in gone:
        click.echo(f"Removed: {gone['dropped']}.")
    for table, count in gone.get("purged", {}).items():
        click.echo(f"  {table}: {count:,} rows deleted, everybody else's unchanged")
    click.echo("The move is at its end; nothing of it keeps the server's log.")


@cli.command("moves")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def moves_command(as_json: bool) -> None:
    """List the moves, newest first, and what the servers keep for those that aren't at an end."""
    with plain_refusals(), plain_outages():
        refuse_elsewhere()
        app = current_app._get_current_object()  # type: ignore[attr-defined]
        shown = [row_of(one, moves.kept_bytes(app, one) if one.is_open else 0) for one in rows()]
    if as_json:
        click.echo(json.dumps(shown, indent=2, default=str))
        return
    for one in shown:
        click.echo(
            f"{one['slug']:20} {one['service']:9} {one['from']} to {one['to']}  {one['state']:10} "
            f"{one['doing']:10} {one['created_at']:%Y-%m-%d %H:%M}  {one['error']}".rstrip()
        )
        if one["warning"]:
            click.echo(f"  ! {one['warning']}")
    click.echo(f"{len(shown)} moves." if len(shown) != 1 else "1 move.")


def rows() -> list[Move]:
    return ledger.recent()


def row_of(move: Move, kept: int | None) -> dict[str, Any]:
    return {
        "id": move.id,
        "slug": move.slug,
        "service": move.service,
        "from": move.source,
        "to": move.goal,
        "state": move.state,
        "doing": move.doing,
        "operator": move.operator,
        "created_at": move.created_at,
        "error": move.error,
        "kept_bytes": kept,
        "warning": warning_of(move, kept),
    }


def warning_of(move: Move, kept: int | None) -> str:
    """What somebody should do something about."""
    if move.is_open and move.doing in {"fencing", "activating"}:
        return (
            "it's in its switch, or that was cut short: then auth's worker decides it within "
            "seconds. If this stays, run the move again."
        )
    if kept is None:
        return "a server doesn't answer, so nobody knows what it keeps for this move."
    if kept > MUCH:
        return f"the servers keep {kept:,} bytes of log for it: end it with --finish."
    if move.is_open and move.created_at < now() - LONG:
        return "open for more than a week: end it with --finish, or --back."
    return ""
