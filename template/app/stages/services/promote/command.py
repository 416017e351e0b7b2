"""`flask promote`: plan, copy, finish, status, abandon, freeze, thaw."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
import psycopg
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from app import migrate
from app.stages.services.promote import freezing
from app.stages.services.promote.copying import BATCH
from app.stages.services.promote.errors import Refused
from app.stages.services.promote.ledger import Ledger
from app.stages.services.promote.plan import Plan, plan_of
from app.stages.services.promote.run import Finished, abandon, copy, finish
from app.stages.services.promote.side import opened
from app.stages.services.settings import SERVICES

cli = AppGroup("promote", help="Move the pooled database into those of the services.")
from_source = click.option(
    "--from", "source", required=True, metavar="URL", help="The prototype's database; only read."
)
leave_behind = click.option(
    "--leave", multiple=True, metavar="TABLE", help="A table to leave behind; may be repeated."
)
SHOWN_TENANTS = 20


def to_targets(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options for the four databases; their settings are the default."""
    for service in reversed(SERVICES):
        command = click.option(
            f"--{service}",
            metavar="URL",
            help=f"The database of {service}. Default: {service.upper()}_DATABASE_URL.",
        )(command)
    return command


def targets_from(given: dict[str, str | None]) -> dict[str, str]:
    settings = current_app.config["SETTINGS"]
    urls = {one: given[one] or getattr(settings, f"{one}_database_url") for one in SERVICES}
    return {service: absolute(url) for service, url in urls.items()}


def absolute(url: str) -> str:
    """A SQLite URL is relative to instance/, as in the settings."""
    if not url.startswith("sqlite:///"):
        return url
    return migrate.absolute(current_app, make_url(url).render_as_string(hide_password=False))


@contextmanager
def plain_refusals() -> Iterator[None]:
    try:
        yield
    except Refused as error:
        raise click.ClickException(str(error)) from None
    except (psycopg.Error, sqlite3.Error, DBAPIError) as error:
        raise click.ClickException(
            f"A database gave up in the middle: {str(error).strip()}\nNothing is lost. Mend that "
            "and run it again: it goes on where it was."
        ) from None
    except KeyboardInterrupt:
        raise click.ClickException("Interrupted. Run it again: it goes on where it was.") from None


@cli.command("plan")
@from_source
@to_targets
@leave_behind
def plan_command(source: str, leave: tuple[str, ...], **given: str | None) -> None:
    """Show which rows would go where and what stands in the way. Writes nothing."""
    with plain_refusals():
        plan = plan_of(absolute(source), targets_from(given), leave)
    show_plan(plan)
    if plan.blockers:
        problems = "\n".join(f"- {blocker}" for blocker in plan.blockers)
        raise click.ClickException(f"This stands in the way:\n{problems}")
    click.echo("\nNothing stands in the way. Next: flask promote copy")


def show_plan(plan: Plan) -> None:
    for service in SERVICES:
        lines = [line for line in plan.lines if line.place.service == service and line.rows]
        if not lines:
            continue
        click.echo(f"\n{service}: {sum(line.rows for line in lines):,} rows")
        for line in lines:
            note = "" if line.has_key else "  (no primary key: copied whole)"
            part = "  (its part)" if line.place.where else ""
            click.echo(f"  {line.place.table:36} {line.rows:>12,}{part}{note}")
    if plan.tenants:
        show_tenants({tenant: (rows, "") for tenant, rows in plan.tenants.items()})
    if plan.lines:
        click.echo(f"\n{plan.rows:,} rows in all.")


def show_tenants(tenants: dict[str, tuple[int, str]]) -> None:
    click.echo(f"\n{'tenant':38} {'rows':>12}")
    largest = sorted(tenants.items(), key=lambda item: -item[1][0])
    for tenant, (rows, checksum) in largest[:SHOWN_TENANTS]:
        click.echo(f"{tenant or '(nobody in particular)':38} {rows:>12,}  {checksum}".rstrip())
    if rest := largest[SHOWN_TENANTS:]:
        count = sum(rows for _, (rows, _) in rest)
        click.echo(f"{f'{len(rest):,} more tenants':38} {count:>12,}")


