"""Where a tenant's rows are: each database once, with the packages whose tables it has."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from uuid import UUID

from flask import current_app

from app.db import owns
from app.stages.hardened.catalog import api as catalog
from app.stages.hardened.catalog import drivers
from app.stages.hardened.lifecycle.database import Database
from app.stages.hardened.stores import store_of
from app.stages.services.promote.shapes import Table

PACKAGES = ("features", "billing", "analytics")


@dataclass(frozen=True, slots=True)
class Place:
    """A database with rows of a tenant, as the owner of its tables reaches it."""

    name: str
    url: str
    packages: tuple[str, ...]

    def owns(self, table: str) -> str | None:
        """The package here that a table belongs to."""
        return next((one for one in self.packages if owns(one, table)), None)


def of(tenant_id: UUID) -> list[Place]:
    """The databases that hold a tenant's rows, each once."""
    by_url: dict[str, list[str]] = {}
    for package in PACKAGES:
        by_url.setdefault(url_of(package, tenant_id), []).append(package)
    return [
        Place("+".join(packages) if len(packages) < 3 else "pool", url, tuple(packages))
        for url, packages in by_url.items()
    ]


def url_of(package: str, tenant_id: UUID) -> str:
    """Where a package keeps this tenant's rows, as the owner of its tables."""
    target = catalog.place_of(tenant_id, package).target
    return drivers.owner_url(target) if target else pool_of(package)


def pool_of(package: str) -> str:
    """Where a package keeps everybody's rows, as the owner of its tables."""
    from app.migrate import absolute  # Alembic is slow to import.

    app = current_app._get_current_object()  # type: ignore[attr-defined]
    return absolute(app, store_of(app, package).owner_url)


def everywhere(tenant_id: UUID) -> dict[str, str]:
    """Every database that may have rows of a tenant, or that names it: auth's, the pools, and
    its silos. Each once, by name."""
    found: dict[str, str] = {}
    for service in ("auth", *PACKAGES):
        found.setdefault(pool_of(service), f"{service}'s pool" if service != "auth" else "auth")
    for service in PACKAGES:
        if target := catalog.place_of(tenant_id, service).target:
            found.setdefault(drivers.owner_url(target), f"{target.kind} {target.name}")
    return {name: url for url, name in found.items()}


def has_rows(url: str) -> bool:
    """Whether a database may have rows of tenants: auth's alone has none."""
    return url != pool_of("auth") or url in {pool_of(service) for service in PACKAGES}


@contextmanager
def opened(tenant_id: UUID) -> Iterator[list[tuple[Place, Database]]]:
    """Every database of a tenant's, open."""
    with ExitStack() as stack:
        yield [
            (place, stack.enter_context(Database(place.url, place.name))) for place in of(tenant_id)
        ]


def tables_of(place: Place, database: Database) -> Iterator[tuple[str, Table]]:
    """The tables of tenants at a place with their package, parents before children."""
    for name, table in database.owned().items():
        package = place.owns(name)
        if package is not None:
            yield package, table
