"""The services' databases on a managed server: `python -m app.stages.services.databases`.

A managed PostgreSQL (RDS, Cloud SQL, ...) comes empty and gives nobody a superuser. This makes
what `deploy/services-databases.sh` makes in a container, as an administrator that may only create
roles and databases, and as often as you like: what is there stays, and passwords become those of
the URLs. So a new password in a URL is a password that was changed.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import click
import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

from app.stages.services.settings import SERVICES

HARMLESS = sql.SQL("NOSUPERUSER NOCREATEDB NOCREATEROLE")


class Refused(click.ClickException):
    """What is wanted isn't right; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A database, the role that owns it, and the one that its service works as."""

    service: str
    app: URL
    owner: URL

    @property
    def name(self) -> str:
        return self.app.database or ""


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; say whether the walls stand.")
def command(check: bool) -> None:
    """Make each service's database, its owner and the role that the service works as.

    The environment says which: ADMIN_DATABASE_URL, and for each service <SERVICE>_DATABASE_URL
    and <SERVICE>_MIGRATIONS_DATABASE_URL. It may be run again at any time.
    """
    admin, wanted = read(os.environ)
    if not check:
        for one in wanted:
            make(admin, one)
            click.echo(f"{one.service}: database {one.name}, owner {one.owner.username}")
    holes = open_doors(admin, wanted)
    if holes:
        raise Refused("these roles reach a neighbour's database:\n  " + "\n  ".join(holes))
    click.echo("No service can connect to a neighbour's database.")


def read(environment: Mapping[str, str]) -> tuple[URL, list[Wanted]]:
    """The administrator's URL and what is wanted, or all that is missing at once."""
    names = ["ADMIN_DATABASE_URL"]
    for service in SERVICES:
        names += [f"{service.upper()}{kind}_DATABASE_URL" for kind in ("", "_MIGRATIONS")]
    missing = [name for name in names if not environment.get(name)]
    if missing:
        raise Refused(f"set {', '.join(missing)}: see docs/terraform.md.")
    urls = {name: make_url(environment[name]) for name in names}
    wanted = [
        Wanted(
            service,
            urls[f"{service.upper()}_DATABASE_URL"],
            urls[f"{service.upper()}_MIGRATIONS_DATABASE_URL"],
        )
        for service in SERVICES
    ]
    for one in wanted:
        refuse_mistakes(one)
    return urls["ADMIN_DATABASE_URL"], wanted


def refuse_mistakes(one: Wanted) -> None:
    if one.app.database != one.owner.database:
        raise Refused(f"{one.service}: its two URLs name two databases.")
    if one.app.username == one.owner.username:
        raise Refused(f"{one.service}: it would own its tables; its owner is another role.")
    if not (one.app.password and one.owner.password):
        raise Refused(f"{one.service}: a URL has no password.")


def connect(url: URL, database: str = "") -> psycopg.Connection:
    found = url.set(drivername="postgresql", database=database or url.database)
    return psycopg.connect(found.render_as_string(hide_password=False), autocommit=True)


def make(admin: URL, one: Wanted) -> None:
    """Make what is missing of it, and close it to everybody else."""
    app, owner, name = (
        sql.Identifier(str(word)) for word in (one.app.username, one.owner.username, one.name)
    )
    with connect(admin) as connection:
        for url in (one.app, one.owner):
            make_role(connection, url)
        # Who isn't a superuser may give a database only to a role that they are a member of.
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(owner))
        if not known(connection, "SELECT 1 FROM pg_database WHERE datname = %s", one.name):
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, owner))
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
        connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, app))
    with connect(admin, one.name) as connection:
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")


def make_role(connection: psycopg.Connection, url: URL) -> None:
    there = known(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", str(url.username))
    statement = sql.SQL("{} ROLE {} LOGIN PASSWORD {} {}").format(
        sql.SQL("ALTER" if there else "CREATE"),
        sql.Identifier(str(url.username)),
        sql.Literal(url.password),
        # To take away what it never had is a superuser's business.
        sql.SQL("") if there else HARMLESS,
    )
    connection.execute(statement)


def known(connection: psycopg.Connection, question: str, name: str) -> bool:
    return connection.execute(question, (name,)).fetchone() is not None


def open_doors(admin: URL, wanted: list[Wanted]) -> list[str]:
    """Which role may connect to which database of a neighbour."""
    with connect(admin) as connection:
        return [
            f"{url.username} -> {other.name}"
            for one in wanted
            for url in (one.app, one.owner)
            for other in wanted
            if other is not one and may_connect(connection, str(url.username), other.name)
        ]


def may_connect(connection: psycopg.Connection, role: str, database: str) -> bool:
    question = "SELECT has_database_privilege(%s, %s, 'CONNECT')"
    answer = connection.execute(question, (role, database)).fetchone()
    return bool(answer and answer[0])


if __name__ == "__main__":
    command()
