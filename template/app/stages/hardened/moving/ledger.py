"""Who moves which tenant, and how far: `auth_moves`, and the lock that lets one process do it.

The lock is the server's own and ends with the process that has it. Besides, whoever takes a move
up leaves a token in its row, and what is noted names the token: a process that slept for an hour
and wakes up finds that it may note nothing more, and so may not switch.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import orjson
import psycopg
from flask import current_app
from sqlalchemy import make_url, select, update
from sqlalchemy.exc import IntegrityError

from app.columns import new_id, now
from app.db import db
from app.errors import Refused
from app.stages.hardened.catalog import api as catalog
from app.stages.hardened.catalog.places import POOL
from app.stages.hardened.lifecycle import ledger as operations
from app.stages.hardened.moving.errors import CannotMove
from app.stages.hardened.moving.models import Move
from app.stages.hardened.moving.sides import Side
from app.tenancy import Tenant, serving

LONGEST_ERROR = 2000
# A machine that went away without a word is noticed after eleven seconds, and its lock is free.
NOTICE_DEATH = (
    "SET tcp_keepalives_idle = 5",
    "SET tcp_keepalives_interval = 2",
    "SET tcp_keepalives_count = 3",
)


class AtIt(Refused):
    """Another process is at this move."""

    title = "Somebody moves this workspace already"


class NoSuchMove(Refused):
    """There is no move with this id."""

    status = 404
    title = "There is no such move"


class Lost(Refused):
    """Another process has taken the move up; this one has stopped."""


def begin(tenant: Tenant, service: str, goal: str, operator: str, silo: str) -> Move:
    """The open move of a tenant's service, or a new one."""
    if (found := open_move(tenant.id, service)) is not None:
        refuse_another_goal(found, goal)
        return found
    here = catalog.place_of(tenant.id, service)
    # Whatever is outside of the pool is a silo to whoever moves, an account's database too.
    if here.is_pool == (goal == POOL):
        raise CannotMove(f"The rows of {service} of {tenant.slug} are in the {here.kind} already.")
    if (other := operations.open_one(tenant.id)) is not None:
        raise CannotMove(
            f"“{other.kind}” of {tenant.slug} isn't at its end.",
            hint="Let it end first: flask tenant operations",
        )
    move = Move(
        tenant_id=tenant.id,
        slug=tenant.slug,
        service=service,
        source=here.kind,
        goal=goal,
        silo=silo if here.is_pool else here.name,
        open_key=key_of(tenant.id, service),
        operator=operator,
        known_epoch=here.epoch,
    )
    db.session.add(move)
    try:
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        raise AtIt("Somebody began to move it at the same moment. Run this again.") from None
    return move


def key_of(tenant_id: UUID, service: str) -> str:
    return f"{tenant_id}:{service}"


def open_move(tenant_id: UUID, service: str) -> Move | None:
    found = select(Move).where(Move.open_key == key_of(tenant_id, service))
    return db.session.scalars(found).one_or_none()


def refuse_another_goal(found: Move, goal: str) -> None:
    if found.goal != goal:
        raise CannotMove(
            f"{found.slug} is on its way to the {found.goal} ({found.state}).",
            hint="Take it back with --back, or end that move with --finish, before another one.",
        )


def recent(limit: int = 50, *, tenant_id: UUID | None = None) -> list[Move]:
    """The latest moves, newest first; of all tenants or of one."""
    statement = select(Move).order_by(Move.id.desc()).limit(limit)
    if tenant_id:
        statement = statement.where(Move.tenant_id == tenant_id)
    return list(db.session.scalars(statement))


def find(move_id: UUID) -> Move:
    """The move with this id; raises `NoSuchMove`."""
    found = db.session.get(Move, move_id, populate_existing=True)
    if found is None:
        raise NoSuchMove(f"There is no move {move_id}: see flask tenant moves")
    return found


def note_refusal(move_id: UUID, why: str) -> None:
    """Let people see why a move doesn't go on, if nobody could note it who was at it."""
    statement = update(Move).where(Move.id == move_id, Move.open_key.is_not(None), Move.error == "")
    db.session.execute(statement.values(error=why[:LONGEST_ERROR]))
    db.session.commit()


@contextmanager
def held(move: Move, tenant: Tenant) -> Iterator["Held"]:
    """Be the one who is at a move; raises `AtIt` if another process is."""
    with alone_at(move):
        yield Held(move.id, tenant)


@contextmanager
def alone_at(move: Move) -> Iterator[None]:
    """Keep others from a move; raises `AtIt` if another process keeps us from it."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    url = make_url(app.config["SETTINGS"].migrations_url_of("auth"))
    if url.get_backend_name() != "postgresql":
        raise CannotMove(
            "Rows move between PostgreSQL databases; this is SQLite.",
            hint="Set AUTH_DATABASE_URL, or run it beside `flask dev`.",
        )
    with psycopg.connect(Side("auth", url).conninfo, autocommit=True) as connection:
        for statement in NOTICE_DEATH:
            connection.execute(statement)
        asked = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
        row: Any = connection.execute(asked, (f"move {move.id}",)).fetchone()
        if not row[0]:
            raise AtIt(
                f"Another process moves {move.slug} ({move.service}), at “{move.doing}”.",
                hint="Wait for it: flask tenant moves",
            )
        yield


class Held:
    """A move's notes, as the process that is at it sees them."""

    def __init__(self, move_id: UUID, tenant: Tenant) -> None:
        self.id, self.tenant, self.token = move_id, tenant, new_id().hex
        with db.writer("auth").begin() as connection:
            taken = update(Move).where(Move.id == move_id).values(token=self.token, error="")
            connection.execute(taken)
        self.read()

    def read(self) -> None:
        """What was noted so far, by whomever."""
        db.session.rollback()
        move = db.session.get(Move, self.id, populate_existing=True)
        if move is None:
            raise Lost("The move is gone.")
        self.service, self.silo, self.state = move.service, move.silo, move.state
        self.source, self.goal = move.source, move.goal
        self.done, self.doing = move.steps_done, move.doing
        self.epoch, self.known_epoch = move.epoch, move.known_epoch
        self.evidence: dict[str, Any] = orjson.loads(move.evidence)
        db.session.rollback()

    @property
    def is_back(self) -> bool:
        """Whether it goes the way back."""
        return self.state == "returning"

    def write(self, **values: Any) -> None:
        """Note something at once; raises `Lost` if another process has taken the move up."""
        for name in ("doing", "state", "epoch", "known_epoch"):
            if name in values:
                setattr(self, name, values[name])
        for name in ("steps", "evidence"):
            if name in values:
                values[name] = orjson.dumps(values[name]).decode()
        statement = update(Move).where(Move.id == self.id, Move.token == self.token)
        with db.writer("auth").begin() as connection:
            if not connection.execute(statement.values(**values)).rowcount:
                raise Lost("Another process took this move up; this one has stopped.")

    def place(self) -> None:
        """Let the catalog say where the rows are from this epoch on; to do it twice is harmless."""
        to_silo = (self.goal == "silo") != self.is_back
        with serving(None):
            catalog.set_placement(
                self.tenant,
                self.service,
                self.silo if to_silo else POOL,
                expected_epoch=self.known_epoch,
                epoch=self.epoch,
            )
            db.session.commit()

    def end(self, state: str) -> None:
        """Close the move."""
        self.write(state=state, open_key=None, doing="", finished_at=now())
