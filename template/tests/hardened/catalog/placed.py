"""Services with databases of their own on one server, and silos on another that may be killed."""

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from flask import Flask
from sqlalchemy import make_url

from app import queue
from app.db import db
from app.dev.postgres import Postgres
from app.stages.hardened.catalog import api, drivers
from app.stages.hardened.catalog.places import Target
from app.stages.hardened.silos import targets
from app.stages.services.dev_databases import Database
from app.tenancy import Tenant, serving
from tests.services.system import System
from tests.world import Company, found, sign_in

API = "/api/v1/projects/"
NUMBERS = count(1)


class Placed(System):
    """The services, on PostgreSQL."""

    def __init__(self, folder: Path, redis_url: str, databases: dict[str, Database], **given: Any):
        self.databases = databases
        super().__init__(folder, redis_url, **given)

    def make(self, name: str, **config: object) -> Flask:
        own = self.databases[name]
        urls = {"database_url": own.url, "migrations_database_url": own.owner_url}
        return super().make(name, **urls | config)


@dataclass
class World:
    """The services, the server of silos, and tenants that are new in each test."""

    system: Placed
    silos: Postgres
    others: list[Flask] = field(default_factory=list)

    @property
    def auth(self) -> Flask:
        return self.system["auth"].app

    @property
    def features(self) -> Flask:
        return self.system["features"].app

    def process(self, service: str, **config: object) -> Flask:
        """Another process of a service, which knows nothing yet."""
        self.others.append(self.system.make(service, **config))
        return self.others[-1]

    def company(self, app: Flask | None = None) -> Company:
        """A new tenant, as its owner sees it at the features."""
        number = next(NUMBERS)
        slug = f"acme{number}"
        seat = found(self.auth, slug, f"Acme {number}", f"ada@{slug}.test", "Ada")
        return sign_in(app or self.features, seat)

    def in_silo(self, tenant: Tenant, service: str = "features") -> Target:
        """Put a tenant that has no rows yet into a silo."""
        admin = self.silos.url("postgres")
        with self.auth.app_context():
            target = targets.target_for(admin, service, tenant.id)
            targets.make(admin, target, tenant.id)
            self.fence(tenant, drivers.owner_url(target), "active", 1)
            self.fence(tenant, self.system.databases[service].owner_url, "gone", 1)
            api.add_target(target)
            api.set_placement(tenant, service, target.name, expected_epoch=0)
            db.session.commit()
            return target

    def fence(self, tenant: Tenant, owner_url: str, state: str, epoch: int) -> None:
        """What a database says of a tenant."""
        statement = (
            "INSERT INTO hardened.placements VALUES (%s, %s, %s) ON CONFLICT (tenant_id) "
            "DO UPDATE SET epoch = excluded.epoch, state = excluded.state"
        )
        with psycopg.connect(plain(owner_url), autocommit=True) as connection:
            connection.execute(statement, (tenant.id, epoch, state))

    def count_in_pool(self, table: str, tenant_id: UUID, service: str = "features") -> int:
        return count_at(self.system.databases[service].owner_url, table, tenant_id)

    def count_in_silo(self, target: Target, table: str, tenant_id: UUID) -> int:
        with self.auth.app_context():
            return count_at(drivers.owner_url(target), table, tenant_id)

    def work(self, service: str = "features") -> int:
        return queue.run_pending(self.system[service].app)

    def suspend(self, tenant: Tenant, reason: str = "") -> None:
        self.put_into(tenant, "suspended", reason)

    def put_into(self, tenant: Tenant, state: str, reason: str = "") -> None:
        with self.auth.app_context(), serving(None):
            api.set_state(tenant, state, reason=reason)
            db.session.commit()


def count_at(owner_url: str, table: str, tenant_id: UUID) -> int:
    with psycopg.connect(plain(owner_url), autocommit=True) as connection:
        connection.execute("SET app.at_work = 'on'")
        asked = f"SELECT count(*) FROM {table} WHERE tenant_id = %s"
        (number,) = connection.execute(asked.encode(), (tenant_id,)).fetchone()
        return number


def plain(url: str) -> str:
    found = make_url(url).set(drivername="postgresql")
    return found.render_as_string(hide_password=False)
