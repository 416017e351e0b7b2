"""A pool with tenants, a silo for one of them, and a catalog that says who is where."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import psycopg
from alembic import command
from flask import Flask
from sqlalchemy import make_url

from app.db import Pair, make_pair
from app.migrate import config_of, opening
from app.stages.hardened.moving.ledger import Lost
from app.stages.hardened.moving.mover import BACK, FORWARD, Mover
from app.stages.hardened.moving.sides import Route, Side
from app.stages.hardened.walls import policies
from app.tenancy import Tenant, tenant_or_none
from tests.databases import PASSWORD, make_database, owner_of

# What a switch may take on a machine that runs other tests.
BUSY_SECONDS = 60.0
COUNTED = (
    "SELECT count(*), coalesce(bit_xor(hashtextextended(p::text, 0)), 0) FROM {} p "
    "WHERE (tenant_id = %s) IS {}"
)


def make_store(server: str, name: str, kind: str) -> str:
    """A database with the tables of the features, walled; answers the URL of the app's role."""
    url = make_database(server, name)
    with opening(owner_of(url)) as connection:
        for package in ("shared", "features"):
            command.upgrade(config_of(package, connection), "heads")
            role = str(make_url(url).username)
            connection.exec_driver_sql(
                f'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "{role}"'
            )
            connection.commit()
            policies.build(connection, package, role, kind)
    return url


@dataclass
class Remembered:
    """What a move remembers, in this process; a new mover finds it as the last one left it."""

    place_it: Any
    done: list[str] = field(default_factory=list)
    epoch: int = 0
    known_epoch: int = 0
    doing: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)

    # Whether another process has taken the move up.
    lost: bool = False

    def write(self, **values: Any) -> None:
        if self.lost:
            raise Lost("Another process took this move up; this one has stopped.")
        self.doing = values.get("doing", self.doing)

    def place(self) -> None:
        self.place_it(self.epoch)


@dataclass
class Place:
    """A pool and a silo on one server."""

    app: Flask
    server: str
    pool: str
    silo: str
    acme: Tenant
    others: list[Tenant]
    served: str = "pool"
    epoch: int = 0
    pairs: dict[str, Pair] = field(default_factory=dict)
    # Where the silo is, if it's another server, and who moves, if not the superuser.
    silo_server: str = ""
    mover_role: str = ""

    def __post_init__(self) -> None:
        self.pairs["silo"] = make_pair(self.app, self.silo, {})
        self.app.extensions["route"] = self.find
        self.app.extensions["epoch_of"] = self.epoch_of

    def find(self, common: Pair) -> Pair:
        tenant = tenant_or_none()
        away = tenant is not None and tenant.id == self.acme.id and self.served == "silo"
        return self.pairs["silo"] if away else common

    def epoch_of(self, tenant_id: UUID) -> int:
        return self.epoch if tenant_id == self.acme.id else 0

    def side(self, kind: str) -> Side:
        server = self.silo_server if kind == "silo" and self.silo_server else self.server
        return Side.at(kind, server, str(make_url(getattr(self, kind)).database))

    def side_of_mover(self, kind: str) -> Side:
        """The same, as the role that moves."""
        side = self.side(kind)
        if not self.mover_role:
            return side
        return Side(kind, side.url.set(username=self.mover_role, password=PASSWORD))

    def mover(self, source: str = "pool", target: str = "silo", **how: Any) -> Mover:
        def place(epoch: int) -> None:
            self.served, self.epoch = target, epoch

        sides = self.side_of_mover(source), self.side_of_mover(target)
        route = Route(self.acme.id, "features", *sides)
        notes = how.pop("notes", None) or Remembered(place, known_epoch=self.epoch)
        how.setdefault("longest", BUSY_SECONDS)
        steps = BACK if how.pop("back", False) else FORWARD
        return Mover(route, notes, steps, **how)

    def placement(self, kind: str) -> tuple[str, int] | None:
        asked = "SELECT state, epoch FROM hardened.placements WHERE tenant_id = %s"
        with self.opened(kind) as connection:
            return connection.execute(asked, (self.acme.id,)).fetchone()

    @contextmanager
    def opened(self, kind: str) -> Iterator[psycopg.Connection]:
        with self.side(kind).connect() as connection:
            yield connection

    def has_silo(self) -> bool:
        with self.opened("pool") as connection:
            asked = "SELECT FROM pg_database WHERE datname = %s"
            found = connection.execute(asked, (make_url(self.silo).database,))
            return found.fetchone() is not None

    def counted(self, kind: str, table: str = "projects", *, mine: bool = True) -> Any:
        """How many rows there are and what they add up to: the tenant's, or everybody else's."""
        with self.opened(kind) as connection:
            asked = COUNTED.format(table, "TRUE" if mine else "NOT TRUE")
            return connection.execute(asked.encode(), (self.acme.id,)).fetchone()

    def ids(self, kind: str, table: str, condition: str = "true") -> set[UUID]:
        with self.opened(kind) as connection:
            asked = f"SELECT id FROM {table} WHERE tenant_id = %s AND {condition}"
            return {one for (one,) in connection.execute(asked.encode(), (self.acme.id,))}

    def names(self, kind: str) -> dict[UUID, str]:
        """The tenant's rows, as its writers know them."""
        with self.opened(kind) as connection:
            asked = "SELECT id, name FROM projects WHERE tenant_id = %s"
            return dict(connection.execute(asked, (self.acme.id,)).fetchall())

    def slots(self) -> list[str]:
        with self.opened("pool") as connection:
            rows = connection.execute("SELECT slot_name FROM pg_replication_slots ORDER BY 1")
            return [name for (name,) in rows]

    def fill(self, tenant: Tenant, rows: int) -> None:
        with self.opened("pool") as connection:
            connection.execute(
                "INSERT INTO projects (tenant_id, id, name, folded_name, description, created_by, "
                "created_at, updated_at, version) SELECT %s, gen_random_uuid(), 'Project ' || n, "
                "'project ' || n, repeat('x', 80), gen_random_uuid(), now(), now(), 1 "
                "FROM generate_series(1, %s) n",
                (tenant.id, rows),
            )


def new_tenant(slug: str) -> Tenant:
    return Tenant(uuid4(), slug, slug.capitalize())


def wait_for(look: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something is so, and fail if it never is."""
    until = time.monotonic() + seconds
    while not look():
        if time.monotonic() > until:
            raise AssertionError("It never happened.")
        time.sleep(0.02)
