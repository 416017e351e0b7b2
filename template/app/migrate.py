"""`flask db`: migrations by Alembic, one linear history and one version table per package.

The team's tables have a history of their own, so its migrations and the template's can never
make two heads, and each package can move to a database of its own with its history.
"""

import re
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import click
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from flask import Flask, current_app
from flask.cli import AppGroup
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from app import stage
from app.db import METADATA, PACKAGES, TEAMS, engine_at_work, owns

HERE = Path(__file__).parent
ROLLED_BACK = "A migration failed and was rolled back; the tables are as before it."
LOCK = 0x57A6EC0AC4
ANSWERS = HERE.parent / ".copier-answers.yml"  # A project has it, the template itself hasn't.
REVISION = re.compile(r"""^revision(?:: str)? = ["'](.+)["']""", re.MULTILINE)

cli = AppGroup("db", help="Migrate the databases, package by package.")
one_package = click.argument("package", required=False, type=click.Choice(list(PACKAGES)))


def versions_of(package: str) -> Path:
    """The folder of a package's history."""
    folder = HERE if package == "shared" else HERE / package
    return folder / "migrations" / "versions"


def folders_of(package: str) -> list[Path]:
    """Where a package's history lies: its own folder, and what each stage adds to its tables."""
    added = (HERE / "stages" / name / "migrations" / package for name in stage.names())
    return [versions_of(package), *filter(Path.is_dir, added)]


