"""Delete as an operation: its steps, from shutting the tenant to the certificate.

Nothing comes back while it runs: each database has a fence that lets no transaction of the tenant
begin, and it stays there as a tombstone. So late jobs and events find the door shut.
"""

from pathlib import Path
from typing import Any

import orjson
from flask import current_app
from sqlalchemy import select

from app import audit
from app.actor import actor_id
from app.auth.models import Organisation
from app.db import db, now
from app.stages.hardened.catalog import api as catalog
from app.stages.hardened.catalog.models import PlacementRow
from app.stages.hardened.lifecycle import fences, places, signing
from app.stages.hardened.lifecycle.archive import exporting
from app.stages.hardened.lifecycle.archive.operations import place_for, told
from app.stages.hardened.lifecycle.deletion import memory, rows, scan, stores, targets
from app.stages.hardened.lifecycle.deletion.scan import StillThere
from app.stages.hardened.lifecycle.finding import find
from app.stages.hardened.lifecycle.placement import wishes
from app.stages.hardened.lifecycle.running import Step, Work, kind, note_in_tenant
from app.stages.hardened.silos.names import database_of
from app.stages.services import identity_changes

KIND = "stagecoach-deletion-certificate"


def close(work: Work) -> None:
    """Keep everybody out, and end what was known of it elsewhere."""
    catalog.set_state(work.tenant(), "deleting", reason=f"deleted by {work.operator}")
    note_in_tenant(work, "tenant.deletion_began")
    organisation = db.session.get_one(Organisation, work.tenant_id)
    work.keep(name=organisation.name, created_at=organisation.created_at.isoformat())
    db.session.commit()
    identity_changes.tell({("tenant", work.tenant_id)})


def export(work: Work) -> None:
    """The last archive, if one was wished for."""
    if work.asked["export"]:
        path = Path(work.asked["export"])
        path = place_for(work, "last") if str(path) == "-" else path
        manifest = exporting.export(find(str(work.tenant_id)), path, work.progress)
        work.keep(export=told(manifest, path))


def fence(work: Work) -> None:
    """Let no transaction of it begin any more, and wait for those that have."""
    with stores.opened(work.tenant_id) as databases:
        for database in databases.values():
            if places.has_rows(database.url):
                fences.put(database, work.tenant_id, "gone")


def count(work: Work) -> None:
    with stores.opened(work.tenant_id) as databases:
        before = {name: rows.counted(one, work.tenant_id) for name, one in databases.items()}
    redis = memory.client()
    needles = memory.names_of(work.tenant_id)
    before["redis"] = {"keys": sum(1 for _ in memory.found(redis, needles)) if redis else 0}
    work.keep(before=before)


def delete_rows(work: Work) -> None:
    """Rows of every package in every database, and those that a process keeps for itself."""
    total = sum(sum(tables.values()) for tables in work.evidence["before"].values())
    done = 0

    def progress(deleted: int, table: str) -> None:
        nonlocal done
        done += deleted
        work.progress(done, max(total, done), table)

    with stores.opened(work.tenant_id) as databases:
        heard = [one for base in databases.values() for one in rows.events_of(base, work.tenant_id)]
        for name, database in databases.items():
            if name != "auth":
                rows.heard(database, heard)
                rows.delete(database, work.tenant_id, progress)


def forget(work: Work) -> None:
    """Everything in Redis that names it."""
    if redis := memory.client():
        work.keep(forgotten=memory.forget(redis, memory.names_of(work.tenant_id)))


def let_go(work: Work) -> None:
    """Drop its silos, and let go of places that aren't ours to drop."""
    found: dict[str, list[str]] = {"dropped": [], "released": []}
    for service in places.PACKAGES:
        target = catalog.place_of(work.tenant_id, service).target
        if target is not None:
            found[targets.let_go(service, target, work.tenant_id)].append(target.name)
    work.keep(**found)


