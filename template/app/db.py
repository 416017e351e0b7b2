"""The database: one `db`, a metadata per package, and the kinds of columns that models share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, cast

from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    Connection,
    Engine,
    ExceptionContext,
    MetaData,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.orm import DeclarativeBase

from app.columns import BigInt, CreatedAt, Id, LongText, Moment, UtcDateTime, new_id, now
from app.tenancy.session import TenantSession

__all__ = [
    "BigInt",
    "CreatedAt",
    "Id",
    "LongText",
    "Model",
    "Moment",
    "SharedModel",
    "UtcDateTime",
    "close_connections",
    "db",
    "engine_at_work",
    "metadata_for",
    "new_id",
    "now",
    "reading",
]

CONNECT_SECONDS = 5
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# Every package by its bind key. The shared tables (jobs, outbox, audit) live in the database
# of the process itself, so that they commit together with the business rows.
PACKAGES: dict[str, str | None] = {
    "shared": None,
    "auth": "auth",
    "billing": "billing",
    "analytics": "analytics",
    "features": "features",
}
TEAMS = "features"
PREFIXES = tuple(f"{package}_" for package in PACKAGES if package != TEAMS)


def make_metadata(package: str) -> MetaData:
    info = {
        "package": package,
        "bind_key": PACKAGES[package],
        "spans_tenants": package in {"auth", "shared"},
    }
    return MetaData(naming_convention=NAMING, info=info)


METADATA = {package: make_metadata(package) for package in PACKAGES}


def metadata_for(package: str) -> MetaData:
    """A package's own metadata: a foreign key into another package fails at import."""
    return METADATA[package]


def owns(package: str, table: str) -> bool:
    """Whether a table is the package's: the template's carry its name, all others the team owns."""
    if table.startswith(("alembic_version", "_promote")):
        return False
    return not table.startswith(PREFIXES) if package == TEAMS else table.startswith(f"{package}_")


class WithId:
    """Gives a new row its id at once, so that events and links can name it before the flush."""

    def __init__(self, **values: Any) -> None:
        if hasattr(type(self), "id"):
            values.setdefault("id", new_id())
        self.registry.constructor(self, **values)  # type: ignore[attr-defined]


class Model(WithId, DeclarativeBase):
    """The base of the team's own tables, those of `app.features`."""

    metadata = metadata_for("features")


class SharedModel(WithId, DeclarativeBase):
    """The base of the tables that every process keeps for itself: jobs, outbox, audit."""

    metadata = metadata_for("shared")


class Database(SQLAlchemy):
    """Flask-SQLAlchemy with one engine per URL, and a second one in autocommit for plain reads.

    Two packages on one SQLite file would lock each other out with an engine each, and on
    PostgreSQL commit apart. While their URLs are equal they share a pool and a transaction.
    """

    def _make_engine(self, bind_key: str | None, options: dict[str, Any], app: Flask) -> Engine:
        pairs = app.extensions["engines_by_url"]
        url = make_url(options["url"]).render_as_string(hide_password=False)
        if url not in pairs:
            pairs[url] = pair = make_pair(app, url, options)
            app.extensions["pairs"][pair.writer] = pair
        return cast(Pair, pairs[url]).writer

    def pair(self, bind_key: str | None) -> "Pair":
        """The engines of a bind: the common ones, or where a later stage says this tenant's is."""
        engine = self.engines[bind_key]
        common: Pair | None = current_app.extensions["pairs"].get(engine)
        if common is None:
            raise LookupError(f"{engine.url} isn't one of this process's databases.")
        route: Route | None = current_app.extensions.get("route")
        return route(common) if route else common

    def writer(self, bind_key: str | None) -> Engine:
        """The engine for transactions apart from the session's."""
        return self.pair(bind_key).writer

    def reader(self, bind_key: str | None) -> Engine:
        """The autocommit engine beside a bind's own: a read costs no BEGIN and no ROLLBACK."""
        return self.pair(bind_key).reader


class Pair(NamedTuple):
    """The two engines of one URL: for transactions, and for reads that need none."""

    writer: Engine
    reader: Engine


Route = Callable[[Pair], Pair]
Tuning = Callable[[Pair], None]


def make_pair(app: Flask, url: str, options: dict[str, Any]) -> Pair:
    """Two engines for a URL, prepared as every engine of the application is."""
    options = {key: value for key, value in options.items() if key != "url"}
    options.setdefault("connect_args", {}).update(patience(url))
    # A statement's values hold addresses and hashes, which have no place in a log.
    options["hide_parameters"] = app.config["SETTINGS"].in_production
    pair = Pair(
        create_engine(url, **options),
        create_engine(url, isolation_level="AUTOCOMMIT", **options),
    )
    for engine in pair:
        prepare(engine)
    forget_together(*pair)
    for tune in app.extensions["engine_tunings"]:
        tune(pair)
    return pair


