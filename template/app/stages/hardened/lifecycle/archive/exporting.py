"""Export: all rows of one tenant, and who may do what in it, into an archive.

Each database is read in one transaction that sees one state of it (REPEATABLE READ), as the owner
at work: an export must have every row of the tenant, also those that a policy of the team's hides
from the application. People appear with address, name and role; never with a password's hash.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from flask import current_app

from app import stage
from app.auth.models import Organisation
from app.db import db, now
from app.stages.hardened.lifecycle import places
from app.stages.hardened.lifecycle.archive import access
from app.stages.hardened.lifecycle.archive.files import Manifest, Writer, name_of
from app.stages.hardened.lifecycle.database import Database

Progress = Callable[[int, int, str], None]


def export(organisation: Organisation, path: Path, progress: Progress) -> Manifest:
    """Write a tenant's archive; a file that was there is replaced once the new one is whole."""
    tenant_id = organisation.id
    manifest = manifest_of(organisation)
    db.session.rollback()  # No transaction of auth's waits meanwhile.
    with places.opened(tenant_id) as databases, Writer(path, manifest) as archive:
        total = sum(count(place, database, tenant_id) for place, database in databases)
        done = access.export(archive, tenant_id)
        for place, database in databases:
            with database.transaction(snapshot=True):
                for package in place.packages:
                    manifest.migrations[package] = database.migrations(package)
                for package, table in places.tables_of(place, database):
                    rows = counted(database.read(table, tenant_id), done, total, progress, table)
                    done += archive.add(name_of(package, table.name), rows).rows
    return manifest


def counted(
    rows: Iterator[Any], before: int, total: int, progress: Progress, table: Any
) -> Iterator[Any]:
    """The rows, and every thousand of them a word on how far it is."""
    for number, row in enumerate(rows, start=1):
        yield row
        if number % 1000 == 0:
            progress(before + number, max(total, before + number), table.name)


def count(place: places.Place, database: Database, tenant_id: UUID) -> int:
    tables = places.tables_of(place, database)
    return sum(database.count(table.name, tenant_id) for _, table in tables)


def manifest_of(organisation: Organisation) -> Manifest:
    settings = current_app.config["SETTINGS"]
    return Manifest(
        tenant_id=str(organisation.id),
        slug=organisation.slug,
        name=organisation.name,
        created_at=organisation.created_at.isoformat(),
        stage=stage.names()[-1],
        release=settings.release,
        exported_at=now().isoformat(),
        migrations={},
    )
