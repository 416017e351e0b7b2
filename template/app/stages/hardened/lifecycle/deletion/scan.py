"""The scan: does anything still name the tenant? Every column of every table of every database,
the names of databases and roles, everything in Redis, every file in instance/.

It looks as a dump would: a row is turned into text, so no column can be forgotten, whatever its
type is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from flask import current_app
from psycopg import sql

from app.errors import Refused
from app.stages.hardened.lifecycle.database import Database
from app.stages.hardened.lifecycle.deletion import memory
from app.stages.hardened.lifecycle.deletion.rows import KEPT

# What may name a tenant that is gone: what is kept, and the fence that lets nobody in.
SURVIVES = frozenset({*(f"public.{table}" for table in KEPT), "hardened.placements"})
TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 1, 2
"""
NAMES = """
SELECT 'database ' || datname FROM pg_database WHERE datname ~* %s
UNION ALL SELECT 'role ' || rolname FROM pg_roles WHERE rolname ~* %s
"""
LARGEST_FILE = 256 * 1024 * 1024
Progress = Callable[[str], None]


class StillThere(Refused):
    """The scan has found something of the tenant."""

    title = "Something of the workspace is still there"


@dataclass(frozen=True, slots=True)
class Hit:
    """A place in which something of the tenant is left."""

    store: str
    where: str
    count: int

    def __str__(self) -> str:
        return f"{self.store}: {self.where} ({self.count:,})"


@dataclass(frozen=True, slots=True)
class Looked:
    """How much was looked at, and what was found."""

    tables: int
    rows: int
    keys: int
    files: int
    hits: list[Hit]
    kept: list[Hit]


def needles_of(tenant_id: UUID) -> tuple[bytes, ...]:
    """What to look for: the id in each way in which it may be written."""
    return memory.names_of(tenant_id)


def scan(
    databases: dict[str, Database],
    needles: tuple[bytes, ...],
    progress: Progress,
    leave: frozenset[Path] = frozenset(),
) -> Looked:
    """Look everywhere. `leave` are files that are kept on purpose."""
    tables, rows = 0, 0
    hits: list[Hit] = []
    kept: list[Hit] = []
    pattern = pattern_of(needles)
    for name, database in databases.items():
        for table, count, total in in_tables(database, pattern):
            progress(f"{name}: {table}")
            tables, rows = tables + 1, rows + total
            if count:
                (kept if table in SURVIVES else hits).append(Hit(name, table, count))
        for (what,) in database.rows(NAMES, pattern, pattern):
            hits.append(Hit(name, what, 1))
    keys = look_in_redis(needles, hits)
    files = look_in_files(needles, leave, hits)
    return Looked(tables, rows, keys, files, hits, kept)


def in_tables(database: Database, pattern: str) -> Iterator[tuple[str, int, int]]:
    """Each table of a database, in how many of its rows it stands, and how many there are."""
    for schema, table in database.rows(TABLES):
        yield f"{schema}.{table}", *look(database, schema, table, pattern)


def pattern_of(needles: tuple[bytes, ...]) -> str:
    """A regular expression for the needles as text, and as PostgreSQL shows bytes."""
    words = []
    for needle in needles:
        words.append(needle.hex())
        try:
            text = needle.decode("utf-8")
        except UnicodeDecodeError:
            continue
        words.append("".join(f"\\{one}" if not one.isalnum() else one for one in text))
    return "|".join(words)


def look(database: Database, schema: str, table: str, pattern: str) -> tuple[int, int]:
    """In how many rows of a table it stands, and how many there are."""
    asked = sql.SQL("SELECT count(*) FILTER (WHERE t::text ~* %s), count(*) FROM {}.{} t").format(
        sql.Identifier(schema), sql.Identifier(table)
    )
    found = database.rows(asked, pattern)[0]
    return int(found[0]), int(found[1])


def look_in_redis(needles: tuple[bytes, ...], hits: list[Hit]) -> int:
    redis = memory.client()
    if redis is None:
        return 0
    for key, where in memory.found(redis, needles):
        hits.append(Hit("redis", f"{key.decode('utf-8', 'replace')}: {where}", 1))
    return int(redis.dbsize())


def look_in_files(needles: tuple[bytes, ...], leave: frozenset[Path], hits: list[Hit]) -> int:
    looked = 0
    for path in files():
        looked += 1
        if path in leave:
            continue
        if memory.has(str(path.name).encode(), needles) or stands_in(path, needles):
            hits.append(Hit("files", str(path), 1))
    return looked


def files() -> Iterator[Path]:
    """Every file in instance/, those of an embedded database server aside: it's asked itself."""
    folder = Path(current_app.instance_path)
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        if path.is_file() and not path.is_symlink() and "postgres" not in path.parts:
            yield path


def stands_in(path: Path, needles: tuple[bytes, ...]) -> bool:
    try:
        if path.stat().st_size > LARGEST_FILE:
            return False
        return memory.has(path.read_bytes(), needles)
    except OSError:
        return False
