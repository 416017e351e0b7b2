"""The ways to a row that SQLAlchemy knows, and who holds each: the session, or the database.

A path is a function of a target: one model, a row of theirs, a row of ours. It answers what it
read; what it wrote is seen in the tables. To be refused is to be held.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import g
from sqlalchemy import (
    bindparam,
    delete,
    exists,
    func,
    insert,
    inspect,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.orm import aliased, make_transient_to_detached

from app.columns import new_id
from app.db import db, reading
from app.tenancy import Tenant, get_or_404, prepared
from tests.hardened.attack.field import Field, table_of
from tests.isolation.rows import Row

ACROSS: dict[str, Any] = {"across_tenants": "an attack, to see who holds"}
ORM, DATABASE = "orm", "database"
BOTH = {ORM, DATABASE}


@dataclass(frozen=True)
class Target:
    """One model, with a row behind the wall and one before it."""

    model: type[Any]
    theirs: Row
    ours: Row
    our_count: int

    @property
    def table(self) -> Any:
        return table_of(self.model)

    @property
    def bind(self) -> str | None:
        key: str | None = self.table.metadata.info["bind_key"]
        return key

    @property
    def key(self) -> tuple[Any, ...]:
        return tuple(self.theirs[column.name] for column in inspect(self.model).primary_key)

    @property
    def raw_key(self) -> dict[str, Any]:
        return {"id": raw(self.theirs["id"]), "tenant_id": raw(self.theirs["tenant_id"])}

    @property
    def plain(self) -> Any:
        """A column that may be written without another meaning."""
        keys = {*self.table.primary_key, *(part.parent for part in self.table.foreign_keys)}
        others = [column for column in self.table.c if column not in keys]
        differing = (c for c in others if self.ours[c.name] != self.theirs[c.name])
        return next(differing, others[0])

    def detached(self) -> Any:
        """An object that stands for their row without having been read."""
        row = self.model(**{name: self.theirs[name] for name in ("tenant_id", "id")})
        make_transient_to_detached(row)
        return row


Path = Callable[[Target], Any]
PATHS: dict[str, tuple[set[str], Path]] = {}


def path(name: str, held_by: set[str] = BOTH) -> Callable[[Path], Path]:
    def keep(way: Path) -> Path:
        PATHS[name] = held_by, way
        return way

    return keep


def raw(value: Any) -> Any:
    return value.hex if db.engine.dialect.name == "sqlite" else value


def targets(field: Field) -> Iterator[Target]:
    for model in field.models():
        name = table_of(model).name
        yield Target(model, field.rows[name], field.our_rows[name], 1)


def keys(rows: Any) -> list[Any]:
    """What tells rows apart, as they are read."""
    return [(str(row.tenant_id), str(row.id)) for row in rows]


def more_than(count: int, found: int) -> list[str]:
    return [f"{found} rows, of which {count} are ours"] if found > count else []


# --- Reads that the session narrows --------------------------------------------------------------


@path("select a model")
def _(t: Target) -> Any:
    return keys(db.session.scalars(select(t.model)))


@path("legacy query")
def _(t: Target) -> Any:
    return keys(db.session.query(t.model).all())


@path("legacy query by id")
def _(t: Target) -> Any:
    return keys(db.session.query(t.model).filter_by(id=t.theirs["id"]))


@path("columns")
def _(t: Target) -> Any:
    return keys(db.session.execute(select(t.model.tenant_id, t.model.id)))


@path("count")
def _(t: Target) -> Any:
    return more_than(t.our_count, db.session.scalar(select(func.count()).select_from(t.model)))


@path("count of a column")
def _(t: Target) -> Any:
    return more_than(t.our_count, db.session.scalar(select(func.count(t.model.id))))


@path("highest id")
def _(t: Target) -> Any:
    wanted = select(t.model.id).where(t.model.id == t.theirs["id"]).order_by(t.model.id.desc())
    return [*map(str, db.session.scalars(wanted.limit(1)))]


@path("get by key")
def _(t: Target) -> Any:
    return keys(filter(None, [db.session.get(t.model, t.key)]))


@path("get by key, across tenants", {ORM, DATABASE})
def _(t: Target) -> Any:
    return keys(filter(None, [db.session.get(t.model, t.key, execution_options=ACROSS)]))


@path("get one")
def _(t: Target) -> Any:
    return keys([db.session.get_one(t.model, t.key)])


@path("get or 404")
def _(t: Target) -> Any:
    return keys([get_or_404(t.model, t.theirs["id"])])


@path("where it says theirs")
def _(t: Target) -> Any:
    return keys(
        db.session.scalars(select(t.model).where(t.model.tenant_id == t.theirs["tenant_id"]))
    )


@path("alias")
def _(t: Target) -> Any:
    other = aliased(t.model)
    return keys(db.session.execute(select(other.tenant_id, other.id)))


@path("sub-query")
def _(t: Target) -> Any:
    inner = select(t.model).subquery()
    return keys(db.session.execute(select(inner.c.tenant_id, inner.c.id)))


@path("scalar sub-query")
def _(t: Target) -> Any:
    inner = select(func.count(t.model.id)).scalar_subquery()
    return more_than(t.our_count, db.session.scalar(select(inner)))


@path("exists")
def _(t: Target) -> Any:
    there = exists().where(t.model.id == t.theirs["id"])
    return ["it exists"] if db.session.scalar(select(there)) else []


@path("common table expression")
def _(t: Target) -> Any:
    inner = select(t.model.tenant_id, t.model.id).cte()
    return keys(db.session.execute(select(inner.c.tenant_id, inner.c.id)))


@path("union")
def _(t: Target) -> Any:
    one = select(t.model.tenant_id, t.model.id)
    return keys(db.session.execute(one.union_all(one)))


@path("join with itself")
def _(t: Target) -> Any:
    other = aliased(t.model)
    joined = select(other.tenant_id, other.id).select_from(t.model).join(other, literal(True))
    return keys(db.session.execute(joined))


@path("in a list of ids")
def _(t: Target) -> Any:
    ids = [t.ours["id"], t.theirs["id"]]
    return keys(db.session.scalars(select(t.model).where(t.model.id.in_(ids))))


@path("prepared read")
def _(t: Target) -> Any:
    statement = select(t.model.tenant_id, t.model.id)
    return keys(prepared(statement.where(t.model.id >= bindparam("low"))).all(low=UUID(int=0)))


@path("after a switch of the tenant", {ORM})
def _(t: Target) -> Any:
    """The identity map of a session that served theirs before: no SQL is sent at all."""
    mine, g.tenant = g.tenant, tenant_of(t)
    session = db.session()
    kept = [session.get(t.model, t.key)]  # Held, or the map would forget it.
    session.commit()
    g.tenant = mine
    found = session.get(t.model, t.key)
    return [f"{kept and 'kept'} {found.__dict__.get('id', found)}"] if found else []


# --- Reads that the session refuses, and those that only the database can hold -------------------


@path("text")
def _(t: Target) -> Any:
    return keys(db.session.execute(text(f"SELECT tenant_id, id FROM {t.table.name}"), **bound(t)))


@path("text for a model")
def _(t: Target) -> Any:
    written = text(f"SELECT * FROM {t.table.name}")
    return keys(db.session.scalars(select(t.model).from_statement(written)))


@path("text within a select")
def _(t: Target) -> Any:
    return keys(
        db.session.execute(
            select(text("tenant_id"), text("id")).select_from(text(t.table.name)), **bound(t)
        )
    )


@path("text in a condition", {ORM, DATABASE})
def _(t: Target) -> Any:
    return keys(db.session.scalars(select(t.model).where(text("1 = 1 OR 1 = 1"))))


@path("table")
def _(t: Target) -> Any:
    return keys(db.session.execute(select(t.table)))


@path("count of a table")
def _(t: Target) -> Any:
    counted = select(func.count()).select_from(t.table)
    return more_than(t.our_count, db.session.scalar(counted))


@path("text, across tenants", {DATABASE})
def _(t: Target) -> Any:
    written = text(f"SELECT tenant_id, id FROM {t.table.name}").execution_options(**ACROSS)
    return keys(db.session.execute(written, **bound(t)))


@path("model, across tenants", {DATABASE})
def _(t: Target) -> Any:
    return keys(db.session.scalars(select(t.model).execution_options(**ACROSS)))


@path("table, across tenants", {DATABASE})
def _(t: Target) -> Any:
    return keys(db.session.execute(select(t.table).execution_options(**ACROSS)))


@path("the session's connection", {DATABASE})
def _(t: Target) -> Any:
    connection = db.session.connection(bind_arguments={"mapper": inspect(t.model)})
    return keys(connection.execute(select(t.table)))


@path("the session's connection, by the driver", {DATABASE})
def _(t: Target) -> Any:
    connection = db.session.connection(bind_arguments={"mapper": inspect(t.model)})
    return keys(connection.exec_driver_sql(f"SELECT tenant_id, id FROM {t.table.name}"))


@path("the engine", {DATABASE})
def _(t: Target) -> Any:
    with db.engines[t.bind].connect() as connection:
        return keys(connection.execute(select(t.table)).all())


@path("the reader", {DATABASE})
def _(t: Target) -> Any:
    with reading(t.bind) as connection:
        return keys(connection.execute(select(t.table)).all())


@path("refresh of what was never read", {DATABASE})
def _(t: Target) -> Any:
    row = t.detached()
    db.session.add(row)
    db.session.refresh(row)
    return keys([row])


@path("an attribute of what was never read", {DATABASE})
def _(t: Target) -> Any:
    row = t.detached()
    db.session.add(row)
    return [str(getattr(row, t.plain.key)), *keys([row])]


@path("relationships of what was never read", {DATABASE})
def _(t: Target) -> Any:
    ways = inspect(t.model).relationships
    row = t.detached()
    db.session.add(row)
    found = [getattr(row, way.key) for way in ways]
    return [keys(one if isinstance(one, list) else [one]) for one in found if one]


# --- Writes --------------------------------------------------------------------------------------


@path("update by a condition")
def _(t: Target) -> Any:
    theirs = update(t.model).where(t.model.id == t.theirs["id"])
    db.session.execute(theirs.values({t.plain: value(t)}), execution_options=LOOSE)


@path("delete by a condition")
def _(t: Target) -> Any:
    db.session.execute(delete(t.model).where(t.model.id == t.theirs["id"]), execution_options=LOOSE)


@path("bulk update by key")
def _(t: Target) -> Any:
    db.session.execute(update(t.model), [written_over(t)])


@path("bulk update of mappings")
def _(t: Target) -> Any:
    db.session.bulk_update_mappings(inspect(t.model), [written_over(t)])


@path("bulk insert of mappings")
def _(t: Target) -> Any:
    db.session.bulk_insert_mappings(inspect(t.model), [copied(t)])


@path("bulk save")
def _(t: Target) -> Any:
    db.session.bulk_save_objects([t.model(**copied(t))])


@path("insert")
def _(t: Target) -> Any:
    db.session.execute(insert(t.model), [copied(t)])


@path("insert into a table, across tenants", {DATABASE})
def _(t: Target) -> Any:
    db.session.execute(insert(t.table).execution_options(**ACROSS), [copied(t)])


@path("insert by the engine", {DATABASE})
def _(t: Target) -> Any:
    with db.engines[t.bind].begin() as connection:
        connection.execute(insert(t.table), copied(t))


@path("insert from a select")
def _(t: Target) -> Any:
    db.session.execute(loot(t))


@path("insert from a select, across tenants", {DATABASE})
def _(t: Target) -> Any:
    db.session.execute(loot(t).execution_options(**ACROSS))


@path("update of a table, across tenants", {DATABASE})
def _(t: Target) -> Any:
    theirs = update(t.table).where(t.table.c.id == t.theirs["id"]).values({t.plain: value(t)})
    db.session.execute(theirs.execution_options(**ACROSS))


@path("update by text, across tenants", {DATABASE})
def _(t: Target) -> Any:
    written = text(f"UPDATE {t.table.name} SET {t.plain.name} = {t.plain.name}, id = :new")
    by_id = text(f"{written.text} WHERE id = :id").execution_options(**ACROSS)
    given = {"id": t.raw_key["id"], "new": raw(new_id())}
    db.session.execute(by_id, given, **bound(t))


@path("delete by text, across tenants", {DATABASE})
def _(t: Target) -> Any:
    written = text(f"DELETE FROM {t.table.name} WHERE id = :id").execution_options(**ACROSS)
    db.session.execute(written, {"id": t.raw_key["id"]}, **bound(t))


@path("add a row of theirs")
def _(t: Target) -> Any:
    db.session.add(t.model(**copied(t)))


@path("merge a row of theirs")
def _(t: Target) -> Any:
    db.session.merge(t.model(**written_over(t)))


@path("hand ours over to them")
def _(t: Target) -> Any:
    row = db.session.scalars(select(t.model).where(t.model.id == t.ours["id"])).one()
    row.tenant_id = t.theirs["tenant_id"]


@path("delete what was never read")
def _(t: Target) -> Any:
    db.session.delete(t.detached())


@path("change what was never read", {ORM, DATABASE})
def _(t: Target) -> Any:
    row = t.detached()
    db.session.add(row)
    setattr(row, t.plain.key, value(t))


# --- How -----------------------------------------------------------------------------------------

LOOSE = {"synchronize_session": False}


def bound(t: Target) -> dict[str, Any]:
    """Text names no model, so a session needs to be told whose database it's for."""
    return {"bind_arguments": {"bind": db.engines[t.bind]}}


