"""Tools where walls stand: as the application's role and as the owner, neither a superuser."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from sqlalchemy import create_engine, func, select
from sqlalchemy.pool import NullPool
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from app import auth, migrate
from app.db import close_connections, db
from app.features.projects.models import Project
from app.stages.hardened.walls import start
from app.stages.services.settings import SERVICES
from app.tenancy import Tenant, serving
from tests.conftest import build
from tests.databases import make_database, owner_of
from tests.world import as_owner

pytestmark = pytest.mark.postgres


@pytest.fixture
def empty(postgres_server, tmp_path, worker_id) -> Iterator[Flask]:
    """A database with its tables and walls, and nobody in it."""
    app = build(make_database(postgres_server, f"tools_{worker_id}"), tmp_path)
    migrate.upgrade(app)
    yield app
    close_connections(app)


def run(app, *words):
    result = app.test_cli_runner().invoke(args=words)
    assert result.exit_code == 0, result.output
    return result.output


def projects_of(app, slug=None):
    """How many projects a tenant sees."""
    with app.app_context():
        with serving(None):
            tenant = auth.find_tenant(slug)
        with serving(tenant):
            return db.session.scalar(select(func.count()).select_from(Project))


def all_projects(app):
    with as_owner(app) as connection:
        return connection.scalar(select(func.count()).select_from(Project.__table__))


def open_walls(app):
    with app.app_context():
        return start.findings()


def test_the_demo_tenants_are_made_and_keep_to_themselves(empty):
    assert "Made Acme and Initech" in run(empty, "seed")

    acmes, initechs = projects_of(empty, "acme"), projects_of(empty, "initech")
    assert acmes > 0
    assert initechs > 0
    assert acmes + initechs == all_projects(empty)
    assert "there already" in run(empty, "seed")
    assert all_projects(empty) == acmes + initechs


def test_each_package_goes_a_migration_back_and_forth_and_its_walls_stand(empty):
    run(empty, "seed")
    before = all_projects(empty)

    for package in ("analytics", "billing", "auth", "shared"):
        assert f"{package} is back at -1" in run(empty, "db", "downgrade", package)
        assert "Up to date" in run(empty, "db", "upgrade")
        assert open_walls(empty) == [], package

    assert all_projects(empty) == before
    assert projects_of(empty, "acme") > 0


# --- Between databases ----------------------------------------------------------------------------


@pytest.fixture
def prototype(tmp_path) -> str:
    """A seeded prototype in a file."""
    url = f"sqlite:///{tmp_path / 'prototype.db'}"
    app = build(url, tmp_path)
    migrate.upgrade(app)
    run(app, "seed")
    close_connections(app)
    return url


@pytest.fixture
def pools(postgres_server, worker_id) -> dict[str, str]:
    """Four empty databases, each with an owner who isn't a superuser."""
    return {name: make_database(postgres_server, f"to_{name}_{worker_id}") for name in SERVICES}


def test_a_prototype_is_promoted_by_owners_into_databases_with_walls(
    prototype, pools, make_app, tmp_path
):
    options = [word for name, url in pools.items() for word in (f"--{name}", owner_of(url))]
    tool = make_app()

    run(tool, "promote", "copy", "--from", prototype, *options)
    run(tool, "promote", "finish", "--from", prototype, *options)

    features = a_service("features", pools, tmp_path)
    assert all_projects(features) == sum(projects_in(prototype).values()) > 0
    assert open_walls(features) == []
    for tenant_id, count in projects_in(prototype).items():
        with features.app_context(), serving(Tenant(tenant_id, "any", "Any")):
            assert db.session.scalar(select(func.count()).select_from(Project)) == count
    close_connections(features)


def a_service(name, pools, folder):
    """A service on its database, which its owner has migrated."""
    neighbours = {f"{one}_url": "http://127.0.0.1:9" for one in SERVICES}
    app = build(pools[name], folder, serves=name, redis_url="redis://127.0.0.1:9/0", **neighbours)
    migrate.upgrade(app)
    return app


def projects_in(url):
    """How many projects each tenant has in a file."""
    table = Project.__table__
    asked = select(table.c.tenant_id, func.count()).group_by(table.c.tenant_id)
    with create_engine(url, poolclass=NullPool).connect() as connection:
        return dict(map(tuple, connection.execute(asked)))


def test_rollouts_are_remembered_beside_auths_walled_tables(pools, tmp_path):
    app = a_service("auth", pools, tmp_path)

    with answering() as place:
        at = [word for one in SERVICES for word in ("--at", f"{one}={place}")]
        run(app, "rollout", "release", "r1", *at)
        assert "Everybody has r1" in run(app, "rollout", "adopt", "r1", "--why", "the first")
    assert "r1" in run(app, "rollout", "status")

    assert open_walls(app) == []
    close_connections(app)


@contextmanager
def answering() -> Iterator[str]:
    """Something that answers as a release does which is there."""
    server = make_server("127.0.0.1", 0, Response("{}"), threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    yield f"127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()
