"""Putting an archive's rows where they belong: into each database in one transaction, checked.

What was written is read again and compared with the archive before the transaction ends, so either
every row of a database is there as it was, or none was touched.
"""

import hashlib
from collections.abc import Callable, Iterator

from app.errors import Refused
from app.stages.hardened.lifecycle import places
from app.stages.hardened.lifecycle.archive import covers
from app.stages.hardened.lifecycle.archive.files import BadArchive, Reader, line_of, name_of
from app.stages.hardened.lifecycle.database import Database, columns_of
from app.stages.services.promote.shapes import Table

Progress = Callable[[int, int, str], None]


class AnotherRelease(Refused):
    """The archive's tables aren't as the tables here are."""

    title = "The archive is of another release"


class NotEqual(Refused):
    """What was written isn't what the archive holds; it was rolled back."""


def refuse_unfit(archive: Reader, databases: list[tuple[places.Place, Database]]) -> None:
    """Raises `AnotherRelease` or `BadArchive` unless every row has its table and its columns."""
    here = {name_of("auth", table) for table in covers.AS_ROWS}
    for place, database in databases:
        for package in place.packages:
            refuse_other_migrations(package, archive, database.migrations(package))
        for package, table in places.tables_of(place, database):
            here.add(name_of(package, table.name))
    if missing := {name for _, _, name in archive.tables()} - here:
        raise AnotherRelease(f"Nothing here is the table of {', '.join(sorted(missing))}.")


def refuse_other_migrations(package: str, archive: Reader, here: list[str]) -> None:
    there = archive.manifest.migrations.get(package, [])
    if there == here:
        return
    newer = not set(there) <= known_to(package)
    hint = (
        "Bring this installation to the release that made the archive first."
        if newer
        else "Import it into an installation of the release that made it, migrate that one, and "
        "export it again."
    )
    raise AnotherRelease(
        f"The archive has {package} at {', '.join(there) or 'nothing'}; here it's at "
        f"{', '.join(here) or 'nothing'}: the archive is {'newer' if newer else 'older'}.",
        hint=hint,
    )


def known_to(package: str) -> set[str]:
    """The migrations of a package that this code has."""
    from alembic.script import ScriptDirectory  # Alembic is slow to import.

    from app.migrate import config_of

    scripts = ScriptDirectory.from_config(config_of(package))
    return {script.revision for script in scripts.walk_revisions()}


def replace(archive: Reader, place: places.Place, database: Database, progress: Progress) -> int:
    """Make a tenant's rows at a place those of the archive, in one transaction."""
    tenant_id = archive.tenant_id
    tables = list(places.tables_of(place, database))
    total = archive.manifest.rows
    done = 0
    with database.transaction():
        for _, table in reversed(tables):
            database.delete(table.name, tenant_id)
        for package, table in tables:
            name = name_of(package, table.name)
            if name in archive.manifest.files:
                done += database.load(table, rows_of(archive, name, table), tenant_id)
                progress(done, total, table.name)
        for package, table in tables:
            digest = hashlib.sha256()
            for row in database.read(table, tenant_id):
                digest.update(line_of(row))
            name = name_of(package, table.name)
            refuse_difference(archive, name, table.name, digest.hexdigest())
    return done


def rows_of(
    archive: Reader, name: str, table: Table, secret: frozenset[str] = frozenset()
) -> Iterator[dict[str, str | None]]:
    """The rows of a file, which have the columns of the table here, but for those kept secret."""
    columns = set(columns_of(table)) - secret
    for row in archive.rows(name):
        if set(row) != columns:
            odd = ", ".join(sorted(set(row) ^ columns))
            raise AnotherRelease(f"{name} has other columns than {table.name} here: {odd}.")
        if not all(value is None or isinstance(value, str) for value in row.values()):
            raise BadArchive(f"{name} has a value that isn't text.")
        yield row


def refuse_difference(archive: Reader, name: str, table: str, found: str) -> None:
    """Compare the checksum of what was written, and read again, with the archive's."""
    file = archive.manifest.files.get(name)
    wanted = file.sha256 if file else hashlib.sha256().hexdigest()
    if found != wanted:
        raise NotEqual(
            f"{table} doesn't read as the archive has it: a trigger or a rule of the "
            "database changes rows that are added. Nothing was changed."
        )
