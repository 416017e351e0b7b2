"""Export, import and restore as operations: their steps."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

from flask import current_app
from sqlalchemy import or_, select

from app import events
from app.auth.models import Organisation
from app.db import db
from app.errors import Refused
from app.stages.hardened.catalog import api as catalog
from app.stages.hardened.lifecycle import fences, ledger, places
from app.stages.hardened.lifecycle.archive import access, exporting, people, writing
from app.stages.hardened.lifecycle.archive.covers import KEYS
from app.stages.hardened.lifecycle.archive.files import Manifest, Reader
from app.stages.hardened.lifecycle.finding import find
from app.stages.hardened.lifecycle.models import Operation
from app.stages.hardened.lifecycle.running import Step, Work, kind, note, note_in_tenant
from app.tenancy import enter


class AlreadyThere(Refused):
    """The tenant of an archive is here already."""

    title = "That workspace is here already"


class AnothersArchive(Refused):
    """The archive is of another tenant than the one to be restored."""

    title = "This archive is of another workspace"


def folder() -> Path:
    """Where archives are that have no other place."""
    return Path(current_app.instance_path) / "archives"


def place_for(work: Work, word: str = "") -> Path:
    """Where an operation's archive goes when nobody says where."""
    name = "-".join(filter(None, [work.slug, word, str(work.hold.id)]))
    return folder() / f"{name}.zip"


def told(manifest: Manifest, path: Path) -> dict[str, Any]:
    """What the ledger keeps of an archive."""
    return {
        "file": str(path),
        "rows": manifest.rows,
        "tables": {name: file.rows for name, file in manifest.files.items()},
        "checksums": manifest.checksums(),
    }


# --- Export --------------------------------------------------------------------------------------


def write(work: Work) -> None:
    path = Path(work.asked["file"]) if work.asked.get("file") else place_for(work)
    manifest = exporting.export(find(str(work.tenant_id)), path, work.progress)
    work.keep(**told(manifest, path))
    note_in_tenant(work, "tenant.exported", rows=manifest.rows)


kind("export", Step("write", "Writing the archive", write))


# --- Import --------------------------------------------------------------------------------------


def begin_import(path: Path, trust: Iterable[str], operator: str) -> Operation:
    """The operation that brings an archive's tenant: one that did, the open one, or a new one."""
    trusted = sorted(trust)
    with Reader(path, trusted, only_manifest=True) as archive:
        tenant_id, slug = archive.tenant_id, archive.manifest.slug
        asked: dict[str, Any] = {"file": str(path.absolute()), "trust": trusted}
        if ledger.open_one(tenant_id) is None:
            if (done := already(tenant_id, asked)) is not None:
                return done
            refuse_known(archive)
    db.session.rollback()
    return ledger.find(str(ledger.begin("import", tenant_id, slug, operator, **asked)))


def already(tenant_id: UUID, asked: dict[str, Any]) -> Operation | None:
    """The operation that brought this very archive here, if its tenant is here still."""
    if db.session.get(Organisation, tenant_id) is None:
        return None
    latest = (one for one in ledger.recent(tenant_id=tenant_id) if one.kind == "import")
    return next((one for one in latest if one.state == "done" and one.wishes == asked), None)


def archive_of(work: Work) -> Reader:
    return Reader(Path(work.asked["file"]), work.asked["trust"])


def check(work: Work) -> None:
    """Raises unless all of the archive fits here, before anything is written."""
    with archive_of(work) as archive, places.opened(work.tenant_id) as databases:
        refuse_known(archive)
        writing.refuse_unfit(archive, databases)
        access.refuse_unfit(archive)
        for place, database in databases:
            refuse_rows(work.tenant_id, place, database)
        work.keep(signer=archive.signer, rows=archive.manifest.rows)


def refuse_known(archive: Reader) -> None:
    """Raises `AlreadyThere` where the id or the slug is a tenant's."""
    manifest = archive.manifest
    same = select(Organisation).where(
        or_(Organisation.id == archive.tenant_id, Organisation.slug == manifest.slug)
    )
    for found in db.session.scalars(same):
        what = "has its id" if found.id == archive.tenant_id else "has its address"
        raise AlreadyThere(
            f"{found.slug} {what}.",
            hint="To put a workspace back as the archive has it: flask tenant restore"
            if found.id == archive.tenant_id
            else "",
        )


