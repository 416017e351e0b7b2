"""What a promote refuses, each with what to do about it; nothing is lost by any."""

import sqlite3
import threading
import time
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy import create_engine, make_url, text

from app.stages.services.promote import run as promote_run
from app.stages.services.promote.errors import Refused
from app.stages.services.promote.run import abandon, copy, finish, plan_of, promote
from tests.services.promote import team

pytestmark = pytest.mark.postgres


@pytest.fixture(params=["sqlite"])
def source_kind(request):
    """What is refused doesn't depend on the source, where not said otherwise."""
    return request.param


@pytest.fixture(params=["sqlite"])
def target_kind(request):
    return request.param


def write(url, statement, **values):
    engine = create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(text(statement), values)


def blockers(world, **targets):
    return "\n".join(plan_of(world.source, world.targets | targets).blockers)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "No database is given for auth: set AUTH_DATABASE_URL or pass --auth URL"),
        ("nonsense", "isn't a database's URL"),
        ("mysql://a/b", "must be SQLite or PostgreSQL"),
        ("postgresql://nobody@127.0.0.1:1/x", "doesn't answer or refused"),
    ],
)
def test_a_wrong_url(world, url, said):
    assert said in blockers(world, auth=url)


def test_a_password_is_never_shown(world):
    said = blockers(world, auth="postgresql://me:secret@127.0.0.1:1/x")

    assert "doesn't answer" in said
    assert "secret" not in said


def test_a_source_that_is_not_there(world):
    plan = plan_of("sqlite:////nowhere/at/all.db", world.targets)

    assert plan.blockers == ["source: There is no file /nowhere/at/all.db."]


def test_a_source_that_is_no_database(world, tmp_path):
    (tmp_path / "text.db").write_text("This is text. " * 100)

    (said,) = plan_of(f"sqlite:///{tmp_path}/text.db", world.targets).blockers

    assert "can't be opened: file is not a database" in said


def test_a_database_that_is_not_the_prototypes(world, tmp_path):
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE x (y)")

    plan = plan_of(f"sqlite:///{tmp_path}/other.db", world.targets)

    assert "Is it the prototype's database?" in plan.blockers[0]


def test_one_database_twice(world):
    promote(world.source, world.targets)

    said = blockers(world, billing=world.targets["auth"])

    assert "auth and billing are one database" in said


def test_the_source_as_a_target(world):
    assert "source and auth are one database" in blockers(world, auth=world.source)


def test_a_source_behind_its_code(world):
    write(world.source, "UPDATE alembic_version_features SET version_num = 'features_0001'")

    said = blockers(world)

    assert "features is at features_0001 and the code at features_9001" in said
    assert "flask db upgrade features" in said


def test_a_target_with_rows_in_it(world):
    write(world.targets["auth"], "CREATE TABLE people (name text)")
    write(world.targets["auth"], "INSERT INTO people VALUES ('Ada')")

    assert "isn't empty (people)" in blockers(world)
    with pytest.raises(Refused, match="isn't empty"):
        copy(world.source, world.targets)


def test_a_target_that_another_source_fills(world, tmp_path):
    copy(world.source, world.targets)
    other = tmp_path / "other.db"
    other.write_bytes((tmp_path / "pooled.db").read_bytes())

    plan = plan_of(f"sqlite:///{other}", world.targets)

    assert "is being filled from sqlite:///" in plan.blockers[0]
    assert "flask promote abandon" in plan.blockers[0]


def test_targets_that_changed_places(world):
    copy(world.source, world.targets)

    swapped = {"auth": world.targets["billing"], "billing": world.targets["auth"]}

    assert "is already being filled for billing" in blockers(world, **swapped)


def test_a_table_that_no_migration_makes(world):
    write(world.source, "CREATE TABLE by_hand (x integer PRIMARY KEY)")

    assert "no migration of features makes the table by_hand" in blockers(world)
    assert plan_of(world.source, world.targets, leave=("by_hand",)).blockers == []


def test_a_column_that_no_migration_makes(world):
    write(world.source, "ALTER TABLE notes ADD COLUMN by_hand text")

    assert "no migration of features makes the column notes.by_hand" in blockers(world)


def test_rows_that_refer_to_nothing(world):
    """SQLite checks that only where it's told to."""
    write(world.source, "DELETE FROM folders")

    said = blockers(world)

    assert "80 rows of notes refer to rows of folders that aren't there" in said


@pytest.mark.parametrize("target_kind", ["postgresql"], indirect=True)
def test_a_value_that_is_not_of_its_column(world):
    """SQLite takes anything anywhere."""
    write(world.source, "UPDATE notes SET small = 'few' WHERE small = -499")

    with pytest.raises(Refused, match=r"notes\.small holds 'few' where a smallint belongs"):
        copy(world.source, world.targets)


