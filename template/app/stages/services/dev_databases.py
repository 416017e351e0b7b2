"""The services' databases in development: one server, one database and two roles for each service.

The owner of a database migrates it; the service works as a role that owns nothing. Neither may
connect to a neighbour's, as in `deploy/services-databases.sh`, which does the same for compose.
"""

from contextlib import ExitStack
from dataclasses import dataclass

import click
from flask import Flask
from sqlalchemy import create_engine, make_url, text

from app import create_app, health
from app.db import close_connections, db
from app.dev.command import embedded
from app.dev.postgres import Postgres
from app.dev.seed import seed
from app.stages.services.settings import SERVICES


@dataclass(frozen=True, slots=True)
class Database:
    """Where a service's tables are: as it works with them, and as their owner migrates them."""

    url: str
    owner_url: str

    @property
    def shown(self) -> str:
        return make_url(self.url).render_as_string()


def make(server: Postgres) -> dict[str, Database]:
    """Make what is missing of the four; each is empty until it's migrated."""
    engine = create_engine(server.url("postgres"), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            for common in ("postgres", "template1"):
                connection.execute(text(f"REVOKE CONNECT ON DATABASE {common} FROM PUBLIC"))
        for service in SERVICES:
            make_one(server, service)
    finally:
        engine.dispose()
    return {service: database_of(server, service) for service in SERVICES}


def make_one(server: Postgres, service: str) -> None:
    server.make_database(service)
    engine = create_engine(server.url(service), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        known = set(connection.scalars(text("SELECT rolname FROM pg_roles")))
        for role in {service, f"{service}_owner"} - known:
            harmless = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE"
            connection.execute(text(f"CREATE ROLE {role} {harmless}"))
        for statement in (
            f"ALTER DATABASE {service} OWNER TO {service}_owner",
            f"REVOKE CONNECT, TEMPORARY ON DATABASE {service} FROM PUBLIC",
            f"GRANT CONNECT ON DATABASE {service} TO {service}",
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        ):
            connection.execute(text(statement))
    engine.dispose()


def database_of(server: Postgres, service: str) -> Database:
    url = make_url(server.url(service))
    return Database(
        url.set(username=service).render_as_string(hide_password=False),
        url.set(username=f"{service}_owner").render_as_string(hide_password=False),
    )


def found(app: Flask, stack: ExitStack) -> dict[str, Database]:
    """The four databases that the settings name, or those of a PostgreSQL that comes along."""
    settings = app.config["SETTINGS"]
    given = {name: getattr(settings, f"{name}_database_url") for name in SERVICES}
    if all(given.values()):
        return {name: Database(url, owners_of(app, name) or url) for name, url in given.items()}
    return make(stack.enter_context(embedded(left_behind="stop")))


def owners_of(app: Flask, service: str) -> str:
    """The URL of a service's database as its owner, where a later stage has a setting for it."""
    url: str = getattr(app.config["SETTINGS"], f"{service}_migrations_database_url", "")
    return url


def prepare(databases: dict[str, Database], redis: str) -> None:
    """Bring each service's tables up to date, and make the demo tenants if they aren't there."""
    for service, database in databases.items():
        bring_up_to_date(service, database, redis)
    made = fill(databases, redis)
    if made:
        click.echo(f"Made the demo workspaces {' and '.join(made)}.")


def bring_up_to_date(service: str, database: Database, redis: str) -> None:
    """What `flask db upgrade` does for one service, as the owner of its tables."""
    from app import migrate  # Alembic is slow to import.

    neighbours = {f"{name}_url": "http://127.0.0.1" for name in SERVICES}
    app = create_app(
        {
            "serves": service,
            "database_url": database.url,
            "migrations_database_url": database.owner_url,
            "redis_url": redis,
            **neighbours,
        }
    )
    with app.app_context(), migrate.plain_errors():
        migrate.upgrade(app)
    health.refuse_to_start(app)
    close_connections(app)


def fill(databases: dict[str, Database], redis: str) -> list[str]:
    """Make the demo tenants, each package's rows in the database of its service."""
    from app import migrate  # Alembic is slow to import.

    urls = {f"{name}_database_url": database.url for name, database in databases.items()}
    app = create_app({**urls, "database_url": databases["features"].url, "redis_url": redis})
    with app.app_context(), migrate.plain_errors():
        made = seed(app)
        db.session.remove()
    close_connections(app)
    return made
