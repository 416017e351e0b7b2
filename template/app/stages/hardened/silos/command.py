"""`flask silos`: migrate, status, list, plan."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from uuid import UUID

import click
import psycopg
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.exc import DBAPIError

from app.auth.models import Organisation
from app.db import patience
from app.stages.hardened.silos import runs, showing
from app.stages.hardened.silos.errors import Refused
from app.stages.hardened.silos.fleet import AT_ONCE, Fleet
from app.stages.hardened.silos.ledger import Standing
from app.stages.hardened.silos.looking import Look, look_at_all
from app.stages.hardened.silos.names import WITH_SILOS
from app.stages.hardened.silos.places import Place, all_of
from app.stages.hardened.silos.progress import Progress
from app.stages.hardened.silos.rendering import Script, script_for
from app.stages.hardened.silos.seen import forget_all_but, note_problem, note_seen
from app.stages.hardened.silos.versions import target_of
from app.stages.hardened.stores import store_of

cli = AppGroup("silos", help="Look after the databases that one workspace has for itself.")
of_service = click.option("--service", type=click.Choice(WITH_SILOS), help="Of one service only.")


@contextmanager
def plain_refusals() -> Iterator[None]:
    try:
        yield
    except (psycopg.Error, DBAPIError) as error:
        raise click.ClickException(
            f"A database gave up: {str(error).strip()}\nNothing is lost. Mend that and run it "
            "again: it goes on where it was."
        ) from None
    except KeyboardInterrupt:
        raise click.ClickException("Interrupted. Run it again: it goes on where it was.") from None


def places(engine: Engine, service: str | None = None) -> list[Place]:
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    return [place for place in all_of(app, engine) if service in {None, place.service}]


@contextmanager
def memory(connections: int = 2) -> Iterator[Engine]:
    """Auth's database, where the fleet is remembered."""
    url = store_of(current_app._get_current_object(), "auth").url  # type: ignore[attr-defined]
    if not url.startswith("postgresql"):
        raise Refused("Silos need PostgreSQL, for auth too: set AUTH_DATABASE_URL to its database.")
    engine = create_engine(url, connect_args=patience(url), pool_size=connections)
    try:
        yield engine
    finally:
        engine.dispose()


def sizes_from(_context: click.Context, _option: click.Parameter, value: str) -> tuple[int, ...]:
    sizes = [part.strip() for part in value.split(",")]
    if not all(size.isdecimal() and int(size) > 0 for size in sizes):
        raise click.BadParameter("must be numbers above 0, such as 5,45,200")
    return tuple(map(int, sizes))


@cli.command("migrate")
@click.option(
    "--canary", "canaries", multiple=True, metavar="WORKSPACE", help="Goes first; may be repeated."
)
@click.option(
    "--waves",
    "sizes",
    default=",".join(map(str, runs.SIZES)),
    show_default=True,
    callback=sizes_from,
    help="How many silos each wave has after the canaries; all others are the last one.",
)
@click.option(
    "--stop-after",
    default=runs.STOPS_AFTER,
    show_default=True,
    type=click.IntRange(1),
    help="Stop when so many silos have failed. One canary is always enough.",
)
@click.option(
    "--at-once",
    default=AT_ONCE,
    show_default=True,
    type=click.IntRange(1, 64),
    help="How many silos at once; start it on several machines for more.",
)
@click.option("--anew", is_flag=True, help="Give up the run that was interrupted.")
def migrate_command(
    canaries: tuple[str, ...], sizes: tuple[int, ...], stop_after: int, at_once: int, anew: bool
) -> None:
    """Bring all silos to this code's migrations: canaries first, then wave by wave.

    Run it again after whatever interrupted it: it goes on where it was. A silo that fails is set
    apart with its error, and the others go on.
    """
    with plain_refusals(), memory(at_once + 2) as engine:
        silos = places(engine)
        wishes = runs.Wishes(ids_of(engine, canaries), sizes, stop_after, anew)
        run_id, resumed = runs.begin_or_resume(engine, silos, wishes)
        fleet = Fleet(engine, run_id, {silo.name: silo for silo in silos}, at_once)
        standing = fleet.ledger.standing()
        if resumed:
            done = standing.count("done")
            click.echo(f"Going on: {done:,} of {standing.total:,} silos are done.", err=True)
        progress = Progress(standing)
        standing = fleet.run(progress)
        progress.finish(standing)
        for why in fleet.scripts.run_by_alembic():
            click.echo(f"Run by Alembic in each silo, as it can't be written as SQL: {why}")
        failed = showing.failures(engine, run_id)
    tell(standing, failed)


