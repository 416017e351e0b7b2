"""Which silos there are, and how to enter one to change its tables.

The server of SILO_ADMIN_DATABASE_URL says itself which it has: a silo that is being made, or that
nobody is placed in yet, must be migrated like any other. Of those elsewhere, on another server or
in a tenant's own cloud account, the catalog knows.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from flask import Flask
from sqlalchemy import URL, Engine, make_url, select
from sqlalchemy.orm import Session

from app.errors import Refused
from app.stages.hardened import stores
from app.stages.hardened.catalog import drivers
from app.stages.hardened.catalog.api import as_target
from app.stages.hardened.catalog.models import PlacementRow, TargetRow
from app.stages.hardened.catalog.places import Target
from app.stages.hardened.silos.names import PREFIX, WITH_SILOS, owner_of
from app.stages.hardened.silos.server import administrators, connected, conninfo

PORT = 5432
NAME = re.compile(rf"{PREFIX}({'|'.join(WITH_SILOS)})_([0-9a-f]{{32}})")


class OtherServer(Refused):
    """A silo is on another server than the one that we administer."""

    title = "That silo is on another server"


@dataclass(frozen=True, slots=True)
class Place:
    """A silo, the role that its service works as, and how its tables are reached to change them.

    `reach` is called when the silo's turn comes: a password that can't be found, or an account
    that doesn't let us in, is the trouble of this silo alone.
    """

    name: str
    service: str
    tenant_id: UUID
    role: str
    reach: Callable[[], URL] = field(repr=False)

    @property
    def url_text(self) -> str:
        """The URL as text, password and all."""
        return self.reach().render_as_string(hide_password=False)

    @contextmanager
    def opened(self) -> Iterator[psycopg.Connection]:
        """A connection as the owner, in autocommit."""
        with psycopg.connect(conninfo(self.reach()), autocommit=True) as connection:
            yield connection


def on_server(admin: str) -> list[Place]:
    """The silos on a server, in the order of their names."""
    with connected(admin) as connection:
        asked = "SELECT datname FROM pg_database WHERE starts_with(datname, %s) ORDER BY datname"
        names = [name for (name,) in connection.execute(asked, (PREFIX,)).fetchall()]
    return [place_named(administrators(admin), name) for name in names if NAME.fullmatch(name)]


def place_named(admin: URL, name: str) -> Place:
    """A silo by the name of its database; the administrator acts as its owner there."""
    service, tenant = NAME.fullmatch(name).groups()  # type: ignore[union-attr]
    as_owner = admin.set(database=name).update_query_dict({"options": f"-crole={owner_of(name)}"})
    return Place(name, service, UUID(tenant), name, lambda: as_owner)


def all_of(app: Flask, engine: Engine) -> list[Place]:
    """All silos there are, wherever they are; `engine` is of auth's database."""
    admin = stores.admin_url(app)
    here = on_server(admin) if admin else []
    server = administrators(admin) if admin else None
    elsewhere = [
        place_at(app, tenant_id, target)
        for tenant_id, target in in_catalog(engine)
        if not is_on(server, target)
    ]
    if not admin and not elsewhere:
        administrators(admin)  # Says what to set.
    return [*here, *elsewhere]


def in_catalog(engine: Engine) -> list[tuple[UUID, Target]]:
    """The tenants that are placed outside of the pool, and where."""
    asked = (
        select(PlacementRow.tenant_id, TargetRow)
        .join(TargetRow, TargetRow.name == PlacementRow.target)
        .order_by(TargetRow.name)
    )
    with Session(engine) as session:
        return [(tenant_id, as_target(row)) for tenant_id, row in session.execute(asked)]


def place_at(app: Flask, tenant_id: UUID, target: Target) -> Place:
    def reach() -> URL:
        with app.app_context():
            return make_url(drivers.owner_url(target))

    return Place(target.name, target.service, tenant_id, target.role, reach)


def refuse_other_servers(admin: str, targets: list[Target]) -> None:
    """Raises `OtherServer` for a silo that isn't on the administrator's server."""
    server = administrators(admin)
    for target in targets:
        if target.kind == "silo" and not is_on(server, target):
            raise OtherServer(
                f"“{target.name}” is on {target.host}:{target.port}, and SILO_ADMIN_DATABASE_URL "
                f"names {server.host}:{server.port or PORT}.",
                hint="Set it to the administrator of that server, then run this again.",
            )


def is_on(server: URL | None, target: Target) -> bool:
    """Whether a silo is on a server, which lists it itself then."""
    if server is None or target.kind != "silo":
        return False
    return (server.host, server.port or PORT) == (target.host, target.port)
