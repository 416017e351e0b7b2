"""The session's walls: reads are narrowed to the tenant, writes stamped, the rest refused."""

from typing import Any

from flask import current_app
from flask_sqlalchemy.session import Session
from sqlalchemy import Column, Connection, Engine, Table, TableClause, event
from sqlalchemy.orm import ORMExecuteState, with_loader_criteria
from sqlalchemy.sql import TextClause, visitors

from app.tenancy.context import WrongTenant, current_tenant
from app.tenancy.models import BelongsToTenant, is_tenant_owned

ACROSS = "across_tenants"
BY_KEY = "_by_key"


class UnsafeStatement(RuntimeError):
    """A statement that the tenant filter can't narrow was sent without saying so."""


class TenantSession(Session):
    """A session that serves one tenant.

    A statement that must cross tenants says so, greppably, and says why:
    `execution_options(across_tenants="the operator's report counts them all")`.
    """

    def get_bind(self, *args: Any, **kwargs: Any) -> Engine | Connection:
        """The engine of the tables at hand; a later stage may keep this tenant's elsewhere."""
        bind = super().get_bind(*args, **kwargs)
        route = current_app.extensions.get("route")
        if route is None or not isinstance(bind, Engine):
            return bind
        common = current_app.extensions["pairs"].get(bind)
        # An engine that was chosen by hand has been routed already.
        engine: Engine = route(common).writer if common else bind
        return engine

    def get(self, entity: Any, ident: Any, **kwargs: Any) -> Any:
        """A row by its key, also from the identity map; never another tenant's."""
        options = {**kwargs.pop("execution_options", {}), BY_KEY: True}
        row = super().get(entity, ident, execution_options=options, **kwargs)
        if isinstance(row, BelongsToTenant) and row.tenant_id != current_tenant().id:
            return None
        return row

    def bulk_save_objects(self, *_args: Any, **_kwargs: Any) -> None:
        raise UnsafeStatement("Bulk calls skip the tenant stamp: use session.add_all().")

    def bulk_insert_mappings(self, *_args: Any, **_kwargs: Any) -> None:
        raise UnsafeStatement("Bulk calls skip the tenant stamp: use session.add_all().")

    def bulk_update_mappings(self, *_args: Any, **_kwargs: Any) -> None:
        raise UnsafeStatement("Bulk calls skip the tenant filter: use update(...).where(...).")


@event.listens_for(TenantSession, "do_orm_execute")
def narrow(state: ORMExecuteState) -> None:
    """Narrow a statement to the tenant, or refuse it."""
    if state.execution_options.get(ACROSS) or state.is_column_load or state.is_relationship_load:
        return
    refuse_raw_sql(state.statement)
    if touches_tenant_rows(state.statement):
        refuse_what_cannot_be_narrowed(state)
        state.statement = state.statement.options(only_rows_of(current_tenant().id))


def refuse_raw_sql(statement: Any) -> None:
    """Refuse text that may read anything, wherever it stands in a statement."""
    for part in visitors.iterate(statement):
        if isinstance(part, TextClause) or is_a_table_by_name_only(part):
            raise UnsafeStatement(
                "Raw SQL isn't narrowed to the tenant: write it with select(), or say why with "
                'execution_options(across_tenants="...").'
            )


def is_a_table_by_name_only(part: Any) -> bool:
    """What `sqlalchemy.table("notes")` makes: it doesn't know whose rows those are."""
    return isinstance(part, TableClause) and not isinstance(part, Table)


def touches_tenant_rows(statement: Any) -> bool:
    """Looks at the tables, not the mappers: `select(func.count()).select_from(Note)` has none."""
    return any(is_tenant_owned(part) for part in visitors.iterate(statement)) or is_tenant_owned(
        getattr(statement, "table", None)
    )


def refuse_what_cannot_be_narrowed(state: ORMExecuteState) -> None:
    if not state.is_orm_statement or names_columns_of_tables(state):
        raise UnsafeStatement(
            "Select models, not tables: a table isn't narrowed to the tenant, and neither is one "
            "that associates. Use the relationship: Note.tags.any(...)."
        )
    if state.is_insert:
        raise UnsafeStatement("insert() skips the tenant stamp: use session.add_all().")
    if state.is_update and isinstance(state.parameters, list):
        raise UnsafeStatement("A bulk update by key skips the tenant filter: use where(...).")


def names_columns_of_tables(state: ORMExecuteState) -> bool:
    """Whether it has a column of a tenant's table that no model stands for."""
    if state.execution_options.get(BY_KEY):
        return False  # SQLAlchemy's own statement for `get` is made of such columns.
    statement: Any = state.statement
    return any(
        type(part) is Column and is_tenant_owned(part.table) for part in visitors.iterate(statement)
    )


def only_rows_of(tenant_id: Any) -> Any:
    return with_loader_criteria(
        BelongsToTenant, lambda model: model.tenant_id == tenant_id, include_aliases=True
    )


@event.listens_for(TenantSession, "before_flush")
def stamp(session: TenantSession, _context: Any, _instances: Any) -> None:
    """Stamp new rows with the tenant, and refuse to write another tenant's."""
    for row in session.new:
        if isinstance(row, BelongsToTenant) and row.tenant_id is None:
            row.tenant_id = current_tenant().id
    for row in {*session.new, *session.dirty, *session.deleted}:
        if isinstance(row, BelongsToTenant) and row.tenant_id != current_tenant().id:
            raise WrongTenant(f"This {type(row).__name__} belongs to another tenant.")


def tables_in(statement: Any) -> list[Table]:
    """The tenant-owned tables that a statement mentions anywhere."""
    return [
        part
        for part in visitors.iterate(statement)
        if isinstance(part, Table) and is_tenant_owned(part)
    ]
