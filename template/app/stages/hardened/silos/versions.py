"""The version of a silo as one line: the migrations of each package, and its walls."""

from collections.abc import Iterable, Mapping

import psycopg
from psycopg import sql

from app.migrate import heads_of
from app.stages.hardened.silos import walled
from app.stages.hardened.silos.names import WITH_SILOS, packages_of

WALLS = "walls"


def target_of(service: str) -> str:
    """What a service's silos should have, by this code."""
    return line({package: heads_of(package) for package in packages_of(service)}, walled.target())


def target() -> str:
    """What the whole fleet should have, by this code."""
    heads = {package: heads_of(package) for package in ("shared", *WITH_SILOS)}
    return line(heads, walled.target())


def line(heads: Mapping[str, Iterable[str]], walls: str) -> str:
    """`shared=shared_0001 features=features_0001,features_0002 walls=0a1b2c3d`."""
    parts = [f"{package}={','.join(sorted(found))}" for package, found in heads.items()]
    return " ".join([*parts, f"{WALLS}={walls}"])


def heads_from(version: str) -> dict[str, tuple[str, ...]]:
    """The migrations in a version, package by package."""
    pairs = (part.partition("=") for part in version.split())
    return {
        package: tuple(filter(None, found.split(",")))
        for package, _, found in pairs
        if package != WALLS
    }


def with_walls(version: str, walls: str) -> str:
    """The version of a silo whose walls were built anew."""
    return line(heads_from(version), walls)


def version_of(connection: psycopg.Connection, service: str) -> str:
    """What a silo has. A package that was never migrated there has nothing."""
    heads = {package: heads_in(connection, package) for package in packages_of(service)}
    return line(heads, walled.walls_of(connection))


def heads_in(connection: psycopg.Connection, package: str) -> list[str]:
    table = f"alembic_version_{package}"
    found = connection.execute("SELECT to_regclass(%s)", (f"public.{table}",)).fetchone()
    if not found or found[0] is None:
        return []
    asked = sql.SQL("SELECT version_num FROM {}").format(sql.Identifier("public", table))
    return [head for (head,) in connection.execute(asked).fetchall()]
