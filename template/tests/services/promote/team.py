"""A pretend team: tables of its own of many kinds, and a column that it added to auth's users."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

AUTH = '''"""A phone number for everybody."""
import sqlalchemy as sa
from alembic import op

revision = "auth_9001"
down_revision = {before!r}
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("auth_users", sa.Column("phone", sa.String(), nullable=True))


def downgrade():
    op.drop_column("auth_users", "phone")
'''
FEATURES = '''"""The team's own tables."""
from alembic import op

from tests.services.promote import team

revision = "features_9001"
down_revision = {before!r}
branch_labels = None
depends_on = None


def upgrade():
    team.METADATA.create_all(op.get_bind())
    op.execute("INSERT INTO currencies VALUES ('EUR', 'Euro'), ('OLD', 'Not used any more')")


def downgrade():
    team.METADATA.drop_all(op.get_bind())
'''

# What a team writes that has never run on SQLite.
ARRAYS = """
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql

    op.create_table(
        "labels",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("words", postgresql.ARRAY(sa.Text())),
        sa.Column("found", postgresql.TSVECTOR()),
    )
    op.execute("CREATE MATERIALIZED VIEW labels_counted AS SELECT count(*) AS labels FROM labels")
    op.execute('CREATE MATERIALIZED VIEW "Doubled" AS SELECT 2 * labels FROM labels_counted')


def downgrade"""

METADATA = sa.MetaData()
FOLDERS = sa.Table(
    "folders",
    METADATA,
    sa.Column("tenant_id", sa.Uuid(), primary_key=True),
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("parent_id", sa.Uuid()),
    sa.Column("name", sa.String(80), nullable=False),
    sa.ForeignKeyConstraint(["tenant_id", "parent_id"], ["folders.tenant_id", "folders.id"]),
    sa.UniqueConstraint("tenant_id", "name"),
)
NOTES = sa.Table(
    "notes",
    METADATA,
    sa.Column("tenant_id", sa.Uuid(), primary_key=True),
    sa.Column("id", sa.Uuid(), primary_key=True),
    sa.Column("folder_id", sa.Uuid()),
    sa.Column("text", sa.Text(), nullable=False),
    sa.Column("pinned", sa.Boolean()),
    sa.Column("small", sa.SmallInteger()),
    sa.Column("big", sa.BigInteger()),
    sa.Column("weight", sa.Float()),
    sa.Column("price", sa.Numeric(12, 2)),
    sa.Column("ratio", sa.Numeric()),
    sa.Column("at", sa.DateTime(timezone=True)),
    sa.Column("clock", sa.DateTime()),
    sa.Column("day", sa.Date()),
    sa.Column("hour", sa.Time()),
    sa.Column("lasts", sa.Interval()),
    sa.Column("facts", sa.JSON()),
    sa.Column("picture", sa.LargeBinary()),
    sa.Column("colour", sa.Enum("red", "green", name="colour")),
    sa.Column("twice", sa.Integer(), sa.Computed("small * 2", persisted=True)),
    sa.ForeignKeyConstraint(["tenant_id", "folder_id"], ["folders.tenant_id", "folders.id"]),
    sa.Index("ix_notes_pinned", "tenant_id", "pinned"),
)
# On PostgreSQL only; it's no table's.
RECEIPTS = sa.Sequence("receipts", metadata=METADATA)
sa.Sequence("never_asked", metadata=METADATA)
CURRENCIES = sa.Table(
    "currencies",
    METADATA,
    sa.Column("code", sa.String(), primary_key=True),
    sa.Column("name", sa.String(), nullable=False),
)
TAGS = sa.Table(
    "tags",
    METADATA,
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("name", sa.String(), nullable=False, unique=True),
)
TAGGED = sa.Table(
    "notes_tags",
    METADATA,
    sa.Column("tenant_id", sa.Uuid(), primary_key=True),
    sa.Column("note_id", sa.Uuid(), primary_key=True),
    sa.Column("tag_id", sa.Integer(), sa.ForeignKey("tags.id"), primary_key=True),
    sa.ForeignKeyConstraint(["tenant_id", "note_id"], ["notes.tenant_id", "notes.id"]),
)
BRANDS = sa.Table(
    "brands",
    METADATA,
    sa.Column("code", sa.CHAR(5), primary_key=True),
    sa.Column("name", sa.String(), nullable=False),
)
# Its rows go when their brand does, and are compared before it.
ARTICLES = sa.Table(
    "articles",
    METADATA,
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("brand", sa.CHAR(5), sa.ForeignKey("brands.code", ondelete="CASCADE")),
)
PRICES = sa.Table(
    "Old Prices",
    METADATA,
    sa.Column("Id", sa.Integer(), primary_key=True),
    sa.Column("facts", sa.JSON().with_variant(JSONB(), "postgresql")),
)
# Nothing tells its rows apart.
CLICKS = sa.Table(
    "clicks", METADATA, sa.Column("tenant_id", sa.Uuid()), sa.Column("page", sa.String())
)

STRANGE = (
    "",
    " ",
    "\\N",
    "tab\tnew\nline\rback\\slash\\n \x0b\x0c\x08 \x01",
    "Ünïcödé 🎈 'quotes' \"double\" %s :x",
    "NULL",
    "{}",
    "x" * 5000,
)
MOMENTS = (
    datetime(2026, 1, 31, 12, 0, tzinfo=UTC),
    datetime(2026, 1, 31, 12, 0, 0, 1, tzinfo=UTC),
    datetime(2026, 1, 31, 12, 0, 0, 120000, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
)


def note(tenant: UUID, number: int, folder: UUID | None = None) -> dict[str, object]:
    """A row whose every column holds something else than its neighbours'."""
    moment = MOMENTS[number % len(MOMENTS)]
    empty = number % 7 == 6
    return {
        "tenant_id": tenant,
        "id": uuid4(),
        "folder_id": folder,
        "text": STRANGE[number % len(STRANGE)],
        "pinned": None if empty else bool(number % 2),
        "small": None if empty else number % 1000 - 500,
        "big": None if empty else 2**62 + number,
        "weight": None if empty else (0.1 + 0.2, 1e-7, 1e300, -1.5, 1e15, 3.0)[number % 6],
        "price": None if empty else Decimal(("0.10", "2.675", "-99999.99", "3")[number % 4]),
        "ratio": None if empty else Decimal(("0.5", "12", "-0.125")[number % 3]),
        "at": None if empty else moment,
        "clock": None if empty else moment.replace(tzinfo=None),
        "day": None if empty else date(2024, 2, 29),
        "hour": None if empty else (time(23, 59, 59, 500000), time(1, 2))[number % 2],
        "lasts": None if empty else timedelta(days=number % 50, microseconds=number),
        "facts": ({"b": 1, "a": [1.10, None, "ü"]}, None, [], "text", 0)[number % 5],
        "picture": None if empty else bytes([0, number % 256, 255, 92, 10]),
        "colour": None if empty else ("red", "green")[number % 2],
    }


def fill(engine: sa.Engine, tenants: list[UUID], each: int = 40) -> None:
    """Put rows into all of the team's tables."""
    with engine.begin() as connection:
        connection.execute(CURRENCIES.delete().where(CURRENCIES.c.code == "OLD"))
        connection.execute(
            CURRENCIES.insert(),
            [{"code": code, "name": code} for code in ("Zz", "aa", "Äé", "AB", "a b", "_")],
        )
        connection.execute(
            TAGS.insert(), [{"id": number, "name": f"tag {number}"} for number in (1, 2, 10, 300)]
        )
        connection.execute(
            BRANDS.insert(), [{"code": code, "name": "A"} for code in ("ABCDE", "ABCDF")]
        )
        connection.execute(ARTICLES.insert(), [{"id": 1, "brand": "ABCDE"}])
        facts = {"float": 1e16, "small": 1e-7, "zero": -0.0, "int": 10**30, "places": 1.50}
        connection.execute(PRICES.insert(), [{"Id": 1, "facts": facts}])
        for tenant in tenants:
            fill_tenant(connection, tenant, each)


def fill_tenant(connection: sa.Connection, tenant: UUID, each: int) -> None:
    parents = sorted((uuid4() for _ in range(5)), reverse=True)
    folders = [
        {
            "tenant_id": tenant,
            "id": one,
            "parent_id": parents[number - 1] if number else None,
            "name": f"folder {number}",
        }
        for number, one in enumerate(parents)
    ]
    notes = [note(tenant, number, parents[number % 5]) for number in range(each)]
    connection.execute(FOLDERS.insert(), folders)
    connection.execute(NOTES.insert(), notes)
    connection.execute(
        TAGGED.insert(),
        [{"tenant_id": tenant, "note_id": one["id"], "tag_id": 10} for one in notes[:9]],
    )
    connection.execute(CLICKS.insert(), [{"tenant_id": tenant, "page": "/"}] * 3)
