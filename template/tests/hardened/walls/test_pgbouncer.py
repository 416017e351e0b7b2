"""Behind a PgBouncer in transaction mode: who shares a connection shares no tenant."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import event, make_url, text

from app.db import close_connections, db
from app.features.projects.models import Project
from tests.conftest import build
from tests.hardened.bouncer import pgbouncer

ACROSS = {"across_tenants": "a test of what holds without the ORM"}


@pytest.fixture
def bouncer(app: Flask, database_url: str) -> Iterator[str]:
    """The database through a PgBouncer that has one connection to it, for all clients."""
    url = make_url(database_url)
    options = {"auth_type": "trust", "pool_mode": "transaction", "default_pool_size": 1}
    users = {str(url.username): str(url.password)}
    with pgbouncer(int(url.port or 5432), users, **options) as port:
        yield url.set(port=port).render_as_string(hide_password=False)


@pytest.fixture
def clients(bouncer: str, tmp_path: Path) -> Iterator[list[Flask]]:
    """Two processes' worth of the application, through it."""
    apps = [build(bouncer, tmp_path / name) for name in ("one", "two")]
    for app in apps:
        for pair in app.extensions["engines_by_url"].values():
            for engine in pair:
                # Before 1.21 it doesn't know named prepared statements.
                event.listen(engine, "connect", prepare_nothing)
    yield apps
    for app in apps:
        close_connections(app)


def prepare_nothing(connection, _record):
    connection.prepare_threshold = None


def seen() -> list[str]:
    raw = text("SELECT name FROM projects").execution_options(**ACROSS)
    return list(db.session.scalars(raw))


def serving(app, company):
    company.app = app
    return company.serving()


def test_the_next_client_finds_nothing_of_the_tenant(clients, acme, initech):
    one, two = clients
    with serving(one, acme):
        db.session.add(Project(name="of acme", created_by=acme.user_id))
        db.session.commit()
        assert seen() == ["of acme"]
        db.session.rollback()

    with two.app_context():
        assert seen() == []
    with serving(two, initech):
        assert seen() == []
    with serving(one, acme):
        assert seen() == ["of acme"]


def test_what_is_set_for_the_session_reaches_the_next_client(clients, acme):
    """The mutant: so the test above can fail, and `set_config(..., false)` is no way to do it."""
    one, two = clients
    with serving(one, acme):
        db.session.add(Project(name="of acme", created_by=acme.user_id))
        leak = text("SELECT set_config('app.tenant_id', :id, false)").execution_options(**ACROSS)
        db.session.execute(leak, {"id": str(acme.tenant.id)})
        db.session.commit()

    with two.app_context():
        assert seen() == ["of acme"]
