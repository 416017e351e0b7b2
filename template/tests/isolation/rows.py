"""A row in every table that has a tenant, made from the models: a new model needs nothing here."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, Connection, Table

from app.columns import new_id
from app.db import METADATA
from tests.world import Seat, as_owner

Row = dict[str, Any]

# What a column may hold, by its Python type. Add a line here for a type of your own.
VALUES: dict[type, Any] = {
    UUID: new_id,
    bool: lambda: False,
    int: lambda: 1,
    float: lambda: 1.0,
    Decimal: lambda: Decimal(1),
    date: lambda: datetime.now(UTC).date(),
    datetime: lambda: datetime.now(UTC),
    timedelta: lambda: timedelta(days=1),
    bytes: lambda: b"",
    dict: dict,
    list: list,
}


def tables(*packages: str) -> Iterator[Table]:
    """The tables whose rows have a tenant, those that others point to first."""
    for package in packages or METADATA:
        for table in METADATA[package].sorted_tables:
            if "tenant_id" in table.c:
                yield table


def fill(seat: Seat, marker: str, *packages: str) -> dict[str, Row]:
    """Give a tenant a row in each table, with the marker in every text; answers them by table."""
    rows: dict[str, Row] = {
        "auth_tenants": {"id": seat.tenant.id},
        "auth_users": {"id": seat.user_id},
    }
    with seat.app.app_context(), as_owner(seat.app) as connection:
        for table in tables(*packages):
            mine = table.c.tenant_id == seat.tenant.id
            found = connection.execute(sa.select(table).where(mine)).mappings().first()
            if found:
                rows[table.name] = dict(found)
            else:
                add(connection, table, seat, marker, rows)
    return rows


def add(
    connection: Connection, table: Table, seat: Seat, marker: str, rows: dict[str, Row]
) -> None:
    """Make a row, and before it those of nobody in particular that it points to."""
    for key in table.foreign_keys:
        if key.column.table.name not in rows and key.column.table is not table:
            add(connection, key.column.table, seat, marker, rows)
    rows[table.name] = make(table, seat, marker, rows)
    connection.execute(table.insert(), rows[table.name])


def make(table: Table, seat: Seat, marker: str, rows: dict[str, Row]) -> Row:
    pointers = {
        key.parent.name: rows[key.column.table.name][key.column.name]
        for key in table.foreign_keys
        if key.column.table is not table
    }
    row = {column.name: value_for(column, marker) for column in table.c}
    return {**row, **pointers, **({"tenant_id": seat.tenant.id} if "tenant_id" in table.c else {})}


def value_for(column: Column[Any], marker: str) -> Any:
    kind = getattr(column.type, "impl", column.type).python_type
    if issubclass(kind, str):
        return allowed_by_a_check(column) or f"{marker} {column.name} {new_id().hex}"
    if kind not in VALUES:
        raise AssertionError(
            f"The isolation tests can't make a value for {column.table.name}.{column.name}: "
            f"add {kind.__name__} to VALUES in tests/isolation/rows.py."
        )
    return VALUES[kind]()


def allowed_by_a_check(column: Column[Any]) -> str | None:
    """The first word of `CHECK (state IN ('queued', ...))`, or of an enumeration."""
    if isinstance(column.type, sa.Enum):
        return column.type.enums[0]
    for check in column.table.constraints:
        if isinstance(check, CheckConstraint):
            words = re.search(rf"\b{column.name} IN \('([^']*)'", str(check.sqltext), re.IGNORECASE)
            if words:
                return words[1]
    return None


def ids_in(rows: dict[str, Row]) -> list[UUID]:
    """Every id by which somebody could ask for one of these rows."""
    keys = {
        row[column.name]
        for metadata in METADATA.values()
        for table in metadata.sorted_tables
        for row in [rows.get(table.name)]
        if row
        for column in table.primary_key
        if isinstance(row.get(column.name), UUID)
    }
    return sorted(keys)


def content_of(seat: Seat) -> dict[str, list[Any]]:
    """Everything that a tenant has, to see whether somebody changed it."""
    with seat.app.app_context(), as_owner(seat.app) as connection:
        return {table.name: rows_of(connection, table, seat) for table in tables()}


def rows_of(connection: Connection, table: Table, seat: Seat) -> list[str]:
    mine = table.select().where(table.c.tenant_id == seat.tenant.id)
    return sorted(map(repr, connection.execute(mine)))
