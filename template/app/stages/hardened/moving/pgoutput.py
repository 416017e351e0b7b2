"""Which rows changed, read from a logical slot: PostgreSQL's own `pgoutput` messages, version 1.

The format is documented under "Logical Replication Message Formats". Only the keys are of use.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg

from app.stages.hardened.moving.tables import TENANT, Table

AT_ONCE = 50_000
READ = (
    "SELECT data FROM pg_logical_slot_get_binary_changes(%s, NULL, %s, "
    "'proto_version', '1', 'publication_names', %s)"
)

Key = tuple[str, ...]
Keys = dict[str, set[Key]]
Row = dict[str, str | None]


@dataclass(slots=True)
class Reader:
    """Takes bytes apart from left to right."""

    data: bytes
    at: int = 0

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def text(self) -> str:
        end = self.data.index(b"\0", self.at)
        found = self.data[self.at : end].decode()
        self.at = end + 1
        return found

    def tuple(self) -> list[str | None]:
        return [self.value() for _ in range(self.number(2))]

    def value(self) -> str | None:
        kind = self.take(1)
        return self.take(self.number(4)).decode() if kind == b"t" else None


@dataclass(slots=True)
class Changes:
    """The keys of all rows that changed, table by table."""

    tables: dict[str, Table]
    tenant: str
    relations: dict[int, tuple[str, list[str]]] = field(default_factory=dict)

    def read(self, connection: psycopg.Connection, slot: str, publications: str) -> Keys:
        """What the slot has to tell since it was last asked."""
        found: Keys = {}
        while True:
            messages = connection.execute(READ, (slot, AT_ONCE, publications)).fetchall()
            for (data,) in messages:
                for name, row in self.rows_in(Reader(bytes(data))):
                    self.note(found, name, row)
            if len(messages) < AT_ONCE:
                return found

    def note(self, found: Keys, name: str, row: Row) -> None:
        """Keep a key, unless the row says that it's another tenant's."""
        table = self.tables.get(name)
        if table is not None and row.get(TENANT) in {None, self.tenant}:
            key = tuple(str(row[column]) for column, _ in table.rest)
            found.setdefault(name, set()).add(key)

    def rows_in(self, reader: Reader) -> Iterator[tuple[str, Row]]:
        kind = reader.take(1)
        if kind == b"R":
            self.learn(reader)
        elif kind in {b"I", b"U", b"D"}:
            name, columns = self.relations[reader.number(4)]
            while reader.at < len(reader.data):
                reader.take(1)  # N, K or O: the new row, the old one's key, the old one.
                yield name, dict(zip(columns, reader.tuple(), strict=True))

    def learn(self, reader: Reader) -> None:
        number = reader.number(4)
        schema, name = reader.text(), reader.text()
        reader.take(1)
        columns = []
        for _ in range(reader.number(2)):
            reader.take(1)
            columns.append(reader.text())
            reader.take(8)
        self.relations[number] = (name if schema == "public" else f"{schema}.{name}", columns)


def add(known: Keys, more: Keys) -> Keys:
    """Both together, in the first."""
    for name, keys in more.items():
        known.setdefault(name, set()).update(keys)
    return known


def size(keys: Keys) -> int:
    return sum(map(len, keys.values()))


def as_arrays(table: Table, keys: set[Key]) -> list[Any]:
    """Keys as one array for each column."""
    return [[key[at] for key in keys] for at in range(len(table.rest))]
