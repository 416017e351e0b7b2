"""The shape of a table: its columns with the key first, and what identifies and owns a row."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from app.stages.services.promote.values import (
    CANONS,
    fields_of,
    line_of,
    order_for,
    unpadded,
    unwire_for,
    wire_for,
)

Key = tuple[str, ...]
TENANT = "tenant_id"
# These carry a tenant's own row: its key is the tenant's id.
TENANTS = "auth_tenants"


@dataclass(frozen=True, slots=True)
class Column:
    """A column as its database describes it."""

    name: str
    type: str
    kind: str
    scale: int | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table as its database describes it; computed columns are left out, they compute again."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]


@dataclass(frozen=True)
class Shape:
    """What both sides read and write of a table, column by column in one order."""

    name: str
    columns: tuple[Column, ...]
    keys: int
    tenant: int | None
    converted: bool

    @property
    def key(self) -> tuple[Column, ...]:
        return self.columns[: self.keys]

    @cached_property
    def orders(self) -> list[Callable[[str], Any]]:
        return [order_for(column.kind) for column in self.key]

    @cached_property
    def hard(self) -> list[tuple[int, Callable[[str], str]]]:
        """The columns whose values can be written in several ways."""
        if not self.converted:
            return []
        found = ((at, CANONS.get(column.kind)) for at, column in enumerate(self.columns))
        return [(at, canon) for at, canon in found if canon]

    def key_of(self, line: bytes) -> Key:
        """What identifies a row."""
        fields = line.rstrip(b"\n").split(b"\t", self.keys)[: self.keys]
        found = zip(self.key, fields_of(b"\t".join(fields) + b"\n"), strict=True)
        return tuple(unpadded(str(one)) if c.kind == "padded" else str(one) for c, one in found)

    def place_of(self, key: Key) -> tuple[Any, ...]:
        """Where a key stands in the order that both sides stream in."""
        return tuple(order(one) for order, one in zip(self.orders, key, strict=True))

    def tenant_of(self, line: bytes) -> bytes:
        """Whose row it is; nobody's is empty."""
        if self.tenant is None:
            return b""
        if self.tenant == 0 and len(self.columns) > 1:
            tenant = line[: line.index(b"\t")]
        else:
            tenant = line.rstrip(b"\n").split(b"\t", self.tenant + 1)[self.tenant]
        return b"" if tenant == b"\\N" else tenant

    def tenant_named(self, tenant: bytes) -> str:
        """The tenant's id as people write it."""
        at = self.tenant
        if not tenant or at is None or self.columns[at].kind != "raw":
            return tenant.decode()
        return wire_for("uuid", None)(unwire_for("raw")(tenant.decode()))

    def canon(self, line: bytes) -> bytes:
        """The line with each value written in the one way."""
        if not self.hard:
            return line
        fields = fields_of(line)
        for at, canon in self.hard:
            value = fields[at]
            if value is not None:
                fields[at] = canon(value)
        return line_of(fields)


def shape_of(name: str, source: Table, typed: Table, *, kind: str | None, converted: bool) -> Shape:
    """How a table travels: in the source's columns, of the types that `typed` has for them.

    Between two SQLite files each value has a type of its own: every `kind` is raw.
    """
    types = {column.name: column for column in typed.columns}
    rest = [column.name for column in source.columns if column.name not in source.key]
    rest.sort(key=lambda column: column != TENANT)
    names = (*source.key, *rest)
    columns = tuple(replace(types[one], kind=kind or types[one].kind) for one in names)
    return Shape(name, columns, len(source.key), tenant_column(name, names), converted)


def tenant_column(table: str, names: tuple[str, ...]) -> int | None:
    if table == TENANTS:
        return names.index("id")
    return names.index(TENANT) if TENANT in names else None
