"""A prototype in which a pretend team has lived, and four empty databases."""

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy import create_engine, make_url, text

from app import migrate
from app.db import METADATA, close_connections, now
from app.stages.services.settings import SERVICES
from tests.conftest import build
from tests.services.promote import team

NUMBERS = itertools.count()


@dataclass
class World:
    """A pooled database with rows of two tenants, and where they are to go."""

    source: str
    targets: dict[str, str]
    tenants: list[UUID]

    def engine(self) -> sa.Engine:
        return create_engine(self.source, poolclass=sa.NullPool)

    def rows(self, service: str | None, table: sa.Table) -> list[tuple[Any, ...]]:
        """A table's rows as the application reads them, of the source or of a service."""
        url = self.targets[service] if service else self.source
        engine = create_engine(url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            found = [tuple(map(plain, row)) for row in connection.execute(sa.select(table))]
        return sorted(found, key=repr)


def plain(value: Any) -> Any:
    """A value as it's read from either database; SQLite knows no time zones."""
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value.normalize() if isinstance(value, Decimal) else value


@pytest.fixture
def team_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The histories of a project whose team has added to auth's and to its own."""
    real = migrate.versions_of
    for package, text_ in (("auth", team.AUTH), ("features", team.FEATURES)):
        (before,) = migrate.heads_of(package)
        shutil.copytree(real(package), tmp_path / package)
        (tmp_path / package / f"{package}_9001_team.py").write_text(text_.format(before=before))
    monkeypatch.setattr(
        migrate,
        "versions_of",
        lambda package: tmp_path / package if (tmp_path / package).exists() else real(package),
    )


@pytest.fixture
def databases(postgres_server: str) -> Iterator[Any]:
    """Makes PostgreSQL databases that are gone after the test."""
    engine = create_engine(postgres_server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    made = []

    def make(name: str) -> str:
        name = f"promote_{name}_{next(NUMBERS)}_{uuid4().hex[:8]}"
        with engine.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}"'))
        made.append(name)
        return make_url(postgres_server).set(database=name).render_as_string(hide_password=False)

    yield make
    with engine.connect() as connection:
        for name in made:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture(params=["sqlite", "postgresql"])
def source_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["postgresql"])
def target_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(source_kind: str, target_kind: str, tmp_path: Path, team_history: None, databases: Any):
    """The prototype's database, filled, and four empty ones."""

    def make(kind: str, name: str) -> str:
        return databases(name) if kind == "postgresql" else f"sqlite:///{tmp_path}/{name}.db"

    source = make(source_kind, "pooled")
    app = build(source, tmp_path)
    migrate.upgrade(app)
    close_connections(app)
    targets = {service: make(target_kind, service) for service in SERVICES}
    world = World(source, targets, sorted(uuid4() for _ in range(2)))
    team.fill(world.engine(), world.tenants)
    fill_template_tables(world)
    return world


def fill_template_tables(world: World) -> None:
    """People with the team's column, and shared rows of different services."""
    users = METADATA["auth"].tables["auth_users"]
    tenants = METADATA["auth"].tables["auth_tenants"]
    with world.engine().begin() as connection:
        for number, tenant in enumerate(world.tenants):
            connection.execute(
                tenants.insert(),
                {"id": tenant, "slug": f"s{number}", "name": "A", "created_at": now()},
            )
            user = uuid4()
            connection.execute(
                users.insert(),
                {
                    "id": user,
                    "email": f"u{number}@x.test",
                    "email_norm": f"u{number}@x.test",
                    "name": "U",
                    "password_hash": "x",
                    "created_at": now(),
                },
            )
            phone = text("UPDATE auth_users SET phone = :phone WHERE email_norm = :email")
            connection.execute(phone, {"phone": f"+{number}", "email": f"u{number}@x.test"})
            fill_shared_tables(connection, tenant)


def fill_shared_tables(connection: sa.Connection, tenant: UUID) -> None:
    shared = METADATA["shared"].tables
    for name in (
        "app.auth.mails.send",
        "app.billing.jobs.bill",
        "app.features.x.do",
        "app.mail.go",
    ):
        connection.execute(
            shared["shared_jobs"].insert(),
            {"id": uuid4(), "tenant_id": tenant, "name": name, "args": "[]"},
        )
    for listener in ("app.analytics.listeners.hear", "app.features.x.hear"):
        connection.execute(
            shared["shared_inbox"].insert(),
            {"event_id": uuid4(), "listener": listener, "heard_at": now()},
        )
    connection.execute(
        shared["shared_outbox"].insert(),
        {"id": uuid4(), "tenant_id": tenant, "name": "project created", "facts": "{}"},
    )
    connection.execute(
        shared["shared_audit"].insert(),
        {
            "id": uuid4(),
            "tenant_id": tenant,
            "actor_id": None,
            "request_id": "",
            "action": "a",
            "target": "t",
            "details": "{}",
        },
    )
