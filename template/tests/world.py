"""Companies and people for tests, and browsers that are signed in as them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine, event
from sqlalchemy.pool import NullPool
from werkzeug.test import TestResponse

from app import migrate, queue
from app.auth.models import Membership, Organisation, User
from app.auth.passwords import hash_password
from app.db import db, engine_at_work, now
from app.tenancy import Tenant, serving
from tests.databases import owner_of

PASSWORD = "correct horse battery"


@contextmanager
def as_owner(app: Flask) -> Iterator[Connection]:
    """A transaction of the tables' owner at work: it sees and changes the rows of all tenants."""
    with app.app_context():
        engine = db.engine
    if engine.dialect.name == "postgresql":
        engine = engine_of_owner(engine.url.render_as_string(hide_password=False))
    with engine.connect() as connection:
        yield connection
        connection.commit()


@cache
def engine_of_owner(url: str) -> Engine:
    """The owner's engine for a database; it's kept, as it asks the server much at first."""
    return engine_at_work(owner_of(url), poolclass=NullPool)


def make_table(app: Flask, table: Any) -> None:
    """Make a table that no migration knows, as a migration would."""
    with as_owner(app) as connection:
        table.create(connection)
        connection.commit()
        migrate.after(app, "features", connection)


def drop_table(app: Flask, table: Any) -> None:
    with as_owner(app) as connection:
        table.drop(connection)


@dataclass
class Seat:
    """A person's place in a tenant."""

    app: Flask
    tenant: Tenant
    user_id: UUID
    session_id: str

    def join(self, email: str, name: str, role: str = "member") -> "Seat":
        """Let another person join the same tenant."""
        return take_seat(self.app, self.tenant, email, name, role)


class Company(Seat):
    """A tenant as one person's browser sees it: paths are inside the tenant."""

    client: FlaskClient

    def open(self, path: str, **kwargs: Any) -> TestResponse:
        return self.client.open(f"/t/{self.tenant.slug}{path}", **kwargs)

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        return self.open(path, method="GET", **kwargs)

    def post(self, path: str, **kwargs: Any) -> TestResponse:
        return self.open(path, method="POST", **kwargs)

    def put(self, path: str, **kwargs: Any) -> TestResponse:
        return self.open(path, method="PUT", **kwargs)

    def patch(self, path: str, **kwargs: Any) -> TestResponse:
        return self.open(path, method="PATCH", **kwargs)

    def delete(self, path: str, **kwargs: Any) -> TestResponse:
        return self.open(path, method="DELETE", **kwargs)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Work in the tenant's context, to look at what the database holds."""
        with self.app.app_context(), serving(self.tenant):
            yield

    def work(self) -> int:
        """Let the worker do all that is queued."""
        return queue.run_pending(self.app)


def found(app: Flask, slug: str, name: str, email: str, owner: str) -> Seat:
    """A new tenant with its owner."""
    with app.app_context():
        organisation = Organisation(slug=slug, name=name)
        db.session.add(organisation)
        db.session.commit()
        tenant = organisation.as_tenant()
    return take_seat(app, tenant, email, owner, "owner")


def take_seat(app: Flask, tenant: Tenant, email: str, name: str, role: str) -> Seat:
    with app.app_context():
        user = User(
            email=email,
            email_norm=email,
            name=name,
            password_hash=hash_password(PASSWORD),
            email_confirmed_at=now(),
        )
        db.session.add(user)
        db.session.flush()
        db.session.add(Membership(tenant_id=tenant.id, user_id=user.id, role=role))
        db.session.commit()
        return Seat(app, tenant, user.id, f"{user.id.hex}:{user.session_stamp}")


def sign_in(app: Flask, seat: Seat) -> Company:
    """A browser with that person's session."""
    company = Company(app, seat.tenant, seat.user_id, seat.session_id)
    company.client = app.test_client()
    with company.client.session_transaction() as session:
        session["_user_id"] = seat.session_id
    return company


# The settings that production can't do without, for `make_app(**PRODUCTION)`.
PRODUCTION: dict[str, Any] = {
    "app_env": "production",
    "secret_key": "k" * 32,
    "encryption_keys": ["A" * 43 + "="],
    "public_url": "https://app.example",
    "smtp_url": "smtp://127.0.0.1:1",
    "mail_from": "hello@app.example",
}


@contextmanager
def reads_of(engine: Engine) -> Iterator[list[str]]:
    """The statements that a database is asked by way of an engine meanwhile."""
    reads: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        reads.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield reads
    finally:
        event.remove(engine, "before_cursor_execute", note)
