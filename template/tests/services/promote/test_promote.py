"""A promote from end to end: every row is where it belongs, as it was."""

import hashlib
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import create_engine, make_url, text

from app.db import METADATA
from app.migrate import current_of, heads_of
from app.stages.services.promote.run import copy, finish, plan_of, promote
from tests.services.promote import team

pytestmark = pytest.mark.postgres

TEAMS = [
    team.FOLDERS,
    team.NOTES,
    team.CURRENCIES,
    team.TAGS,
    team.TAGGED,
    team.BRANDS,
    team.ARTICLES,
    team.PRICES,
    team.CLICKS,
]


@pytest.mark.parametrize("target_kind", ["postgresql", "sqlite"], indirect=True)
def test_every_value_arrives_as_it_was(world):
    promote(world.source, world.targets)

    for table in TEAMS:
        assert world.rows("features", table) == world.rows(None, table), table.name
    users = sa.Table("auth_users", sa.MetaData(), sa.Column("id", sa.Uuid), sa.Column("phone"))
    assert world.rows("auth", users) == world.rows(None, users)
    for name in ("auth_users", "auth_tenants"):
        table = METADATA["auth"].tables[name]
        assert world.rows("auth", table) == world.rows(None, table)


def test_shared_rows_go_to_who_runs_the_code_they_name(world):
    promote(world.source, world.targets)

    jobs, inbox = (
        METADATA["shared"].tables["shared_jobs"],
        METADATA["shared"].tables["shared_inbox"],
    )
    assert names(world, "auth", jobs.c.name) == {"app.auth.mails.send"}
    assert names(world, "billing", jobs.c.name) == {"app.billing.jobs.bill"}
    assert names(world, "analytics", jobs.c.name) == set()
    assert names(world, "features", jobs.c.name) == {"app.features.x.do", "app.mail.go"}
    assert names(world, "analytics", inbox.c.listener) == {"app.analytics.listeners.hear"}
    assert names(world, "features", inbox.c.listener) == {"app.features.x.hear"}
    audit, outbox = (METADATA["shared"].tables[f"shared_{name}"] for name in ("audit", "outbox"))
    assert len(world.rows("auth", audit)) == len(world.rows("features", outbox)) == 2
    assert world.rows("features", audit) == world.rows("auth", outbox) == []


def names(world, service, column):
    return set(world_column(world, service, column))


def world_column(world, service, column):
    engine = create_engine(world.targets[service], poolclass=sa.NullPool)
    with engine.connect() as connection:
        return list(connection.scalars(sa.select(column)))


@pytest.mark.parametrize("target_kind", ["postgresql", "sqlite"], indirect=True)
def test_the_second_pass_carries_what_was_written_since(world):
    copy(world.source, world.targets, size=7)
    write_more(world)

    done = finish(world.source, world.targets)

    assert done.carried > 0
    for table in TEAMS:
        assert world.rows("features", table) == world.rows(None, table), table.name
    notes = next(one for one in done.comparisons if one.table == "notes")
    assert (notes.added, notes.removed) == (1, 1)
    assert notes.changed == 1


def write_more(world):
    """New, changed and deleted rows, and a name that one row left to another."""
    tenant = world.tenants[0]
    notes, folders = team.NOTES, team.FOLDERS
    with world.engine().begin() as connection:
        mine = sa.select(notes.c.id).where(notes.c.tenant_id == tenant)
        tagged = sa.select(team.TAGGED.c.note_id)
        last, changed = connection.scalars(mine.where(notes.c.id.not_in(tagged)).limit(2))
        connection.execute(notes.delete().where(notes.c.id == last))
        connection.execute(notes.update().where(notes.c.id == changed).values(text="changed"))
        connection.execute(notes.insert(), [team.note(tenant, 1)])
        connection.execute(team.BRANDS.update().values(name="B"))
        for old, new in (("folder 0", "x"), ("folder 1", "folder 0"), ("x", "folder 1")):
            named = (folders.c.tenant_id == tenant) & (folders.c.name == old)
            connection.execute(folders.update().where(named).values(name=new))
        connection.execute(team.CLICKS.insert(), [{"tenant_id": tenant, "page": "/b"}])


@pytest.fixture
def arrays(monkeypatch):
    features = team.FEATURES.replace("\n\ndef downgrade", team.ARRAYS)
    monkeypatch.setattr(team, "FEATURES", features)


@pytest.mark.parametrize("source_kind", ["postgresql"], indirect=True)
def test_tables_that_only_postgresql_knows_travel_too(arrays, world):
    labels = sa.table("labels", sa.column("id"), sa.column("words"), sa.column("found"))
    insert = "INSERT INTO labels VALUES ({}, ARRAY['a', NULL, 'b,\"c\\'], to_tsvector('a b'))"
    with world.engine().begin() as connection:
        connection.execute(text(insert.format(1)))
    plain = {name: url.replace("+psycopg", "") for name, url in world.targets.items()}
    copy(world.source, plain)
    with world.engine().begin() as connection:
        connection.execute(text(insert.format(2)))

    finish(world.source, plain)

    assert world.rows("features", labels) == world.rows(None, labels)
    engine = create_engine(world.targets["features"], poolclass=sa.NullPool)
    with engine.connect() as connection:
        assert connection.scalar(text('SELECT * FROM "Doubled"')) == 4


def test_the_old_database_stays_as_it_was(world):
    before = fingerprint(world)

    promote(world.source, world.targets)

    assert fingerprint(world) == before


def fingerprint(world):
    url = make_url(world.source)
    if url.drivername == "sqlite":
        return hashlib.sha256(Path(url.database).read_bytes()).hexdigest()
    with world.engine().connect() as connection:
        asked = text("SELECT table_name FROM information_schema.tables WHERE table_schema='public'")
        return [
            connection.scalar(
                text(f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM \"{x}\" t")
            )
            for x in sorted(connection.scalars(asked))
        ]


def test_the_targets_are_as_the_migrations_make_them(world):
    """Indexes, constraints and sequences that were away for the copying are back."""
    counts = world.source.startswith("postgresql")
    with world.engine().begin() as connection:
        if counts:
            connection.execute(text("SELECT setval('receipts', 41), setval('tags_id_seq', 500)"))

    promote(world.source, world.targets)

    engine = create_engine(world.targets["features"], poolclass=sa.NullPool)
    with engine.begin() as connection:
        assert connection.scalar(team.RECEIPTS) == (42 if counts else 1)
        assert current_of("features", connection) == heads_of("features")
        found = sa.inspect(connection)
        assert len(found.get_foreign_keys("notes")) == len(found.get_foreign_keys("folders")) == 1
        assert [one["name"] for one in found.get_indexes("notes")] == ["ix_notes_pinned"]
        assert found.get_unique_constraints("folders")
        next_tag = connection.scalar(
            team.TAGS.insert().values(name="new").returning(team.TAGS.c.id)
        )
        assert next_tag == (501 if counts else 301)


def test_the_plan_says_where_rows_go_and_writes_nothing(world):
    plan = plan_of(world.source, world.targets)

    rows = {(line.place.service, line.place.table): line.rows for line in plan.lines}
    assert plan.blockers == []
    assert rows["features", "notes"] == 80
    assert rows["auth", "shared_jobs"] == 2
    assert rows["features", "shared_jobs"] == 4
    assert plan.tenants[str(world.tenants[0])] == plan.tenants[str(world.tenants[1])]
    engine = create_engine(world.targets["auth"], poolclass=sa.NullPool)
    assert sa.inspect(engine).get_table_names() == []