@cli.command("copy")
@from_source
@to_targets
@leave_behind
@click.option(
    "--batch",
    default=BATCH,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="Rows in one transaction.",
)
def copy_command(source: str, leave: tuple[str, ...], batch: int, **given: str | None) -> None:
    """First pass, while the product runs. Run it again after whatever interrupted it."""
    with plain_refusals():
        done = copy(absolute(source), targets_from(given), leave=leave, size=batch)
    rate = done.rows_now / max(done.seconds, 1e-6)
    click.echo(
        f"Copied {done.rows:,} rows ({done.rows_now:,} now, in {done.seconds:.1f} s: {rate:,.0f} "
        "rows/s).\nNext: stop the product's writes, then run: flask promote finish"
    )


@cli.command("finish")
@from_source
@to_targets
@leave_behind
def finish_command(source: str, leave: tuple[str, ...], **given: str | None) -> None:
    """Second pass: carry what was written since, and verify. The product's writes are stopped."""
    with plain_refusals():
        done = finish(absolute(source), targets_from(given), leave=leave)
    show_finished(done)


def show_finished(done: Finished) -> None:
    click.echo(f"{'table':46} {'rows':>12}  checksum          carried now")
    for one in done.comparisons:
        if not one.rows and not one.removed:
            continue
        carried = f"+{one.added:,} ~{one.changed:,} -{one.removed:,}"
        name = f"{one.service}: {one.table}"
        click.echo(f"{name:46} {one.rows:>12,}  {one.checksum}  {carried}")
    show_tenants(done.tenants())
    click.echo(
        f"\nVerified: {done.rows:,} rows, equal on both sides for each table and each tenant.\n"
        f"{done.carried:,} rows were carried in this pass; the read-only window was "
        f"{done.window_seconds:.1f} s.\n"
        "Next: start the four services on their databases. The old database is as it was: to go "
        "back, set DATABASE_URL to it again; what is written from now on isn't in it."
    )


@cli.command("status")
@to_targets
def status_command(**given: str | None) -> None:
    """Show how far each database is."""
    for service, url in targets_from(given).items():
        click.echo(f"{service:10} {status_of(url)}")


def status_of(url: str) -> str:
    if not url:
        return "no URL is set"
    try:
        side = opened(url, writing=False)
    except Refused as error:
        return str(error)
    try:
        ledger = Ledger(side)
        run = ledger.run()
        if run is None:
            return "no promote has begun"
        rows = f"{ledger.rows_done():,} rows by the first pass"
        return f"{run.phase}, from {run.source}, {run.note or rows}"
    finally:
        side.close()


@cli.command("abandon")
@to_targets
@click.option("--finished", is_flag=True, help="Also databases that are finished.")
@click.confirmation_option(prompt="Empty the services' databases?")
def abandon_command(finished: bool, **given: str | None) -> None:
    """Empty the services' databases again. The source isn't touched."""
    targets = {service: url for service, url in targets_from(given).items() if url}
    with plain_refusals():
        emptied = abandon(targets, finished=finished)
    click.echo(f"Emptied: {', '.join(emptied) or 'nothing, no promote had begun'}.")


@cli.command("freeze")
@from_source
def freeze_command(source: str) -> None:
    """Make a PostgreSQL source read-only for everybody, and end their connections."""
    with plain_refusals():
        ended = freezing.freeze(absolute(source))
    click.echo(f"Frozen: writes fail from now on ({ended} connections ended). Undo: promote thaw")


@cli.command("thaw")
@from_source
def thaw_command(source: str) -> None:
    """Take back what freeze did."""
    with plain_refusals():
        freezing.thaw(absolute(source))
    click.echo("Thawed: the product can write again.")
