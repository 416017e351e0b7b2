"""The walls inside the session: what is narrowed, what is stamped, what is refused."""

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    MetaData,
    Table,
    Uuid,
    bindparam,
    column,
    delete,
    func,
    insert,
    select,
    table,
    text,
    update,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, foreign, mapped_column, relationship

from app.db import Id, WithId, db
from app.tenancy import BelongsToTenant, NoTenant, WrongTenant, get_or_404, prepared, relationships
from app.tenancy.relationships import MAPPERS
from app.tenancy.session import UnsafeStatement
from tests.world import drop_table, make_table


class Base(WithId, DeclarativeBase):
    """A base apart from the team's, so that no migration misses this table."""

    metadata = MetaData(info={"bind_key": "features"})


class Note(BelongsToTenant, Base):
    __tablename__ = "notes_of_the_wall_tests"

    text: Mapped[str] = mapped_column(default="")


class Colour(Base):
    """Something that is nobody's: every tenant has the same ones."""

    __tablename__ = "colours_of_the_wall_tests"

    id: Mapped[Id]


PAINTED = Table(
    "painted_of_the_wall_tests",
    Base.metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("note_id", Uuid, primary_key=True),
    Column("colour_id", ForeignKey(Colour.id), primary_key=True),
    ForeignKeyConstraint(["tenant_id", "note_id"], [Note.tenant_id, Note.id]),
)


@pytest.fixture(autouse=True)
def notes(app, acme, initech):
    """A table with one note of each company."""
    make_table(app, Note.__table__)
    for company in (acme, initech):
        with company.serving():
            db.session.add(Note(text=f"of {company.tenant.slug}"))
            db.session.commit()
    yield
    drop_table(app, Note.__table__)


READS = {
    "all": lambda: list(db.session.scalars(select(Note.text))),
    "aliased": lambda: list(db.session.scalars(select(aliased(Note).text))),
    "subquery": lambda: list(db.session.scalars(select(select(Note).subquery().c.text))),
    "prepared": lambda: [row.text for row in prepared(select(Note.text)).all()],
    "legacy query": lambda: [note.text for note in db.session.query(Note)],
}


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_a_tenant_reads_only_its_own_rows(acme, read):
    with acme.serving():
        assert read() == ["of acme"]


COUNTS = {
    "count from": lambda: db.session.scalar(select(func.count()).select_from(Note)),
    "count of ids": lambda: db.session.scalar(select(func.count(Note.id))),
    "exists": lambda: db.session.scalar(select(func.count()).where(Note.text != "")),
}


@pytest.mark.parametrize("count", COUNTS.values(), ids=COUNTS.keys())
def test_a_tenant_counts_only_its_own_rows(acme, count):
    with acme.serving():
        assert count() == 1


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_reading_without_a_tenant_is_an_error_not_an_empty_list(app, read):
    with app.app_context(), pytest.raises(NoTenant):
        read()


def test_changing_all_rows_changes_only_the_tenants_own(acme, initech):
    with acme.serving():
        db.session.execute(update(Note).values(text="changed"))
        db.session.commit()

    with initech.serving():
        assert db.session.scalars(select(Note.text)).all() == ["of initech"]


def test_deleting_all_rows_deletes_only_the_tenants_own(acme, initech):
    with acme.serving():
        db.session.execute(delete(Note))
        db.session.commit()

    with initech.serving():
        assert db.session.scalar(select(func.count()).select_from(Note)) == 1


def test_a_row_of_another_tenant_is_not_found(acme, initech):
    with initech.serving():
        foreign = db.session.scalars(select(Note)).one()

    with acme.serving(), pytest.raises(Exception, match="404"):
        get_or_404(Note, foreign.id)


def test_a_row_cannot_be_written_for_another_tenant(acme, initech):
    with acme.serving():
        db.session.add(Note(tenant_id=initech.tenant.id, text="smuggled"))

        with pytest.raises(WrongTenant):
            db.session.flush()


def test_a_row_cannot_be_handed_to_another_tenant(acme, initech):
    with acme.serving():
        db.session.scalars(select(Note)).one().tenant_id = initech.tenant.id

        with pytest.raises(WrongTenant):
            db.session.flush()


