"""The field of the attacks: our workspace, theirs behind the walls, and everybody who might try."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from sqlalchemy import Connection, Engine, Table, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from app.analytics.models import Fact
from app.auth.identity import hash_of
from app.auth.models import ApiToken, Membership, User
from app.billing.models import Subscription
from app.billing.plans import plans
from app.columns import new_id
from app.db import METADATA, close_connections, db, engine_at_work
from app.limits import limiter
from app.stages.services.settings import SERVICES
from app.tenancy import BelongsToTenant
from app.tenancy.relationships import MAPPERS
from tests.databases import owner_of
from tests.isolation.rows import Row, fill, rows_of, tables
from tests.world import Company, Seat, as_owner, found, sign_in

MARKER = "zqsecretofinitech"
OURS = "ourown"


@dataclass
class Field:
    """Two workspaces with a row in every table, and who sits where."""

    app: Flask
    ours: Company
    theirs: Company
    both: Company
    member: Company
    rows: dict[str, Row]
    our_rows: dict[str, Row]
    make_app: Callable[..., Flask]
    server: str = ""
    layer: str = "all"
    before: dict[str, list[Any]] = field(default_factory=dict)
    eye: Engine | None = None

    @property
    def owner_url(self) -> str:
        with self.app.app_context():
            return owner_of(db.engine.url.render_as_string(hide_password=False))

    def make(self, service: str) -> Flask:
        """Another process, of one service; nobody is asked where its neighbours are."""
        urls = {f"{name}_url": "http://127.0.0.1:1" for name in SERVICES}
        limits = dict(vars(limiter))  # All applications share it.
        made = self.make_app(serves=service, redis_url="redis://127.0.0.1:1/0", **urls)
        vars(limiter).update(limits)
        return made

    def looking(self) -> Connection:
        """A connection that sees the rows of all, as their owner at work."""
        if self.eye is None:
            self.eye = engine_at_work(self.owner_url, poolclass=NullPool)
        return self.eye.connect()

    def content_of(self, seat: Seat) -> dict[str, list[Any]]:
        """Everything that a tenant has."""
        with self.app.app_context(), self.looking() as connection:
            return {table.name: rows_of(connection, table, seat) for table in tables()}

    @property
    def on_postgres(self) -> bool:
        with self.app.app_context():
            return db.engine.dialect.name == "postgresql"

    def models(self) -> Iterator[type[BelongsToTenant]]:
        """Every model whose rows belong to tenants, the team's included."""
        ours = set(METADATA.values())
        for mapper in sorted(MAPPERS, key=lambda mapper: mapper.class_.__name__):
            if issubclass(mapper.class_, BelongsToTenant) and mapper.local_table.metadata in ours:
                yield mapper.class_

    def harm(self) -> str:
        """What of theirs has changed since the last look, in a sentence; empty for nothing."""
        now = self.content_of(self.theirs)
        before, self.before = self.before or now, now
        changed = [name for name, rows in now.items() if rows != before[name]]
        return f"changed theirs: {', '.join(changed)}" if changed else ""

    def refill(self) -> None:
        """Give both what a breach has taken or spoilt."""
        self.rows, self.our_rows = fill(self.theirs, MARKER), fill(self.ours, OURS)
        self.before = self.content_of(self.theirs)

    def loot(self) -> str:
        """What of theirs lies among our own rows."""
        found = [
            name for name, rows in self.content_of(self.ours).items() if MARKER in "".join(rows)
        ]
        return f"put theirs among ours: {', '.join(found)}" if found else ""


def prepare(app: Flask, ours: Company, make_app: Callable[..., Flask], server: str = "") -> Field:
    theirs = sign_in(app, found(app, "initech", MARKER, f"{MARKER}@initech.test", MARKER))
    sam = sign_in(app, ours.join("sam@acme.test", "Sam"))
    with as_owner(app) as connection:
        seat = {"tenant_id": theirs.tenant.id, "user_id": sam.user_id, "role": "member"}
        connection.execute(table_of(Membership).insert(), seat)
    member = sign_in(app, ours.join("max@acme.test", "Max"))
    rows, our_rows = fill(theirs, MARKER), fill(ours, OURS)
    make_sense_of(app, ours)
    forget_how_they_are_run(app, rows, our_rows)
    page = ours.get("/members")
    assert page.status_code == 200, "Our own page doesn't open, so nothing would be tried."
    made = Field(app, ours, theirs, sam, member, rows, our_rows, make_app, server)
    made.before = made.content_of(theirs)
    return made


# What our own pages can't be shown with: the walk's rows hold nothing but words.
def make_sense_of(app: Flask, seat: Seat) -> None:
    with app.app_context():
        plan = plans().default
    sense = {table_of(Subscription): {"plan": plan}, table_of(Fact): {"facts": "{}"}}
    with as_owner(app) as connection:
        for table, values in sense.items():
            mine = table.c.tenant_id == seat.tenant.id
            connection.execute(table.update().where(mine).values(values))


def forget_how_they_are_run(app: Flask, *filled: dict[str, Row]) -> None:
    """Where a tenant is, in which state, and what it's allowed are rows of the stage itself: made
    of mere words they'd close both workspaces, and nothing would be attacked."""
    known = {mapper.local_table.name for mapper in MAPPERS if is_auths_own(mapper.class_)}
    with as_owner(app) as connection:
        for table in reversed(METADATA["auth"].sorted_tables):
            if table.name not in known:
                connection.execute(table.delete())
                for rows in filled:
                    rows.pop(table.name, None)


def is_auths_own(model: type) -> bool:
    return model.__module__ == "app.auth.models"


def table_of(model: Any) -> Table:
    table: Table = model.__table__
    return table


def give_token(seat: Seat, role: str = "") -> str:
    """An API token of somebody, for the workspace they sit in."""
    token = f"sct_{new_id().hex}"
    with seat.app.app_context():
        row = ApiToken(
            tenant_id=seat.tenant.id,
            user_id=seat.user_id,
            name="Attack",
            prefix=token[:8],
            token_hash=hash_of(token),
        )
        db.session.add(row)
        db.session.commit()
    return token


def person(app: Flask, seat: Seat) -> User:
    with app.app_context():
        return db.session.get_one(User, seat.user_id)


@contextmanager
def bypassing(app: Flask, server: str) -> Iterator[None]:
    """Let the application's role pass all policies: what holds then is held by the ORM alone."""
    with app.app_context():
        role = make_url(db.engine.url).username
    say(server, f'ALTER ROLE "{role}" BYPASSRLS')
    close_connections(app)
    try:
        yield
    finally:
        say(server, f'ALTER ROLE "{role}" NOBYPASSRLS')
        close_connections(app)


def say(url: str, *statements: str) -> None:
    """Say something to a server as its superuser, or to a database as its owner."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))


@contextmanager
def at_layer(field: Field, layer: str) -> Iterator[Field]:
    """Leave one layer standing: `orm`, `database`, or all of them."""
    from tests.hardened.attack import layers

    with ExitStack() as stack:
        if layer == "orm" and field.on_postgres:
            stack.enter_context(bypassing(field.app, field.server))
        if layer == "database":
            stack.enter_context(layers.without_the_orms_walls())
        field.layer = layer
        yield field
