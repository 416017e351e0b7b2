"""The archive as a file: a zip with a manifest, its signature, and a file of rows for each table.

    manifest.json      what this is, of whom, at which migrations; each file's rows and SHA-256
    manifest.jws       the manifest's SHA-256, signed by the service that exported it
    people.ndjson      who belongs to the workspace: address, name, roles, id
    invitations.ndjson who is invited, keys.ndjson which API keys there were: facts, no secrets
    rows/<package>/<table>.ndjson   a JSON object a row, each value as PostgreSQL writes it, or null

Reading checks all of it before a row is used: what was damaged or changed is refused.
"""

import hashlib
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Self
from uuid import UUID

import orjson

from app.errors import Refused
from app.stages.hardened.lifecycle import signing
from app.stages.hardened.lifecycle.archive.covers import FACTS, MANIFEST

FORMAT = 1
KIND = "stagecoach-tenant-archive"
SIGNATURE = "manifest.jws"
LONGEST_MANIFEST = 10_000_000
# What a zip that was cut or changed makes of its reader, wherever that notices.
DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, EOFError)
SAME_MOMENT = (1980, 1, 1, 0, 0, 0)


class BadArchive(Refused):
    """This file isn't a whole and unchanged archive of a tenant."""

    title = "This archive can't be used"


@dataclass(slots=True)
class File:
    """What the manifest says of a file: its rows, its size, and the checksum of its bytes."""

    rows: int
    bytes: int
    sha256: str


@dataclass(slots=True)
class Manifest:
    """What an archive says of itself."""

    tenant_id: str
    slug: str
    name: str
    created_at: str
    stage: str
    release: str
    exported_at: str
    migrations: dict[str, list[str]]
    files: dict[str, File] = field(default_factory=dict)
    format: int = FORMAT
    kind: str = KIND

    @property
    def rows(self) -> int:
        """How many rows of tables there are, people and keys aside."""
        return sum(file.rows for name, file in self.files.items() if name not in FACTS)

    def checksums(self) -> dict[str, str]:
        """The checksum of each table's rows: equal for equal rows."""
        return {name: file.sha256 for name, file in self.files.items() if name not in FACTS}

    def as_json(self) -> bytes:
        return orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)


def name_of(package: str, table: str) -> str:
    return f"rows/{package}/{table}.ndjson"


class Writer:
    """Writes an archive beside its place and moves it there when it's whole."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path, self.manifest = path, manifest
        self.unfinished = path.with_name(f".{path.name}.unfinished")

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.unfinished.touch(mode=0o600)
        self.zip = zipfile.ZipFile(self.unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind:
            self.zip.close()
            self.unfinished.unlink(missing_ok=True)
            return
        self.end()

    def add(self, name: str, rows: Iterable[dict[str, Any]]) -> File:
        """Write a file, a row a line."""
        count, size, digest = 0, 0, hashlib.sha256()
        with self.zip.open(entry(name), "w", force_zip64=True) as file:
            for row in rows:
                line = line_of(row)
                digest.update(line)
                size += file.write(line)
                count += 1
        self.manifest.files[name] = File(count, size, digest.hexdigest())
        return self.manifest.files[name]

    def end(self) -> None:
        text = self.manifest.as_json()
        with self.zip:
            self.zip.writestr(entry(MANIFEST), text)
            self.zip.writestr(entry(SIGNATURE), signing.sign(KIND, {"sha256": sha256(text)}))
        self.unfinished.replace(self.path)


def entry(name: str) -> zipfile.ZipInfo:
    """An entry that says nothing of the machine it was made on."""
    info = zipfile.ZipInfo(name, SAME_MOMENT)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    return info


def line_of(row: dict[str, Any]) -> bytes:
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


class Reader:
    """An archive whose manifest, signature and files were checked; raises `BadArchive`.

    With `only_manifest` the files aren't: they take their time, and a worker checks them anyway.
    """

    def __init__(
        self, path: Path, trusted: Iterable[str] = (), *, only_manifest: bool = False
    ) -> None:
        self.path = path
        try:
            self.zip = zipfile.ZipFile(path)
        except FileNotFoundError:
            raise BadArchive(f"There is no file {path}.") from None
        except (zipfile.BadZipFile, OSError) as error:
            raise BadArchive(f"{path} isn't a zip file, or only part of one: {error}.") from None
        self.manifest = self.read_manifest(tuple(trusted))
        if not only_manifest:
            self.check_files()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.zip.close()

    def read_manifest(self, trusted: tuple[str, ...]) -> Manifest:
        text = self.whole(MANIFEST, LONGEST_MANIFEST)
        signature = self.whole(SIGNATURE, LONGEST_MANIFEST).decode("ascii", "replace")
        said, self.signer = signing.read(KIND, signature, trusted)
        if said.get("sha256") != sha256(text):
            raise BadArchive(f"{self.path}: its manifest was changed after it was signed.")
        found = orjson.loads(text)
        if found.get("format") != FORMAT:
            raise BadArchive(
                f"{self.path} has format {found.get('format')}; this release reads {FORMAT}."
            )
        files = {name: File(**file) for name, file in found.pop("files").items()}
        return Manifest(**found, files=files)

    def whole(self, name: str, longest: int) -> bytes:
        """A file's bytes."""
        try:
            info = self.zip.getinfo(name)
            if info.file_size > longest:
                raise BadArchive(f"{self.path}: {name} is too large to be one.")
            return self.zip.read(info)
        except KeyError:
            raise BadArchive(f"{self.path} has no {name}: it isn't a tenant's archive.") from None
        except DAMAGE as error:
            raise BadArchive(f"{self.path} is damaged at {name}: {error}.") from None

    def check_files(self) -> None:
        """Every file that the manifest lists is there and as it was, and no other is."""
        names = self.zip.namelist()
        listed = {MANIFEST, SIGNATURE, *self.manifest.files}
        if len(names) != len(set(names)) or set(names) != listed:
            odd = sorted(set(names) ^ listed) or ["one of them twice"]
            raise BadArchive(f"{self.path} doesn't hold what its manifest says: {', '.join(odd)}.")
        for name, file in self.manifest.files.items():
            digest, size, rows = hashlib.sha256(), 0, 0
            for line in self.lines(name):
                digest.update(line)
                size += len(line)
                rows += 1
            if (rows, size, digest.hexdigest()) != (file.rows, file.bytes, file.sha256):
                raise BadArchive(f"{self.path} is damaged: {name} isn't what was exported.")

    def lines(self, name: str) -> Iterator[bytes]:
        limit = self.manifest.files[name].bytes
        try:
            with self.zip.open(name) as file:
                yield from within(file, limit)
        except DAMAGE as error:
            raise BadArchive(f"{self.path} is damaged at {name}: {error}.") from None

    def rows(self, name: str) -> Iterator[dict[str, Any]]:
        """The rows of a file; none if the archive hasn't got it."""
        for line in self.lines(name) if name in self.manifest.files else ():
            yield orjson.loads(line)

    def tables(self) -> Iterator[tuple[str, str, str]]:
        """The package and the table of each file of rows, and the file's name."""
        for name in self.manifest.files:
            if name not in FACTS:
                _, package, table = name.split("/")
                yield package, table.removesuffix(".ndjson"), name

    @property
    def tenant_id(self) -> UUID:
        return UUID(self.manifest.tenant_id)


def within(file: IO[bytes], limit: int) -> Iterator[bytes]:
    """The lines of a file that unpacks to no more than it should."""
    seen = 0
    while line := file.readline(limit - seen + 1):
        seen += len(line)
        if seen > limit:
            raise ValueError("it's larger than the manifest says")
        yield line