def config_of(package: str, connection: Connection | None = None) -> Config:
    attributes = {"package": package, "metadata": METADATA[package]}
    config = Config(attributes=attributes, cmd_opts=Namespace(quiet=True))
    config.attributes["connection"] = connection
    config.set_main_option("script_location", str(HERE / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    folders = "\n".join(map(str, folders_of(package)))
    config.set_main_option("version_locations", folders.replace("%", "%%"))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    format_new_revisions(config)
    return config


def format_new_revisions(config: Config) -> None:
    """Let ruff format what is written, where it's installed, as it is in development."""
    ruff = Path(sys.executable).with_name("ruff")
    if ruff.exists():
        for name, value in {
            "hooks": "check, format",
            "check.type": "exec",
            "check.executable": str(ruff),
            "check.options": "check --select F401,I --fix --quiet REVISION_SCRIPT_FILENAME",
            "format.type": "exec",
            "format.executable": str(ruff),
            "format.options": "format --quiet REVISION_SCRIPT_FILENAME",
        }.items():
            config.set_section_option("post_write_hooks", name, value)


@contextmanager
def connecting(app: Flask, package: str) -> Iterator[Connection]:
    """A connection as the owner of the tables; on PostgreSQL, one process at a time."""
    url = app.config["SETTINGS"].migrations_url_of(package)
    with opening(absolute(app, url)) as connection:
        yield connection


@contextmanager
def opening(url: str) -> Iterator[Connection]:
    """A connection to change tables with, at a URL."""
    engine = engine_at_work(url, poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        make_ddl_transactional(engine)
    try:
        with engine.connect() as connection, only_one(connection):
            yield connection
    finally:
        engine.dispose()


def absolute(app: Flask, url: str) -> str:
    parsed = make_url(url)
    if parsed.drivername == "sqlite" and parsed.database:
        file = Path(app.instance_path) / parsed.database
        file.parent.mkdir(parents=True, exist_ok=True)
        parsed = parsed.set(database=str(file))
    return parsed.render_as_string(hide_password=False)


def make_ddl_transactional(engine: Any) -> None:
    """Let SQLite roll back a migration that fails half-way, table changes included."""

    @event.listens_for(engine, "connect")
    def leave_transactions_to_us(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        # Rebuilding a table drops it for a moment; with this on, its children would go too.
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA busy_timeout=60000")

    @event.listens_for(engine, "begin")
    def begin_for_writing(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def only_one(connection: Connection) -> Iterator[None]:
    """Make replicas that start together wait for each other."""
    if connection.dialect.name != "postgresql":
        yield
        return
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK})
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK})
        connection.commit()


def packages_in(app: Flask, package: str | None) -> list[str]:
    """The one that was named, or all whose tables are in this process's databases."""
    return [package] if package else served(app)


def served(app: Flask) -> list[str]:
    return [package for package in PACKAGES if package in app.extensions["serves"]]


def upgrade(app: Flask, package: str | None = None, revision: str = "heads") -> None:
    """Bring the tables up to date: every package's, or one's."""
    for name in packages_in(app, package):
        refuse_twins(name)
        with connecting(app, name) as connection:
            ahead = revision == "heads" and is_ahead(app, name, connection)
            connection.rollback()  # Alembic commits only what it began itself.
            if ahead:
                click.echo(f"{name}: a newer release has migrated it; nothing is left to do here.")
                continue
            command.upgrade(config_of(name, connection), revision)
            after(app, name, connection)


def after(app: Flask, package: str, connection: Connection) -> None:
    """What tables need when they were made: grants, and what a later stage makes of them."""
    let_the_app_use_them(app, package, connection)
    for finish in app.extensions["after_migrating"]:
        finish(package, connection)


def refuse_twins(package: str) -> None:
    """Two branches may have made a migration of one number: Alembic would run one of the two."""
    by_id: dict[str, str] = {}
    for file in sorted(file for folder in folders_of(package) for file in folder.glob("*.py")):
        found = REVISION.search(file.read_text("utf-8"))
        if found and (twin := by_id.setdefault(found[1], file.name)) != file.name:
            raise CommandError(
                f"{twin} and {file.name} are both {found[1]}. Give the one that isn't merged yet "
                f"the next number, in its name and its `revision`, and {found[1]} as its "
                "`down_revision`."
            )


def let_the_app_use_them(app: Flask, package: str, connection: Connection) -> None:
    """Grant rows, not tables, to the application's role where the owner is another one."""
    settings = app.config["SETTINGS"]
    role = make_url(settings.database_url_of(package)).username
    owner = make_url(settings.migrations_url_of(package)).username
    if connection.dialect.name != "postgresql" or role in {None, owner}:
        return
    name = connection.dialect.identifier_preparer.quote(role)
    for grant in (
        f"GRANT USAGE ON SCHEMA public TO {name}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}",
        # Ours have none; a team's table with a key that counts up has.
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {name}",
    ):
        connection.execute(text(grant))
    connection.commit()


def current_of(package: str, connection: Connection) -> set[str]:
    options = {"version_table": f"alembic_version_{package}"}
    return set(MigrationContext.configure(connection, opts=options).get_current_heads())


def heads_of(package: str) -> set[str]:
    return set(ScriptDirectory.from_config(config_of(package)).get_heads())


def pending(app: Flask) -> list[str]:
    """The packages whose tables are older than their code."""
    from app.db import db

    late = []
    for package in known_heads(app):
        with db.reader(PACKAGES[package]).connect() as connection:
            behind = current_of(package, connection) != known_heads(app)[package]
            if behind and not is_ahead(app, package, connection):
                late.append(package)
    return late


def is_ahead(app: Flask, package: str, connection: Connection) -> bool:
    """Whether tables are at a migration that this code doesn't know: a newer release made it.

    Releases stand beside each other for a while, and migrations only add, so the older one goes on.
    """
    known: dict[str, set[str]] = app.extensions.setdefault("migrations_known", {})
    if package not in known:
        scripts = ScriptDirectory.from_config(config_of(package))
        known[package] = {script.revision for script in scripts.walk_revisions()}
    return not current_of(package, connection) <= known[package]


def known_heads(app: Flask) -> dict[str, set[str]]:
    """Every package's newest migration, read once: load balancers ask each few seconds."""
    if "migration_heads" not in app.extensions:
        app.extensions["migration_heads"] = {name: heads_of(name) for name in served(app)}
    heads: dict[str, set[str]] = app.extensions["migration_heads"]
    return heads


def differences(package: str, connection: Connection) -> list[Any]:
    """What autogenerate would still add to a package's history."""
    options = {
        "version_table": f"alembic_version_{package}",
        "include_name": lambda name, kind, _parents: kind != "table" or owns(package, name or ""),
        "compare_type": True,
    }
    migration_context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(migration_context, METADATA[package]))


@contextmanager
def plain_errors() -> Iterator[None]:
    """Say in one line what went wrong, and that nothing was lost."""
    try:
        yield
    except CommandError as error:
        raise click.ClickException(str(error)) from None
    except DBAPIError as error:
        raise click.ClickException(explain(error)) from None
    except click.exceptions.ClickException:
        raise
    except Exception:
        click.echo(ROLLED_BACK, err=True)
        raise


def explain(error: DBAPIError) -> str:
    if error.statement is not None:
        return f"{ROLLED_BACK}\n{error.orig}"
    settings = current_app.config["SETTINGS"]
    urls = {settings.migrations_database_url, *map(settings.database_url_of, PACKAGES)} - {""}
    shown = sorted(make_url(url).render_as_string(hide_password=True) for url in urls)
    return f"The database doesn't answer or refused: {error.orig}\nIt is {' or '.join(shown)}"


