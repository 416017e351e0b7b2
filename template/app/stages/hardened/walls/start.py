"""Nothing serves behind open walls: it refuses to start, and what runs says it isn't ready."""

import time

import structlog
from flask import Flask
from sqlalchemy import Engine, make_url
from sqlalchemy.exc import DBAPIError

from app.db import PACKAGES, db
from app.doors import serves
from app.settings import BadSettings
from app.stages.hardened.settings import Settings
from app.stages.hardened.walls import lint
from app.stages.hardened.walls.policies import packages

log = structlog.get_logger()

LOOKED_AT_EVERY = 30.0  # Seconds; load balancers ask more often than walls are taken down.


class OpenWalls(SystemExit):
    """The database wouldn't keep tenants apart; the message says where, and what to do."""


def init_app(app: Flask) -> None:
    app.extensions["refusals"].append(refuse_open_walls)
    app.extensions["ready_checks"]["walls"] = verdict


def refuse_open_walls(app: Flask) -> None:
    """Raise `OpenWalls`. A database that is away isn't open: readiness waits for it."""
    refuse_files(app.config["SETTINGS"])
    try:
        found = findings()
    except DBAPIError as error:
        log.warning("walls not looked at", reason=str(error.orig))
        return
    if found:
        raise OpenWalls(explained(found))


def refuse_files(settings: Settings) -> None:
    """Production keeps its rows in PostgreSQL, for SQLite has no walls."""
    if not settings.in_production:
        return
    for package in sorted(settings.served - {"shared"}):
        if make_url(settings.database_url_of(package)).get_backend_name() == "sqlite":
            own = getattr(settings, f"{package}_database_url", "")
            name = f"{package.upper()}_DATABASE_URL" if own else "DATABASE_URL"
            raise BadSettings(
                f"The settings are not right:\n  {name}: must be PostgreSQL in production at this "
                "stage, as SQLite can't keep tenants apart by itself."
            )


def verdict(app: Flask) -> str:
    """What /readyz says of the walls. Walls that stood are looked at now and then."""
    stood_at: float = app.extensions.get("walls_stood_at", -LOOKED_AT_EVERY)
    if time.monotonic() - stood_at < LOOKED_AT_EVERY:
        return "ok"
    found = findings()
    if found:
        log.error("open walls", found=[str(one) for one in found])
        return f"{len(found)} open: `flask walls` lists them"
    app.extensions["walls_stood_at"] = time.monotonic()
    return "ok"


def findings() -> list[lint.Finding]:
    """The refusals in all databases of this process."""
    found = []
    for engine in engines().values():
        with engine.connect() as connection:
            found += lint.refusals(connection)
    return found


def engines() -> dict[str, Engine]:
    """The readers of the databases that hold tenants' rows here, by the names of these."""
    found = {}
    for package in packages():
        if serves(package):
            engine = db.reader(PACKAGES[package])
            found[str(engine.url.database)] = engine
    return found


def explained(found: list[lint.Finding]) -> str:
    lines = "\n".join(f"  {one}" for one in found)
    return (
        f"The walls between tenants are open, so nothing starts:\n{lines}\n"
        "`flask walls` shows what stands. docs/hardened/walls.md says why each matters."
    )