@pytest.mark.parametrize("target_kind", ["postgresql"], indirect=True)
def test_a_value_that_is_too_long(world):
    """The message names the row; mended, the same command goes on."""
    write(world.source, "UPDATE folders SET name = :long WHERE name = 'folder 3'", long="x" * 81)
    with pytest.raises(Refused, match=r"folders doesn't fit: value too long .* row's key is"):
        copy(world.source, world.targets)

    write(world.source, "UPDATE folders SET name = 'short' || id WHERE name = :long", long="x" * 81)

    assert promote(world.source, world.targets).rows


@pytest.mark.parametrize("target_kind", ["postgresql"], indirect=True)
def test_a_zero_byte_in_text(world):
    write(world.source, "UPDATE folders SET name = 'a' || char(0) WHERE name = 'folder 3'")

    with pytest.raises(Refused, match="folders doesn't fit: invalid byte sequence"):
        copy(world.source, world.targets)


def test_finishing_before_copying(world):
    with pytest.raises(Refused, match="first pass isn't complete"):
        finish(world.source, world.targets)


def test_promoting_again_what_is_in_use(world):
    promote(world.source, world.targets)

    with pytest.raises(Refused, match="finished and may be in use"):
        copy(world.source, world.targets)
    with pytest.raises(Refused, match="abandon --finished"):
        abandon(world.targets)


def test_abandoning_and_starting_again(world):
    copy(world.source, world.targets)

    assert abandon(world.targets) == list(world.targets)

    assert world.rows("features", team.NOTES) == []
    assert promote(world.source, world.targets).rows
    assert world.rows("features", team.NOTES) == world.rows(None, team.NOTES)


def test_abandoning_what_promote_did_not_fill(world):
    write(world.targets["auth"], "CREATE TABLE people (name text)")
    write(world.targets["auth"], "INSERT INTO people VALUES ('Ada')")

    assert "auth" not in abandon(world.targets)


@pytest.mark.parametrize("source_kind", ["sqlite", "postgresql"], indirect=True)
def test_a_source_that_is_written_to_meanwhile(world, monkeypatch):
    """Nothing is declared verified, and the next try carries what came."""
    copy(world.source, world.targets)
    writers = []
    real = promote_run.refuse_differences

    def write_first(comparisons):
        real(comparisons)
        writers.append(start_writing(world))

    with monkeypatch.context() as patched:
        patched.setattr(promote_run, "refuse_differences", write_first)
        with pytest.raises(Refused, match=r"written to (meanwhile|\(waiting to write)"):
            finish(world.source, world.targets)
    for writer in writers:
        writer.join()

    assert world.rows("features", team.CURRENCIES) != world.rows(None, team.CURRENCIES)
    finish(world.source, world.targets)
    for table in (team.CURRENCIES, team.BRANDS, team.ARTICLES):
        assert world.rows("features", table) == world.rows(None, table), table.name


def start_writing(world):
    """A writer: on SQLite it gets through at once, on PostgreSQL it waits until nobody reads."""
    values = {"code": uuid4().hex, "name": "x"}

    def insert():
        with world.engine().begin() as connection:
            connection.execute(team.CURRENCIES.insert(), values)
            connection.execute(team.BRANDS.update().values(name="written meanwhile"))

    thread = threading.Thread(target=insert)
    thread.start()
    if make_url(world.source).drivername == "sqlite":
        thread.join()
    else:
        time.sleep(0.5)
    return thread


@pytest.mark.parametrize("source_kind", ["postgresql"], indirect=True)
def test_an_open_transaction_in_the_source(world, monkeypatch):
    monkeypatch.setattr("app.stages.services.promote.postgres.LOCK_SECONDS", 1)
    copy(world.source, world.targets)

    with world.engine().begin() as connection:
        connection.execute(text("UPDATE currencies SET name = 'open'"))
        with pytest.raises(Refused, match="a transaction is open"):
            finish(world.source, world.targets)

    assert finish(world.source, world.targets).carried == 7


@pytest.mark.parametrize("source_kind", ["postgresql"], indirect=True)
def test_a_table_in_another_schema(world):
    """It would be left behind without a word."""
    write(world.source, "CREATE SCHEMA crm")
    write(world.source, "CREATE TABLE crm.contacts (id int)")

    (blocker,) = plan_of(world.source, world.targets).blockers
    assert "--leave crm.contacts" in blocker
    assert plan_of(world.source, world.targets, ("crm.contacts",)).blockers == []


@pytest.mark.parametrize("target_kind", ["postgresql"], indirect=True)
def test_a_target_that_keeps_something_else(world):
    """A trigger of the target changes what the second pass writes: that isn't called verified."""
    copy(world.source, world.targets)
    write(world.source, "UPDATE currencies SET name = 'Euros' WHERE code = 'EUR'")
    write(
        world.targets["features"],
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.name := 'spoilt'; RETURN NEW; END $$",
    )
    write(
        world.targets["features"],
        "CREATE TRIGGER spoil BEFORE INSERT ON currencies FOR EACH ROW EXECUTE FUNCTION spoil()",
    )
    write(world.targets["features"], "ALTER TABLE currencies ENABLE ALWAYS TRIGGER spoil")

    with pytest.raises(Refused, match=r"Not verified.*\n.*currencies, tenant \(none\)"):
        finish(world.source, world.targets)
