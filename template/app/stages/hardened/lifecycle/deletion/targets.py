"""The places that a tenant had for itself: its silos are dropped, what isn't ours is released.

The trail of what was done there goes to the service's pool first: it outlives the tenant.
"""

from uuid import UUID

from sqlalchemy import make_url

from app.stages.hardened.catalog import drivers
from app.stages.hardened.catalog.places import Target
from app.stages.hardened.lifecycle import places
from app.stages.hardened.lifecycle.database import Database
from app.stages.hardened.lifecycle.deletion import scan
from app.stages.hardened.silos import create as silos
from app.stages.hardened.silos.names import database_of

TRAIL = "shared_audit"


def let_go(service: str, target: Target, tenant_id: UUID) -> str:
    """Let go of a place; answers whether it was `dropped` or `released`."""
    if target.kind == "silo" and target.database == database_of(service, tenant_id):
        server = server_of(target)
        if silos.exists(server, service, tenant_id):
            keep_trail(service, target, tenant_id)
        silos.drop(server, service, tenant_id)
        return "dropped"
    keep_trail(service, target, tenant_id)
    refuse_leftovers(target, tenant_id)
    return "released"


def server_of(target: Target) -> str:
    """The server that a silo is on, as its administrator: new silos may be made on another one."""
    from app.stages.hardened.lifecycle.creating import admin_url

    url = make_url(admin_url()).set(host=target.host, port=target.port)
    return url.render_as_string(hide_password=False)


def keep_trail(service: str, target: Target, tenant_id: UUID) -> None:
    """Add to the pool's trail what the place's own says; what is there already stays."""
    with (
        Database(drivers.owner_url(target), target.name) as there,
        Database(places.pool_of(service), f"{service}'s pool") as pool,
        pool.transaction(),
    ):
        table = there.tables()[TRAIL]
        known = {row["id"] for row in pool.read(table, tenant_id)}
        rows = (row for row in there.read(table, tenant_id) if row["id"] not in known)
        pool.load(table, rows, tenant_id)


def refuse_leftovers(target: Target, tenant_id: UUID) -> None:
    """Raises `StillThere` while a place that stays has rows that name the tenant."""
    pattern = scan.pattern_of(scan.needles_of(tenant_id))
    with Database(drivers.owner_url(target), target.name) as database:
        found = [
            scan.Hit(target.name, table, count)
            for table, count, _ in scan.in_tables(database, pattern)
            if count and table not in scan.SURVIVES
        ]
    if found:
        raise scan.StillThere(
            f"{target.name} can't be released: {', '.join(map(str, found))} name it.",
            hint="See what writes there, remove that, and run this again.",
        )