def tenant_of(t: Target) -> Any:
    return Tenant(t.theirs["tenant_id"], "initech", "theirs")


def value(t: Target) -> Any:
    """Another value than the one that stands there, as far as the column's type has one."""
    return t.ours[t.plain.name]


def written_over(t: Target) -> Row:
    """Their row with something of ours in it."""
    return {**t.theirs, t.plain.key: value(t)}


def copied(t: Target) -> Row:
    """Our row as if it were theirs, under an id of its own."""
    unique = {
        column.name: f"attack {new_id().hex}"
        for column in t.table.c
        if column.unique and isinstance(t.ours[column.name], str)
    }
    return {**t.ours, **unique, "tenant_id": t.theirs["tenant_id"], "id": new_id()}


def loot(t: Target) -> Any:
    """Their row, copied to us."""
    columns = [column for column in t.table.c if column.name not in {"tenant_id", "id"}]
    names = ["tenant_id", "id", *(column.name for column in columns)]
    mine = literal(t.ours["tenant_id"]), literal(new_id())
    return insert(t.table).from_select(
        names, select(*mine, *columns).where(t.table.c.id == t.theirs["id"])
    )


def walked(field: Field, name: str) -> Iterator[str]:
    """Go one path to every model, and say what came through."""
    _, way = PATHS[name]
    for target in targets(field):
        if breach := gone(field, target, way):
            yield f"{name}, {target.model.__name__}: {breach}"
    if harm := field.harm() or field.loot():
        yield f"{name}: {harm}"


def gone(field: Field, target: Target, way: Path) -> str:
    """What one path brought; a refusal brings nothing."""
    with field.ours.serving():
        try:
            read = str(way(target) or "")
            db.session.commit()
        except Exception:
            db.session.rollback()
            return ""
    theirs = {str(target.theirs["id"]), str(target.theirs["tenant_id"]), "of which", "it exists"}
    return f"read {read[:120]}" if any(word in read for word in theirs) else ""
