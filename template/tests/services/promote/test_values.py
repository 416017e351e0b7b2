"""Values on their way: whatever a column holds, it comes back the same from both databases."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

from app.stages.services.promote.comparing import second_pass
from app.stages.services.promote.copying import Trip, copy_table
from app.stages.services.promote.ledger import Ledger
from app.stages.services.promote.places import Place
from app.stages.services.promote.run import shape_between
from app.stages.services.promote.side import opened
from app.stages.services.promote.values import fields_of, line_of
from tests.services.promote.conftest import plain

MOMENTS = st.datetimes(min_value=datetime(1000, 1, 1))  # noqa: DTZ001
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
COLUMNS = {
    "a_text": (sa.Text(), TEXT),
    "a_bool": (sa.Boolean(), st.booleans()),
    "an_int": (sa.BigInteger(), st.integers(-(2**63), 2**63 - 1)),
    "a_float": (sa.Float(), st.floats(allow_nan=False, allow_subnormal=False)),
    "a_price": (sa.Numeric(12, 2), st.decimals(-(10**9), 10**9, places=2)),
    "a_moment": (sa.DateTime(timezone=True), MOMENTS.map(lambda it: it.replace(tzinfo=UTC))),
    "a_clock": (sa.DateTime(), MOMENTS),
    "a_day": (sa.Date(), st.dates(min_value=date(1000, 1, 1))),
    "an_hour": (sa.Time(), st.times()),
    "a_while": (sa.Interval(), st.timedeltas(timedelta(0), timedelta(days=9999))),
    "some_json": (
        sa.JSON(none_as_null=True),
        st.recursive(
            st.none() | st.booleans() | TEXT | st.integers(-(2**50), 2**50),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
            max_leaves=5,
        ),
    ),
    "some_bytes": (sa.LargeBinary(), st.binary()),
}
KEYS = st.tuples(st.uuids(), TEXT, st.integers(-(2**31), 2**31 - 1))
ROWS = st.dictionaries(
    KEYS,
    st.fixed_dictionaries({name: st.none() | values for name, (_, values) in COLUMNS.items()}),
    max_size=12,
)
METADATA = sa.MetaData()
TABLE = sa.Table(
    "things",
    METADATA,
    sa.Column("uuid", sa.Uuid(), primary_key=True),
    sa.Column("word", sa.Text(), primary_key=True),
    sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
    *(sa.Column(name, type_) for name, (type_, _) in COLUMNS.items()),
)


@given(st.lists(st.none() | TEXT, min_size=1))
def test_a_line_says_what_its_fields_are(fields):
    assert fields_of(line_of(fields)) == fields


@pytest.fixture(scope="module")
def server(postgres_server):
    return postgres_server


@pytest.mark.postgres
@pytest.mark.parametrize("way", ["sqlite to postgresql", "postgresql to sqlite"])
@given(before=ROWS, after=ROWS)
@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # An example takes too long to shrink.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_two_passes_make_any_rows_the_same(server, way, before, after):
    """Whatever was there at the first pass, after the second one it's what the source holds."""
    with TemporaryDirectory() as folder:
        file = f"sqlite:///{Path(folder) / 'things.db'}"
        there = database_of_things(server)
        source_url, target_url = (file, there) if way.startswith("sqlite") else (there, file)
        for url in (source_url, target_url):
            with create_engine(url, poolclass=sa.NullPool).begin() as connection:
                METADATA.drop_all(connection)
                METADATA.create_all(connection)
        put(source_url, before)
        source, target = opened(source_url, writing=False), opened(target_url, writing=True)
        try:
            trip = begin(source, target)
            copy_table(source, trip, lambda *_: None, size=3)
            put(source_url, after)
            compared = second_pass(source, trip, lambda *_: None)
        finally:
            source.close()
            target.close()
        assert compared.differences() == []
        assert read(target_url) == read(source_url)
        assert len(read(target_url)) == compared.rows == len(after)


def database_of_things(server):
    """One database for all examples."""
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'things'").fetchone():
            connection.execute("CREATE DATABASE things")
    return server.rsplit("/", 1)[0] + "/things"


def begin(source, target):
    ledger = Ledger(target)
    ledger.forget()
    ledger.begin("features", source.shown)
    shape = shape_between(source, source.tables()["things"], target, target.tables()["things"])
    return Trip(Place("features", "things"), shape, target)


def put(url, rows):
    """Let the table hold these rows and no others."""
    values = [
        {"uuid": one, "word": word, "number": number} | row
        for (one, word, number), row in rows.items()
    ]
    with create_engine(url, poolclass=sa.NullPool).begin() as connection:
        connection.execute(TABLE.delete())
        if values:
            connection.execute(TABLE.insert(), values)


def read(url):
    with create_engine(url, poolclass=sa.NullPool).connect() as connection:
        rows = connection.execute(sa.select(TABLE))
        return sorted((tuple(map(plain, row)) for row in rows), key=lambda row: repr(row[:3]))
