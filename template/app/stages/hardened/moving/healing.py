"""A switch whose mover died is decided by somebody else, within seconds: auth's worker looks.

`Mover.settle` decides here as it does when the command runs again: the workspace is served at its
new place if the target had taken over, else where it was. A living mover has the lock of its move,
which the server takes back when the process ends, or when its machine stops answering. One that
is stuck far beyond the time that it gave itself is put out: whatever it does when it wakes up is
refused, as its token, its epoch and its fence are old.
"""

import threading
from datetime import datetime, timedelta
from uuid import UUID

import orjson
import psycopg
import structlog
from flask import Flask, current_app
from sqlalchemy import make_url, select

from app.auth.models import Organisation
from app.columns import now
from app.db import db
from app.stages.hardened.moving import ledger, moves
from app.stages.hardened.moving.models import Move
from app.stages.hardened.moving.mover import GIVES_UP
from app.stages.hardened.moving.sides import Side
from app.tenancy import serving

log = structlog.get_logger()

LOOK_SECONDS = 5.0
GRACE_SECONDS = 8
STUCK = timedelta(seconds=30)
CUT_SHORT = ("fencing", "activating")
PUT_OUT = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND granted "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND objsubid = 1 AND (classid::bigint << 32 | objid::bigint) = hashtextextended(%s, 0)"
)
WORDS = {
    True: "it had been decided: the workspace is served at its new place. Run the move again, "
    "which arms the way back.",
    False: "it wasn't decided: the workspace is served where it was. Run the move again, or give "
    "it up with --abandon.",
}


class Healer:
    """Looks every few seconds whether a switch was cut short."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.stopping = threading.Event()
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        self.thread = threading.Thread(target=self.run, name="moves", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.stopping.set()
        if self.thread is not None:
            self.thread.join(GRACE_SECONDS)

    def run(self) -> None:
        while not self.stopping.wait(LOOK_SECONDS):
            with self.app.app_context():
                try:
                    heal()
                except Exception as error:  # The next look must come all the same.
                    log.warning("moves not looked at", error=repr(error))


def heal() -> int:
    """Decide each switch whose mover is gone; answers how many that were."""
    return sum(map(try_to_settle, cut_short()))


def cut_short() -> list[UUID]:
    """Moves that are in a switch: most of them have a mover that is at it this very moment."""
    with serving(None):
        found = select(Move.id).where(Move.open_key.is_not(None), Move.doing.in_(CUT_SHORT))
        ids = list(db.session.scalars(found))
        db.session.rollback()
    return ids


def try_to_settle(move_id: UUID) -> bool:
    try:
        with serving(None):
            return settle(move_id)
    except ledger.AtIt:
        return False
    except Exception as error:
        log.warning("move not settled", move=str(move_id), error=str(error))
        return False
    finally:
        db.session.rollback()


def settle(move_id: UUID) -> bool:
    """Take a move up and decide it; raises `AtIt` while its mover lives."""
    move = db.session.get_one(Move, move_id, populate_existing=True)
    tenant = db.session.get_one(Organisation, move.tenant_id).as_tenant()
    if is_stuck(move):
        put_out(move_id)
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    with ledger.held(move, tenant) as notes:
        if notes.doing not in CUT_SHORT or "switch" in notes.done:
            return False
        try:
            moves.mover_of(moves.Wish(app, tenant, notes.service), notes).settle()
        except Exception as error:
            moves.note_error(notes, error)
            raise
        words = WORDS["switch" in notes.done]
        notes.write(error=f"The mover died in the switch; {words}")
        log.warning("move settled", tenant=tenant.slug, service=notes.service, result=words)
        return True


def is_stuck(move: Move) -> bool:
    """Whether a mover is long past the time after which it gives up."""
    told = orjson.loads(move.evidence).get(GIVES_UP)
    return told is not None and now() > datetime.fromisoformat(told) + STUCK


def put_out(move_id: UUID) -> None:
    """End the connection that has the lock of a move, and with it the lock."""
    settings = current_app.config["SETTINGS"]
    side = Side("auth", make_url(settings.migrations_url_of("auth")))
    with psycopg.connect(side.conninfo, autocommit=True) as connection:
        row = connection.execute(PUT_OUT, (f"move {move_id}",)).fetchone()
    if row and row[0]:
        log.warning("stuck mover put out", move=str(move_id))
