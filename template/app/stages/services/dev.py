"""`flask dev` at the services stage: databases, services, workers and the gateway, all for real."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
from flask import Flask
from flask.cli import with_appcontext
from sqlalchemy import make_url

from app.dev import command as prototype
from app.dev.command import address_of, listening, this_app
from app.dev.seed import log_ins
from app.stages.services import dev_databases, dev_leftovers
from app.stages.services.dev_as import as_service
from app.stages.services.dev_system import NOTE, Plan, caddy, system_of
from app.stages.services.settings import SERVICES

LOCK = "dev.lock"


def init_app(app: Flask) -> None:
    app.cli.add_command(dev)
    app.cli.add_command(as_service)


@click.command("dev")
@click.option("--host", default="127.0.0.1", show_default=True, help="Who may connect.")
@click.option("--port", type=click.IntRange(1, 65535), help="Default: 5000, or the next free one.")
@click.option("--gunicorn", is_flag=True, help="Serve as production does, and don't reload.")
@click.option("--together", is_flag=True, help="All packages in one process, as in the prototype.")
@click.option("--postgres", is_flag=True, help="With --together: PostgreSQL instead of SQLite.")
@with_appcontext
def dev(host: str, port: int | None, gunicorn: bool, together: bool, postgres: bool) -> None:
    """Start everything, with demo data in it; Ctrl-C stops it all.

    That is a PostgreSQL with a database for each service, a Valkey, four services with a worker
    each, and the gateway in front of them. Set REDIS_URL or the four databases' URLs, such as
    AUTH_DATABASE_URL, to use your own instead.
    """
    if together:
        start: Any = prototype.dev.callback
        start(host=host, port=port, postgres=postgres)
        return
    app = this_app()
    began = time.monotonic()
    refuse_what_does_not_fit(app)
    caddy()
    with alone(app), ExitStack() as stack:
        end_what_was_left_behind(app)
        with listening(host, port) as listener:
            address, port = address_of(app, listener), listener.getsockname()[1]
        say_what_is_left_aside(app)
        databases = dev_databases.found(app, stack)
        plan = Plan(app, address, host, port, databases, gunicorn)
        system_of(plan, lambda: click.echo(welcome(plan, time.monotonic() - began))).run()
    click.echo("Everything has stopped.")


def refuse_what_does_not_fit(app: Flask) -> None:
    """Say at once which settings would make a system that can't work."""
    settings = app.config["SETTINGS"]
    if settings.serves != "all":
        raise click.ClickException(
            f"SERVES is {settings.serves}, but `flask dev` starts all services and gives each its "
            "own. Take it out of the environment and of .env."
        )
    given = {name: url for name in SERVICES if (url := getattr(settings, f"{name}_database_url"))}
    if given and len(given) < len(SERVICES):
        missing = ", ".join(f"{n.upper()}_DATABASE_URL" for n in SERVICES if n not in given)
        raise click.ClickException(f"Set {missing} too: all four databases are yours, or none is.")
    if len(set(given.values())) < len(given):
        raise click.ClickException("Two services have one database: each needs one of its own.")


@contextmanager
def alone(app: Flask) -> Iterator[None]:
    """One `flask dev` at a time has the instance folder; one that was killed has it no more."""
    import fcntl

    path = Path(app.instance_path) / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise click.ClickException(
                f"Another `flask dev` has {path.parent}. Stop that one first."
            ) from None
        yield


def end_what_was_left_behind(app: Flask) -> None:
    """What a `flask dev` that was killed left running has our ports and our folders."""
    left = dev_leftovers.end(Path(app.instance_path) / NOTE)
    if left:
        click.echo(f"Ended what an earlier `flask dev` left running: {', '.join(left)}.")


def say_what_is_left_aside(app: Flask) -> None:
    """The prototype's database may have rows that people look for here."""
    url = make_url(app.config["SETTINGS"].database_url)
    file = Path(app.instance_path) / (url.database or "")
    if url.drivername == "sqlite" and file.is_file():
        click.echo(
            f"{file.name} of the prototype isn't used here: `flask promote` carries its rows over "
            "(docs/promote.md)."
        )


def welcome(plan: Plan, seconds: float) -> str:
    """What to open, and who may log in."""
    lines = {
        plan.app.config["PRODUCT"]["name"]: plan.address,
        "E-mail it sends": f"{plan.address}/dev/mail",
        "Redis": plan.redis,
        **{f"Database of {name}": base.shown for name, base in plan.databases.items()},
        **{f"Metrics of {name}": address for name, address in plan.metrics.items()},
    }
    width = max(map(len, lines))
    shown = "\n".join(
        f"  {click.style(name.ljust(width), bold=True)}  {value}" for name, value in lines.items()
    )
    return (
        f"\n{shown}\n\n{log_ins()}\n\n"
        f"  Everything answers after {seconds:.0f} seconds. Ctrl-C stops everything.\n"
    )
