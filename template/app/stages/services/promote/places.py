"""Which rows go to which service."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.db import PACKAGES, TEAMS, owns
from app.doors import owner_of
from app.stages.services.promote.side import Side, Where
from app.stages.services.settings import SERVICES

# A row of these belongs to who runs the code that it names.
SPLIT = {"shared_jobs": "name", "shared_inbox": "listener"}
# The audit page is auth's. All else that is shared goes with the product: its relay sends what
# the outbox still holds, and repeated requests come to its routes.
SETTLED = {"shared_audit": "auth"}


@dataclass(frozen=True, slots=True)
class Place:
    """Rows of one table that go to one service; all of them, unless `where` says which."""

    service: str
    table: str
    where: Where | None = None


def places_of(source: Side, tables: Sequence[str]) -> list[Place]:
    """Where each table's rows go, from the tables that are really there."""
    return [place for table in tables for place in places_of_table(source, table)]


def places_of_table(source: Side, table: str) -> list[Place]:
    package = next((name for name in PACKAGES if owns(name, table)), TEAMS)
    if package != "shared":
        return [Place(package, table)]
    if table not in SPLIT:
        return [Place(SETTLED.get(table, TEAMS), table)]
    return split(table, SPLIT[table], source.distinct(table, SPLIT[table]))


def split(table: str, column: str, names: Sequence[str]) -> list[Place]:
    """A table's rows by who owns the module that they name; the product gets all others."""
    others = [service for service in SERVICES if service != TEAMS]
    owned = {one: sorted(name for name in names if owner_of(name) == one) for one in others}
    elsewhere = tuple(name for mine in owned.values() for name in mine)
    return [
        *(Place(service, table, Where(column, tuple(mine))) for service, mine in owned.items()),
        Place(TEAMS, table, Where(column, elsewhere, negated=True)),
    ]
