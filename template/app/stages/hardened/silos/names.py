"""What a silo is called: its database, and the two roles that may enter it."""

import secrets
from dataclasses import dataclass, field
from typing import Self
from uuid import UUID

from sqlalchemy import URL, make_url

from app.stages.hardened.silos.errors import Refused
from app.stages.services.settings import SERVICES

# Who somebody is and which workspaces there are isn't a tenant's alone: auth has no silos.
WITH_SILOS = tuple(service for service in SERVICES if service != "auth")
PREFIX = "silo_"


@dataclass(frozen=True, slots=True)
class Passwords:
    """Those of a silo's two roles. Whoever makes the silo keeps them, before it's made."""

    app: str = field(repr=False)
    owner: str = field(repr=False)

    @classmethod
    def new(cls) -> Self:
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(32))


@dataclass(frozen=True, slots=True)
class Silo:
    """A tenant's database of a service: how the service reaches it, and how its owner does."""

    tenant_id: UUID
    service: str
    url: str = field(repr=False)
    owner_url: str = field(repr=False)

    @property
    def database(self) -> str:
        return database_of(self.service, self.tenant_id)

    @property
    def role(self) -> str:
        return self.database

    @property
    def owner(self) -> str:
        return owner_of(self.database)

    @property
    def packages(self) -> tuple[str, str]:
        return packages_of(self.service)


def database_of(service: str, tenant_id: UUID) -> str:
    if service not in WITH_SILOS:
        raise Refused(f"{service!r} has no silos; these have: {', '.join(WITH_SILOS)}.")
    return f"{PREFIX}{service}_{tenant_id.hex}"


def owner_of(database: str) -> str:
    """The role that owns a silo's tables; the one that works with them is called as it is."""
    return f"{database}_owner"


def packages_of(service: str) -> tuple[str, str]:
    """Whose tables a silo has: the service's, and those that commit together with its rows."""
    return "shared", service


def silo_of(server: str | URL, service: str, tenant_id: UUID, passwords: Passwords) -> Silo:
    """How a silo on a server is reached, whether it's there yet or not."""
    database = database_of(service, tenant_id)
    place = make_url(server).set(database=database)
    return Silo(
        tenant_id,
        service,
        place.set(username=database, password=passwords.app).render_as_string(hide_password=False),
        place.set(username=owner_of(database), password=passwords.owner).render_as_string(
            hide_password=False
        ),
    )