def tell(standing: Standing, failed: list[tuple[str, str]]) -> None:
    """Say what came of it, and fail if something is left to do."""
    click.echo(f"{standing.count('done'):,} of {standing.total:,} silos are up to date.")
    if not failed and standing.state == "done":
        return
    apart = "\n".join(f"- {place}: {error}" for place, error in failed)
    if standing.state == "stopped":
        raise click.ClickException(
            f"Stopped, as {standing.why}\nSet apart:\n{apart}\nThe other silos are as they were. "
            "Mend that and run it again: it goes on where it was."
        )
    raise click.ClickException(f"Set apart:\n{apart}\nMend that and run it again.")


def ids_of(engine: Engine, names: Iterable[str]) -> set[UUID]:
    """The workspaces by their slugs or ids."""
    slugs = slugs_in(engine)
    known = {slug: one for one, slug in slugs.items()} | {str(one): one for one in slugs}
    if unknown := [name for name in names if name not in known]:
        raise Refused(f"No workspace is called {', '.join(unknown)}. See: flask tenant list")
    return {known[name] for name in names}


def slugs_in(engine: Engine) -> dict[UUID, str]:
    with engine.connect() as connection:
        rows = connection.execute(select(Organisation.id, Organisation.slug))
        return {row.id: row.slug for row in rows}


@cli.command("status")
@of_service
def status_command(service: str | None) -> None:
    """Look at each silo: which lack migrations, which don't answer, how the last run stands."""
    with plain_refusals(), memory() as engine:
        looks = look_and_remember(engine, service)
        showing.versions(looks)
        showing.problems(looks)
        showing.run(engine)


def look_and_remember(engine: Engine, service: str | None) -> list[Look]:
    silos = places(engine, service)
    looks = look_at_all(silos)
    with engine.begin() as connection:
        for found in looks:
            if found.problem:
                note_problem(connection, found.place, found.problem)
            else:
                note_seen(connection, found.place, found.version, "")
        if service is None:
            forget_all_but(connection, [silo.name for silo in silos])
    return looks


@cli.command("list")
@of_service
def list_command(service: str | None) -> None:
    """List the silos, with the workspace that each is for and its migrations."""
    with plain_refusals(), memory() as engine:
        looks = look_and_remember(engine, service)
        showing.silos(looks, slugs_in(engine))


@cli.command("plan")
@of_service
@click.option("--sql", is_flag=True, help="Show the SQL that each silo would get.")
def plan_command(service: str | None, sql: bool) -> None:
    """Show what `migrate` would do, and how many silos need it. Changes nothing."""
    with plain_refusals(), memory() as engine:
        looks = look_at_all(places(engine, service))
    counts = Counter((one.place.service, one.version) for one in looks if not one.problem)
    for (of, version), count in sorted(counts.items()):
        script = script_for(of, version)
        click.echo(f"{of}: {count:,} silos at {version}: {summary(script)}")
        if sql and script.sql:
            click.echo(f"\n{script.sql}\n")
    showing.problems(looks)


def summary(script: Script) -> str:
    if script.is_ahead:
        return "a newer release has migrated them; nothing to do"
    if script.is_nothing:
        return "up to date"
    if script.in_process:
        return f"to {target_of(script.service)} by Alembic in each silo ({script.in_process})"
    return f"to {target_of(script.service)} by SQL {script.digest[:12]}"
