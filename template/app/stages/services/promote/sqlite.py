"""A SQLite file on either side."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import make_url

from app.stages.services.promote.errors import Refused
from app.stages.services.promote.shapes import Column, Key, Shape, Table
from app.stages.services.promote.side import Side, Where
from app.stages.services.promote.values import NULL, fields_of, unwire_for, wire_for

BUSY_SECONDS = 30
AT_ONCE = 2000
GENERATED = {2, 3}
# What a value raises that isn't of its column's kind.
UNFIT = (ValueError, TypeError, KeyError, AttributeError, OverflowError)


class SqliteSide(Side):
    """One connection; a source's is opened for reading only, so not even by mistake it writes."""

    dialect = "sqlite"

    def __init__(self, url: str, *, writing: bool) -> None:
        super().__init__(url)
        self.writing = writing
        self.file = Path(make_url(url).database or "")
        if not writing and not self.file.is_file():
            raise Refused(f"There is no file {self.file}.")
        self.connection = self.connect()

    def connect(self) -> sqlite3.Connection:
        mode = "rwc" if self.writing else "ro"
        address = f"file:{quote(str(self.file.absolute()))}?mode={mode}"
        try:
            connection = sqlite3.connect(
                address, uri=True, timeout=BUSY_SECONDS, isolation_level=None
            )
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
            if self.writing:
                connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.DatabaseError as error:
            raise Refused(f"{self.shown} can't be opened: {error}") from None
        connection.execute("PRAGMA foreign_keys=OFF")
        return connection

    def close(self) -> None:
        self.connection.close()

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(statement.replace("%s", "?"), values).fetchall()

    def execute(self, statement: str, *values: Any) -> None:
        try:
            self.connection.execute(statement.replace("%s", "?"), values)
        except sqlite3.DatabaseError as error:
            raise Refused(f"{self.shown} refused: {error}\nIt was asked: {statement}") from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def claim(self) -> None:
        """A file is for trying it out: nobody is kept out."""

    def reading(self) -> "SqliteSide":
        return SqliteSide(self.url, writing=False)

    def identity(self) -> tuple[object, ...]:
        known = self.file.stat()
        return known.st_dev, known.st_ino

    def all_tables(self) -> dict[str, Table]:
        names = self.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        return {name: self.table(name) for (name,) in names if not name.startswith("sqlite_")}

    def table(self, name: str) -> Table:
        columns, key = [], []
        for _, column, type_, _, _, place, hidden in self.rows(f"PRAGMA table_xinfo({q(name)})"):
            if hidden not in GENERATED:
                columns.append(Column(column, type_, "raw"))
            if place:
                key.append((place, column))
        return Table(name, tuple(columns), tuple(column for _, column in sorted(key)))

    def versions(self, package: str) -> set[str]:
        table = f"alembic_version_{package}"
        if not self.rows("SELECT 1 FROM sqlite_master WHERE name = ?", table):
            return set()
        return {row[0] for row in self.rows(f"SELECT version_num FROM {table}")}  # noqa: S608

    def count(self, table: str, where: Where | None = None) -> int:
        condition, values = conditions(where)
        return int(self.rows(f"SELECT count(*) FROM {q(table)}{condition}", *values)[0][0])  # noqa: S608

    def tenant_counts(self, table: str, column: str) -> dict[str, int]:
        asked = f"SELECT {q(column)}, count(*) FROM {q(table)} GROUP BY 1"  # noqa: S608
        wire = wire_for("uuid", None)
        return {wire(tenant) if tenant else "": count for tenant, count in self.rows(asked)}

    def distinct(self, table: str, column: str) -> list[str]:
        asked = f"SELECT DISTINCT {q(column)} FROM {q(table)}"  # noqa: S608
        return [row[0] for row in self.rows(asked)]

    # --- Rows out ------------------------------------------------------------------------------

    def batch(self, shape: Shape, where: Where | None, after: Key | None, size: int) -> list[bytes]:
        condition, values = conditions(where)
        key = ", ".join(q(column.name) for column in shape.key)
        if after is not None:
            marks = ", ".join("?" * shape.keys)
            condition += f"{' AND' if condition else ' WHERE'} ({key}) > ({marks})"
            values = [*values, *raw_key(shape, after)]
        asked = f"SELECT {names(shape)} FROM {q(shape.name)}{condition} ORDER BY {key} LIMIT {size}"  # noqa: S608
        return list(self.lines(shape, asked, values))

    def stream(self, shape: Shape, where: Where | None = None) -> Iterator[bytes]:
        condition, values = conditions(where)
        order = ", ".join(q(column.name) for column in shape.key or shape.columns)
        asked = f"SELECT {names(shape)} FROM {q(shape.name)}{condition} ORDER BY {order}"  # noqa: S608
        return self.lines(shape, asked, values)

    def fetch(self, shape: Shape, keys: Sequence[Key]) -> list[bytes]:
        marks = " AND ".join(f"{q(column.name)} = ?" for column in shape.key)
        asked = f"SELECT {names(shape)} FROM {q(shape.name)} WHERE {marks}"  # noqa: S608
        return [line for key in keys for line in self.lines(shape, asked, raw_key(shape, key))]

    def lines(self, shape: Shape, asked: str, values: Sequence[Any]) -> Iterator[bytes]:
        wires = [wire_for(column.kind, column.scale) for column in shape.columns]
        with closing(self.connection.cursor()) as cursor:
            cursor.execute(asked, values)
            while rows := many_of(cursor, shape):
                for row in rows:
                    try:
                        yield line_from(wires, row)
                    except UNFIT:
                        raise Refused(unfit(shape, wires, row)) from None

    # --- Rows in -------------------------------------------------------------------------------

    def insert(self, shape: Shape, lines: Sequence[bytes]) -> None:
        marks = ", ".join("?" * len(shape.columns))
        # A row that is in the way is out of date; the second pass brings it as it is now.
        asked = f"INSERT OR REPLACE INTO {q(shape.name)} ({names(shape)}) VALUES ({marks})"  # noqa: S608
        unwires = [unwire_for(column.kind) for column in shape.columns]
        try:
            self.connection.executemany(asked, (values_in(unwires, line) for line in lines))
        except sqlite3.DatabaseError as error:
            raise Refused(f"A row of {shape.name} doesn't fit: {error}.") from error

    def delete(self, shape: Shape, keys: Sequence[Key]) -> None:
        marks = " AND ".join(f"{q(column.name)} = ?" for column in shape.key)
        asked = f"DELETE FROM {q(shape.name)} WHERE {marks}"  # noqa: S608
        self.connection.executemany(asked, (raw_key(shape, key) for key in keys))

    def empty(self, tables: Sequence[str]) -> None:
        for table in tables:
            self.connection.execute(f"DELETE FROM {q(table)}")  # noqa: S608

    def take_down(self, since: int = 0) -> list[tuple[int, str]]:
        found = self.rows(
            "SELECT type, name, sql FROM sqlite_master "
            "WHERE type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY type, name"
        )
        taken = []
        for kind, name, statement in found:
            turn = int(kind == "trigger" or "UNIQUE INDEX" in statement.upper())
            if turn >= since:
                self.execute(f"DROP {kind} {q(name)}")
                taken.append((turn, statement))
        return taken

    def settle(self, counted: dict[str, int]) -> None:
        if broken := self.broken_references():
            raise Refused(f"{self.shown}: {'; '.join(broken)}.")

    def analyse(self) -> None:
        self.execute("ANALYZE")

    # --- A source that nobody writes to --------------------------------------------------------

    @contextmanager
    def standing_still(self, tables: Sequence[str]) -> Iterator[None]:
        """SQLite shows a reader one state; afterwards it tells whether another one has come."""
        self.connection.execute("BEGIN")
        try:
            self.connection.execute("SELECT 1 FROM sqlite_master").fetchone()
            before = self.rows("PRAGMA data_version")
            yield
        finally:
            self.connection.execute("ROLLBACK")
        if self.rows("PRAGMA data_version") != before:
            raise Refused(
                f"{self.shown} was written to meanwhile: what came isn't carried. Stop the "
                "product, web processes and workers, then run `flask promote finish` again; "
                "nothing that was copied is lost."
            )

    def broken_references(self) -> list[str]:
        counts: dict[tuple[str, str], int] = {}
        for table, _row, parent, _ in self.connection.execute("PRAGMA foreign_key_check"):
            counts[table, parent] = counts.get((table, parent), 0) + 1
        return [
            f"{count:,} rows of {table} refer to rows of {parent} that aren't there"
            for (table, parent), count in counts.items()
        ]


