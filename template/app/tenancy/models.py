"""The mixin that makes a table's rows belong to tenants."""

from uuid import UUID

from sqlalchemy import Table
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import new_id


class BelongsToTenant:
    """Rows of this model belong to one tenant; the tenant leads the primary key.

    The composite key keeps a tenant's rows together on disk, which keeps its lists fast.
    """

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-2)
    id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-1, default=new_id)


def is_tenant_owned(table: object) -> bool:
    """Whether a table's rows belong to tenants: association tables count too.

    The tables of auth and those that a process keeps for itself name a tenant but span them all;
    their metadata says so.
    """
    return (
        isinstance(table, Table)
        and "tenant_id" in table.c
        and not table.metadata.info.get("spans_tenants", False)
    )
