"""Archives that operators send: kept in instance/archives, by their own checksum.

So whoever sends one twice has one, and a name that somebody chose is no path here.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from uuid import UUID

from flask import current_app, request

from app import audit
from app.columns import new_id
from app.db import db
from app.errors import Refused
from app.stages.hardened.lifecycle.archive import operations
from app.stages.hardened.lifecycle.archive.files import BadArchive, Reader

PIECE = 1 << 20
MB = 1_000_000


class TooLarge(Refused):
    """An archive that is too large to be sent through a request."""

    title = "This archive is too large"
    status = 413


@dataclass(frozen=True, slots=True)
class Kept:
    """An archive that was sent, by what its signed manifest says."""

    archive: str
    tenant_id: UUID
    slug: str
    name: str
    rows: int
    signer: str


def allow() -> None:
    """Let this request be as large as an archive may be."""
    request.max_content_length = most()


def most() -> int:
    return int(current_app.config["SETTINGS"].largest_archive_mb) * MB


def body() -> IO[bytes]:
    """What this request sends, if it isn't too large. Raises `TooLarge`."""
    refuse_too_large(request.content_length or 0)
    return request.stream


def take_in(stream: IO[bytes], trusted: Iterable[str], operator: str) -> Kept:
    """Keep an archive that is signed by somebody we trust. Raises `Refused` and keeps nothing."""
    folder = operations.folder()
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{new_id().hex}.unfinished"
    try:
        checksum = copy(stream, unfinished)
        with Reader(unfinished, trusted, only_manifest=True) as found:
            kept = told(f"sent-{checksum[:32]}.zip", found)
        unfinished.replace(folder / kept.archive)
    finally:
        unfinished.unlink(missing_ok=True)
    audit.note("archive.sent", kept.archive, operator=operator, slug=kept.slug, sha256=checksum)
    db.session.commit()
    return kept


def copy(stream: IO[bytes], path: Path) -> str:
    """Write what comes, up to the limit; answers its SHA-256."""
    digest, size = hashlib.sha256(), 0
    path.touch(mode=0o600)
    with path.open("wb") as file:
        while piece := stream.read(PIECE):
            size += len(piece)
            refuse_too_large(size)
            digest.update(piece)
            file.write(piece)
    if not size:
        raise BadArchive("Nothing was sent: the request has no body.")
    return digest.hexdigest()


def refuse_too_large(size: int) -> None:
    if size > most():
        raise TooLarge(
            f"An archive that is sent may have {most() // MB} MB (LARGEST_ARCHIVE_MB).",
            hint="Copy it to instance/archives where auth runs and import it by its name, or "
            "there: flask tenant import FILE",
        )


def told(archive: str, found: Reader) -> Kept:
    manifest = found.manifest
    return Kept(archive, found.tenant_id, manifest.slug, manifest.name, manifest.rows, found.signer)