def tune_engines(app: Flask, tune: Tuning) -> None:
    """Let a later stage prepare each pair of engines: those there are, and those to come."""
    app.extensions["engine_tunings"].append(tune)
    for pair in app.extensions["engines_by_url"].values():
        tune(pair)


def engine_at_work(url: str, **options: Any) -> Engine:
    """An engine for whoever changes tables or carries rows, of all tenants: as their owner.

    It says what it's for, as an owner who is walled, too, passes only then.
    """
    engine = create_engine(url, connect_args=patience(url), **options)
    if engine.dialect.name == "postgresql":
        event.listen(engine, "connect", say_at_work)
    return engine


def say_at_work(connection: Any, _record: Any) -> None:
    autocommit = connection.autocommit
    connection.autocommit = True
    connection.execute("SET app.at_work = 'on'")
    connection.autocommit = autocommit


def patience(url: str) -> dict[str, Any]:
    """How long to wait for a server that doesn't answer; the URL may say something else."""
    parsed = make_url(url)
    given = parsed.drivername == "sqlite" or "connect_timeout" in parsed.query
    return {} if given else {"connect_timeout": CONNECT_SECONDS}


def prepare(engine: Engine) -> None:
    """Set what SQLite needs to serve several threads and processes at once; PostgreSQL's zone."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", tune_sqlite)
        event.listen(engine, "savepoint", begin_before_savepoint)
    else:
        event.listen(engine, "connect", tune_postgres)
        event.listen(engine, "rollback", go_back_by_a_message)


def forget_together(engine: Engine, reader: Engine) -> None:
    """When the server went away, let both give up their connections: each would fail once more."""

    def forget(context: ExceptionContext) -> None:
        if context.is_disconnect:
            engine.dispose()
            reader.dispose()

    event.listen(engine, "handle_error", forget)
    event.listen(reader, "handle_error", forget)


def tune_postgres(connection: Any, _record: Any) -> None:
    """Moments are answered in UTC, whatever the server's own zone is; it's also the fastest."""
    autocommit = connection.autocommit
    connection.autocommit = True
    connection.execute("SET TIME ZONE 'UTC'")
    connection.autocommit = autocommit


def go_back_by_a_message(connection: Connection) -> None:
    """End a transaction that only read, or is given up, as the driver does, but for one thing.

    Its own `rollback()` forgets what it has prepared, for tables may have been made in between.
    Ours are made by migrations, and a session that has read ends with it each time. After an error
    it forgets still: what failed may have been a plan for a table that has changed meanwhile.
    """
    if connection.closed or connection.invalidated:
        return
    raw: Any = connection.connection.dbapi_connection
    driver: Any = connection.dialect.dbapi
    if raw.info.transaction_status.name == "INTRANS":
        with suppress(driver.Error):  # Then the driver's own says what is wrong.
            raw.pgconn.exec_(b"ROLLBACK")


def tune_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "busy_timeout=10000",
        "foreign_keys=ON",
        "synchronous=NORMAL",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def begin_before_savepoint(connection: Connection, _name: str) -> None:
    """Python's driver begins with the first write; a savepoint before that would commit itself."""
    begin_writing(connection)


def begin_writing(connection: Connection) -> None:
    """Become the one writer that SQLite has, unless this transaction is it already."""
    if not connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
        connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def reading(bind_key: str | None) -> Iterator[Connection]:
    """A connection for reads that need no transaction."""
    with db.reader(bind_key).connect() as connection:
        yield connection


def close_connections(app: Flask) -> None:
    """Close what the application holds open, so that another process may have the databases."""
    for engines in app.extensions["engines_by_url"].values():
        for engine in engines:
            engine.dispose()


def init_app(app: Flask) -> None:
    """Bind every package to its database; without a setting of its own, to the common one."""
    settings = app.config["SETTINGS"]
    app.extensions["engines_by_url"] = {}
    app.extensions["pairs"] = {}
    app.extensions["engine_tunings"] = []
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["SQLALCHEMY_BINDS"] = {
        key: settings.database_url_of(key) for key in PACKAGES.values() if key
    }
    db.init_app(app)


db = Database(session_options={"class_": TenantSession}, disable_autonaming=True)