def refuse_rows(tenant_id: UUID, place: places.Place, database: Any) -> None:
    for _, table in places.tables_of(place, database):
        if count := database.count(table.name, tenant_id):
            raise AlreadyThere(
                f"{place.name}: {table.name} has {count:,} rows of this workspace's id already."
            )


def reserve(work: Work) -> None:
    """Make the tenant. It has no people as yet, so nobody sees its rows arrive."""
    with archive_of(work) as archive:
        manifest = archive.manifest
    if db.session.get(Organisation, work.tenant_id) is None:
        db.session.add(Organisation(id=work.tenant_id, slug=manifest.slug, name=manifest.name))
        db.session.flush()
    catalog.set_state(work.tenant(), "provisioning", reason="its archive is being imported")
    with places.opened(work.tenant_id) as databases:
        for _, database in databases:  # A deletion of the same tenant may have left a fence.
            fences.take_back(database, work.tenant_id, None)


def put_rows(work: Work) -> None:
    with archive_of(work) as archive, places.opened(work.tenant_id) as databases:
        rows = sum(writing.replace(archive, *one, work.progress) for one in databases)
    work.keep(written=rows)


def put_access(work: Work) -> None:
    """Roles, rules of signing in and single sign-on, before anybody is there."""
    with archive_of(work) as archive:
        work.keep(written=work.evidence["written"] + access.put(archive))
        work.keep(keys=sum(1 for _ in archive.rows(KEYS)), sign_on=access.has_sign_on(archive))


def let_people_in(work: Work) -> None:
    """Match people by their confirmed address; invite the others."""
    with archive_of(work) as archive:
        enter(work.tenant())
        work.keep(people=people.let_in(archive, work.tenant_id))


def open_imported(work: Work) -> None:
    catalog.set_state(work.tenant(), "active")
    tell(work, "imported")


def tell(work: Work, what: str) -> None:
    enter(work.tenant())
    note(work, f"tenant.{what}", rows=work.evidence["rows"])
    events.publish(f"auth.tenant_{what}", operation=work.hold.id)


kind(
    "import",
    Step("check", "Checking the archive", check),
    Step("reserve", "Making the workspace, closed as yet", reserve),
    Step("rows", "Writing its rows", put_rows),
    Step("access", "Writing its roles and rules", put_access),
    Step("people", "Letting its people in", let_people_in),
    Step("open", "Opening it", open_imported),
)


# --- Restore -------------------------------------------------------------------------------------


def check_own(work: Work) -> None:
    with archive_of(work) as archive, places.opened(work.tenant_id) as databases:
        if archive.tenant_id != work.tenant_id:
            raise AnothersArchive(
                f"It is of {archive.manifest.slug} ({archive.tenant_id}), not of {work.slug}."
            )
        writing.refuse_unfit(archive, databases)
        work.keep(signer=archive.signer, rows=archive.manifest.rows)


def note_fences(work: Work) -> None:
    """Note how it is, before that changes."""
    with places.opened(work.tenant_id) as databases:
        fenced = {
            place.name: fences.state(database, work.tenant_id) for place, database in databases
        }
    work.keep(fences=fenced)


def close(work: Work) -> None:
    """Let nobody read or write while the rows are replaced."""
    with places.opened(work.tenant_id) as databases:
        for _, database in databases:
            fences.put(database, work.tenant_id, "fenced")


def keep_safe(work: Work) -> None:
    """Export it as it is now, so that a restore can be taken back."""
    path = place_for(work, "before")
    manifest = exporting.export(find(str(work.tenant_id)), path, work.progress)
    work.keep(before=told(manifest, path))


def open_restored(work: Work) -> None:
    with places.opened(work.tenant_id) as databases:
        for place, database in databases:
            fences.take_back(database, work.tenant_id, work.evidence["fences"][place.name])
    tell(work, "restored")


kind(
    "restore",
    Step("check", "Checking the archive", check_own),
    Step("note", "Noting how it is", note_fences),
    Step("close", "Letting nobody in meanwhile", close),
    Step("keep", "Exporting it as it is now", keep_safe),
    Step("rows", "Replacing its rows", put_rows),
    Step("open", "Opening it", open_restored),
)
