"""Reading a tenant's rows: one by its id, or many by a statement that was built once."""

from collections.abc import Sequence
from typing import Any, TypeVar
from uuid import UUID

from flask import abort, current_app
from sqlalchemy import Row, Select, Table, bindparam, exc, select
from sqlalchemy.sql.selectable import FromClause, Join

from app.tenancy.context import current_tenant
from app.tenancy.models import BelongsToTenant, is_tenant_owned
from app.tenancy.session import tables_in

Owned = TypeVar("Owned", bound=BelongsToTenant)


def get_or_404(model: type[Owned], row_id: UUID) -> Owned:
    """The tenant's own row with this id; for anybody else's it's 404, as if it did not exist."""
    session = current_app.extensions["sqlalchemy"].session
    row: Owned | None = session.scalars(select(model).where(model.id == row_id)).one_or_none()
    if row is None:
        abort(404)
    return row


class prepared:  # noqa: N801  # It reads as a verb: LIST = prepared(select(...)).
    """A read that is built once and runs often: narrowed to the tenant, outside a transaction.

    Give it a plain `select` of columns, with `bindparam`s for what varies. It answers rows, not
    objects, and sees what is committed. Several times faster than the session for a list.
    Raises `TypeError` for a statement whose tenant-owned tables it can't narrow by itself.
    """

    def __init__(self, statement: "Select[*tuple[Any, ...]]") -> None:
        tables = [table for source in statement.get_final_froms() for table in plain_tables(source)]
        owned = [table for table in tables if is_tenant_owned(table)]
        if not owned or len(owned) != len(set(tables_in(statement))):
            raise TypeError(
                "prepared() narrows plain tables and joins of tenant-owned models: "
                "for subqueries and aliases use db.session."
            )
        self.statement = statement.where(
            *(table.c.tenant_id == bindparam("current_tenant_id") for table in owned)
        )
        self.bind_key: str | None = owned[0].metadata.info["bind_key"]

    def all(self, **values: Any) -> list[Row[Any]]:
        """Every row."""
        values["current_tenant_id"] = current_tenant().id
        try:
            return self._run(values)
        except exc.DBAPIError as error:
            if not error.connection_invalidated:
                raise
            # The server was restarted under an idle connection. The pool is clean now.
            return self._run(values)

    def first(self, **values: Any) -> Row[Any] | None:
        """The first row, or None."""
        rows = self.all(**values)
        return rows[0] if rows else None

    def scalar(self, **values: Any) -> Any:
        """The first column of the first row, or None."""
        row = self.first(**values)
        return row[0] if row else None

    def _run(self, values: dict[str, Any]) -> list[Row[Any]]:
        reader = current_app.extensions["sqlalchemy"].reader(self.bind_key)
        with reader.connect() as connection:
            return list(connection.execute(self.statement, values).all())


def as_dicts(rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    """Rows for JSON: several times faster than to ask each of them for its `_mapping`."""
    names = rows[0]._fields if rows else ()
    return [dict(zip(names, row, strict=True)) for row in rows]


def plain_tables(source: FromClause) -> list[Table]:
    if isinstance(source, Join):
        return plain_tables(source.left) + plain_tables(source.right)
    return [source] if isinstance(source, Table) else []