@cli.command("upgrade")
@one_package
@click.option("--revision", default="heads", show_default=True, help="How far to go.")
def upgrade_command(package: str | None, revision: str) -> None:
    """Bring the tables up to date."""
    with plain_errors():
        upgrade(current_app, package, revision)
    click.echo(f"Up to date: {', '.join(packages_in(current_app, package))}.")


@cli.command("downgrade")
@click.argument("package", type=click.Choice(list(PACKAGES)))
@click.argument("revision", default="-1")
def downgrade_command(package: str, revision: str) -> None:
    """Take one package back by a migration, or to REVISION."""
    with plain_errors(), connecting(current_app, package) as connection:
        command.downgrade(config_of(package, connection), revision)
    click.echo(f"{package} is back at {revision}.")


@cli.command("revision")
@click.option("-m", "--message", required=True, help="What changes, in a few words.")
@click.option("--empty", is_flag=True, help="Don't look at the models; for a data migration.")
@click.option(
    "--package",
    default=TEAMS,
    type=click.Choice(list(PACKAGES)),
    help="The template's package whose tables you changed.",
)
@click.option(
    "--stage",
    "added_by",
    type=click.Choice(stage.names()),
    help="For the template itself: the stage that adds this to the package's tables.",
)
def revision_command(message: str, empty: bool, package: str, added_by: str | None) -> None:
    """Write a migration from what changed in the models of your features."""
    with plain_errors():
        file = write_revision(current_app, package, message, empty=empty, added_by=added_by)
    click.echo(f"Wrote {file}. Read it, then run: uv run flask db upgrade")


def write_revision(
    app: Flask, package: str, message: str, *, empty: bool = False, added_by: str | None = None
) -> Path:
    """Write a migration from what the models have and the tables don't."""
    branch, after = place_of_next(package, added_by)
    folder = HERE / "stages" / added_by / "migrations" / package if added_by else None
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    count = len(list((folder or versions_of(package)).glob(f"{branch}_[0-9]*.py")))
    with connecting(app, package) as connection:
        script = command.revision(
            config_of(package, connection),
            message,
            autogenerate=not empty,
            head=after,
            splice=True,
            version_path=str(folder or versions_of(package)),
            rev_id=f"{branch}_{count + 1:04}",
        )
    return Path(cast(Any, script).path)


def place_of_next(package: str, added_by: str | None = None) -> tuple[str, str]:
    """How the next migration's number begins, and which one it follows.

    A team's change of the template's tables is a branch of its own (`auth_yours_0001`), and so is
    what a stage adds to them (`auth_hardened_0001`): what the template adds later never meets
    them, and all are applied.
    """
    if package == TEAMS:
        return package, "head"
    branch = f"{package}_{added_by}" if added_by else package
    if not added_by and ANSWERS.exists():
        branch = f"{package}_yours"
    own = re.compile(rf"{branch}_\d+")
    heads = sorted(heads_of(package), key=lambda head: (bool(own.fullmatch(head)), head))
    return branch, heads[-1]


@cli.command("merge")
@click.option("-m", "--message", default="merge", show_default=True, help="In a few words.")
def merge_command(message: str) -> None:
    """Join two branches of your features' history that grew side by side."""
    with plain_errors():
        script = command.merge(config_of(TEAMS), "heads", message)
    click.echo(f"Wrote {cast(Any, script).path}.")


@cli.command("check")
@one_package
def check_command(package: str | None) -> None:
    """Fail if the models have something that no migration adds."""
    late = False
    with plain_errors():
        for name in packages_in(current_app, package):
            with connecting(current_app, name) as connection:
                for difference in differences(name, connection):
                    late = True
                    click.echo(f"{name}: {difference}")
    if late:
        raise click.ClickException('The models are ahead. Write: uv run flask db revision -m "..."')
    click.echo("Models and tables agree.")


@cli.command("current")
@one_package
def current_command(package: str | None) -> None:
    """Show which migration each package is at."""
    with plain_errors():
        for name in packages_in(current_app, package):
            with connecting(current_app, name) as connection:
                here, head = current_of(name, connection), heads_of(name)
            note = "" if here == head else f"  (behind {', '.join(sorted(head))})"
            click.echo(f"{name:10} {', '.join(sorted(here)) or '(nothing)'}{note}")


@cli.command("history")
@one_package
def history_command(package: str | None) -> None:
    """List the migrations, newest first."""
    for name in packages_in(current_app, package):
        for script in ScriptDirectory.from_config(config_of(name)).walk_revisions():
            click.echo(f"{name:10} {script.revision:16} {script.doc}")