def many_of(cursor: sqlite3.Cursor, shape: Shape) -> list[tuple[Any, ...]]:
    try:
        return cursor.fetchmany(AT_ONCE)
    except sqlite3.OperationalError as error:  # Text that isn't UTF-8, for one.
        raise Refused(
            f"A row of {shape.name} can't be read: {error}. Mend it in the source and run the "
            "command again."
        ) from None


def q(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def names(shape: Shape) -> str:
    return ", ".join(q(column.name) for column in shape.columns)


def conditions(where: Where | None) -> tuple[str, list[Any]]:
    if where is None:
        return "", []
    word = "NOT IN" if where.negated else "IN"
    marks = ", ".join("?" * len(where.values))
    return f" WHERE {q(where.column)} {word} ({marks})", list(where.values)


def raw_key(shape: Shape, key: Key) -> list[Any]:
    return [unwire_for(column.kind)(one) for column, one in zip(shape.key, key, strict=True)]


def line_from(wires: Sequence[Callable[[Any], str]], row: Sequence[Any]) -> bytes:
    fields = [
        NULL if value is None else wire(value) for wire, value in zip(wires, row, strict=True)
    ]
    return ("\t".join(fields) + "\n").encode()


def values_in(unwires: Sequence[Callable[[str], Any]], line: bytes) -> list[Any]:
    fields = zip(unwires, fields_of(line), strict=True)
    return [None if field is None else unwire(field) for unwire, field in fields]


def unfit(shape: Shape, wires: Sequence[Callable[[Any], str]], row: Sequence[Any]) -> str:
    """Which value of a row isn't what its column says: SQLite lets anything in."""
    for column, wire, value in zip(shape.columns, wires, row, strict=True):
        try:
            _ = value is None or wire(value)
        except UNFIT:
            key = ", ".join(map(str, row[: shape.keys]))
            return (
                f"{shape.name}.{column.name} holds {value!r} where a {column.type} belongs, in the "
                f"row {key}. Mend it in the source and run the command again."
            )
    return f"A row of {shape.name} can't be read."