def bury(work: Work) -> None:
    """Auth's rows: who belonged to it, its invitations, tokens and roles, and at last itself. What
    stays is the catalog's row, which says that it was deleted. People stay: they are their own."""
    tenant = work.tenant()
    names = [
        row.target
        for row in db.session.scalars(
            select(PlacementRow).where(PlacementRow.tenant_id == work.tenant_id)
        )
    ]
    if db.session.get(Organisation, work.tenant_id) is not None:
        catalog.set_state(tenant, "deleted", reason=f"deleted by {work.operator}")
        catalog.forget_placements(tenant)
    db.session.flush()
    entered = {database_of(service, work.tenant_id) for service in places.PACKAGES}
    known = {*names, *entered, *work.evidence["dropped"], *work.evidence["released"]}
    for name in known - {""}:
        catalog.remove_target(name)
    db.session.commit()
    with stores.opened(work.tenant_id) as databases:
        auth = databases["auth"]
        rows.delete(auth, work.tenant_id, lambda *_: None)
        auth.connection.execute("DELETE FROM auth_tenants WHERE id = %s", (work.tenant_id,))
    identity_changes.tell({("tenant", work.tenant_id)})


def look(work: Work) -> None:
    """Look everywhere for what is left; raises `StillThere` with where that is."""
    forget(work)
    terraform = wishes.files(work.tenant_id)
    kept = terraform | (
        {Path(work.evidence["export"]["file"])} if "export" in work.evidence else set()
    )
    with stores.opened(work.tenant_id) as databases:
        for database in databases.values():
            rows.delete(database, work.tenant_id, lambda *_: None)
        after = {name: rows.counted(one, work.tenant_id) for name, one in databases.items()}
        looked = scan.scan(
            databases, scan.needles_of(work.tenant_id), lambda _: None, frozenset(kept)
        )
    if looked.hits:
        found = "\n".join(f"  {hit}" for hit in looked.hits[:20])
        raise StillThere(
            f"Its id still stands in:\n{found}",
            hint="See what writes there, remove that, and run this again: it looks once more.",
        )
    work.keep(
        after=after,
        terraform=sorted(map(str, terraform)),
        scanned={
            "tables": looked.tables,
            "rows": looked.rows,
            "redis_keys": looked.keys,
            "files": looked.files,
            "hits": 0,
            "kept_on_purpose": [str(hit) for hit in looked.kept],
        },
    )


def certify(work: Work) -> None:
    """Sign what was there, what is left, and what was looked at."""
    proof = work.evidence
    said: dict[str, Any] = {
        "what": "All rows of this workspace were deleted.",
        "operation": str(work.hold.id),
        "tenant": {"id": str(work.tenant_id), "slug": work.slug, "name": proof["name"]},
        "created_at": proof["created_at"],
        "deleted_at": now().isoformat(),
        "operator": work.operator,
        "before": proof["before"],
        "after": proof["after"],
        "scan": proof["scanned"],
        "databases_dropped": proof["dropped"],
        "places_released": proof["released"],
        "terraform_variables": proof.get("terraform", []),
        "last_export": proof.get("export", {}).get("file", "none"),
    }
    work.keep(certificate=signing.sign(KIND, said))
    write_into_the_trail(work, rows=total_of(proof["before"]))


def write_into_the_trail(work: Work, **details: Any) -> None:
    """The last deed in the tenant's trail. Nobody can be in the tenant any more to write it."""
    facts = details | {"operator": work.operator, "operation": str(work.hold.id)}
    row = audit.AuditRow(
        tenant_id=work.tenant_id,
        actor_id=actor_id(),
        request_id="",
        action="tenant.deleted",
        target=str(work.tenant_id),
        details=orjson.dumps(facts).decode(),
    )
    db.session.add(row)
    for tell in current_app.extensions["deeds"]:
        tell(row)


def total_of(counts: dict[str, dict[str, int]]) -> int:
    return sum(sum(tables.values()) for tables in counts.values())


kind(
    "delete",
    Step("close", "Shutting it", close),
    Step("export", "Writing the last archive", export),
    Step("fence", "Waiting for what is under way", fence),
    Step("count", "Counting what there is", count),
    Step("rows", "Deleting its rows", delete_rows),
    Step("redis", "Forgetting it in Redis", forget),
    Step("silos", "Dropping its databases", let_go),
    Step("auth", "Deleting what auth knows of it", bury),
    Step("scan", "Looking everywhere for what is left", look),
    Step("certificate", "Signing the certificate", certify),
)