RAW = text("SELECT * FROM notes_of_the_wall_tests")
NAMED = table("notes_of_the_wall_tests", column("text"))
ROWS = Note.__table__.c
UNSAFE = {
    "raw SQL": lambda: db.session.execute(RAW),
    "raw SQL for a model": lambda: db.session.scalars(select(Note).from_statement(RAW)),
    "raw SQL within": lambda: db.session.execute(select(text("*")).select_from(text("notes"))),
    "a table": lambda: db.session.execute(select(Note.__table__)),
    "a table by its name": lambda: db.session.execute(select(NAMED.c.text)),
    "a table beside a model": lambda: db.session.execute(select(Note.id, ROWS.text)),
    "a table joined": lambda: db.session.execute(select(Colour.id).join(Note, ROWS.id == ROWS.id)),
    "a table within": lambda: db.session.scalars(
        select(Note.id, select(ROWS.text).scalar_subquery())
    ),
    "an association": lambda: db.session.scalars(
        select(Colour.id).join(PAINTED, PAINTED.c.colour_id == Colour.id)
    ),
    "insert": lambda: db.session.execute(insert(Note), [{"text": "x"}]),
    "insert into a table": lambda: db.session.execute(insert(Note.__table__), [{"text": "x"}]),
    "update by key": lambda: db.session.execute(update(Note), [{"id": None, "text": "x"}]),
    "bulk save": lambda: db.session.bulk_save_objects([Note(text="x")]),
    "bulk insert": lambda: db.session.bulk_insert_mappings(Note, [{"text": "x"}]),
    "bulk update": lambda: db.session.bulk_update_mappings(Note, [{"text": "x"}]),
}


@pytest.mark.parametrize("statement", UNSAFE.values(), ids=UNSAFE.keys())
def test_what_cannot_be_narrowed_is_refused(acme, statement):
    with acme.serving(), pytest.raises(UnsafeStatement):
        statement()


def test_a_prepared_read_takes_values(acme):
    found = prepared(select(Note.text).where(Note.text == bindparam("wanted")))

    with acme.serving():
        assert found.scalar(wanted="of acme") == "of acme"
        assert found.first(wanted="of initech") is None


def test_a_prepared_read_refuses_what_it_cannot_narrow():
    with pytest.raises(TypeError, match="plain tables"):
        prepared(select(select(Note).subquery().c.text))


class Hue(Base):
    """Not the tenant's, but with ways to what is."""

    __tablename__ = "hues_of_the_wall_tests"

    id: Mapped[Id]
    notes: Mapped[list[Note]] = relationship(
        primaryjoin=lambda: Hue.id == foreign(Note.id), viewonly=True
    )


class Shade(Base):
    """The same, through an association."""

    __tablename__ = "shades_of_the_wall_tests"

    id: Mapped[Id]
    colours: Mapped[list[Colour]] = relationship(
        secondary=PAINTED,
        primaryjoin=lambda: Shade.id == foreign(PAINTED.c.note_id),
        secondaryjoin=lambda: Colour.id == foreign(PAINTED.c.colour_id),
        viewonly=True,
    )


class Remark(BelongsToTenant, Base):
    """A tenant's, tied to another model of tenants by its id alone."""

    __tablename__ = "remarks_of_the_wall_tests"

    notes: Mapped[list[Note]] = relationship(
        primaryjoin=lambda: Remark.id == foreign(Note.id), viewonly=True
    )


class Reply(BelongsToTenant, Base):
    """The same, tied by the tenant as well."""

    __tablename__ = "replies_of_the_wall_tests"

    notes: Mapped[list[Note]] = relationship(
        primaryjoin=lambda: (
            (Reply.tenant_id == foreign(Note.tenant_id)) & (Reply.id == foreign(Note.id))
        ),
        viewonly=True,
    )


# Applications that other tests make must start all the same.
MAPPERS.difference_update({Hue.__mapper__, Shade.__mapper__, Remark.__mapper__})


@pytest.mark.parametrize(("model", "way"), [(Hue, "Hue.notes"), (Shade, "Shade.colours")])
def test_what_is_nobodys_cannot_lead_to_a_tenants_rows(monkeypatch, model, way):
    monkeypatch.setattr(relationships, "MAPPERS", {model.__mapper__})

    with pytest.raises(relationships.UnsafeRelationship, match=f"{way} leads"):
        relationships.refuse_unsafe()


def test_a_way_between_a_tenants_rows_keeps_to_the_tenant(monkeypatch):
    monkeypatch.setattr(relationships, "MAPPERS", {Reply.__mapper__})
    relationships.refuse_unsafe()

    monkeypatch.setattr(relationships, "MAPPERS", {Remark.__mapper__})
    with pytest.raises(relationships.UnsafeRelationship, match="isn't joined by the tenant"):
        relationships.refuse_unsafe()
