"""`flask dev`: everything that the product needs, started with one command and stopped with it."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Literal

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from sqlalchemy import make_url

from app import create_app, health, stage
from app.db import close_connections, db
from app.dev.postgres import Postgres
from app.dev.processes import Processes
from app.dev.seed import log_ins, seed

USUAL_PORT = 5000
TRIES = 100
DATABASE = "app"


def init_app(app: Flask) -> None:
    """A stage that runs more than this brings a `flask dev` of its own."""
    module = stage.module_of("dev")
    if module:
        import_module(module).init_app(app)
    else:
        app.cli.add_command(dev)


@click.command("dev")
@click.option("--host", default="127.0.0.1", show_default=True, help="Who may connect.")
@click.option("--port", type=click.IntRange(1, 65535), help="Default: 5000, or the next free one.")
@click.option("--postgres", is_flag=True, help="Use a PostgreSQL that comes along, not SQLite.")
@with_appcontext
def dev(host: str, port: int | None, postgres: bool) -> None:
    """Start everything, with demo data in it; Ctrl-C stops it all.

    Brings the tables up to date, makes the demo tenants, then runs the server and the job worker,
    and starts them again when a file changes.
    """
    with listening(host, port) as listener, database(postgres) as given:
        app = create_app(given) if given else this_app()
        prepare(app)
        address = address_of(app, listener)
        click.echo(welcome(app, address))
        processes = Processes(Path(app.root_path), environment(app, address))
        processes.add("worker", "worker")
        processes.add_server(listener)
        processes.run()
    click.echo("Everything has stopped.")


def this_app() -> Flask:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return app


# --- The port ------------------------------------------------------------------------------------


@contextmanager
def listening(host: str, port: int | None) -> Iterator[socket.socket]:
    """Listen before anything else starts: a port in use is said at once, and none is lost later."""
    listener = open_port(host, port) if port else open_some_port(host)
    with listener:
        yield listener


def open_port(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise click.ClickException(
            f"Can't listen at {host}:{port}: {error.strerror}. Stop what uses that port, give "
            "another one, or leave out --port to have a free one picked."
        ) from None


def open_some_port(host: str) -> socket.socket:
    for port in range(USUAL_PORT, USUAL_PORT + TRIES):
        try:
            return open_port(host, port)
        except click.ClickException as error:
            refusal = error
    raise refusal


def address_of(app: Flask, listener: socket.socket) -> str:
    """Where the browser on this machine finds the product."""
    host, port = listener.getsockname()[:2]
    given = app.config["SETTINGS"].tenant_domain
    if host in {"0.0.0.0", "::"}:  # noqa: S104  # Compared, not listened on.
        host = "127.0.0.1"
    return f"http://{given or (f'[{host}]' if ':' in host else host)}:{port}"


# --- The database --------------------------------------------------------------------------------


@contextmanager
def database(postgres: bool) -> Iterator[dict[str, str]]:
    """The PostgreSQL that comes along, while it runs; empty where the settings say which it is."""
    if not postgres:
        yield {}
    elif "database_url" in current_app.config["SETTINGS"].model_fields_set:
        click.echo("DATABASE_URL is set, so --postgres has nothing to do.")
        yield {}
    else:
        with embedded() as server:
            server.make_database(DATABASE)
            url, owner_url = server.make_roles(DATABASE)
            yield {"database_url": url, "migrations_database_url": owner_url}


@contextmanager
def embedded(*, left_behind: Literal["refuse", "stop"] = "refuse") -> Iterator[Postgres]:
    """A PostgreSQL while it's needed; one that was left behind is for whoever knows it's nobody's
    to stop."""
    server = Postgres(Path(current_app.instance_path) / "postgres")
    try:
        if left_behind == "stop":
            server.stop_what_was_left_behind()
        server.start()
    except (OSError, RuntimeError) as error:
        raise click.ClickException(f"PostgreSQL doesn't start: {error}") from None
    try:
        yield server
    finally:
        server.stop()


def prepare(app: Flask) -> None:
    """Bring the tables up to date and make the demo tenants, where they are not there yet."""
    from app import migrate  # Alembic is slow to import.

    with app.app_context(), migrate.plain_errors():
        late = migrate.pending(app)
        if late:
            click.echo(f"Bringing the tables up to date: {', '.join(late)}.")
            migrate.upgrade(app)
        made = seed(app)
        if made:
            click.echo(f"Made the demo workspaces {' and '.join(made)}.")
        db.session.remove()
    health.refuse_to_start(app)
    close_connections(app)


# --- The processes -------------------------------------------------------------------------------


def environment(app: Flask, address: str) -> dict[str, str]:
    """What the processes find in their environment, beside what is there already."""
    settings = app.config["SETTINGS"]
    found = dict(os.environ)
    found["WORKER"] = "separate"  # It's a process of its own here.
    found["DATABASE_URL"] = settings.database_url
    if "public_url" not in settings.model_fields_set:
        found["PUBLIC_URL"] = address
    return found


def welcome(app: Flask, address: str) -> str:
    """What to open, and who may log in."""
    lines = {
        app.config["PRODUCT"]["name"]: address,
        "E-mail it sends": f"{address}/dev/mail",
        "Its database": make_url(app.config["SETTINGS"].database_url).render_as_string(),
    }
    width = max(map(len, lines))
    shown = "\n".join(
        f"  {click.style(name.ljust(width), bold=True)}  {value}" for name, value in lines.items()
    )
    return f"\n{shown}\n\n{log_ins()}\n\n  Ctrl-C stops everything.\n"
