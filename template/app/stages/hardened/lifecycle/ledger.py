"""The ledger of operations: beginning one, who may go on with it, and what it has done so far.

An operation's rows are written in auth's database. Who is at it holds a lease, renewed while it
works: a process that was killed holds none a moment later, and another one goes on.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import orjson
import structlog
from flask import current_app
from sqlalchemy import CursorResult, or_, select, update
from sqlalchemy.exc import IntegrityError

from app.columns import new_id
from app.db import db, now
from app.errors import Refused
from app.stages.hardened.catalog import api as catalog
from app.stages.hardened.lifecycle.models import Operation
from app.stages.hardened.moving.models import Move

log = structlog.get_logger()

LEASE = timedelta(seconds=20)
RENEWED_EVERY = 4.0
SEP = "|"
# What takes rows away, or puts others in their place.
REPLACING = ("delete", "restore")


class InTheWay(Refused):
    """Another operation on this tenant isn't at its end."""

    title = "Something else is being done to this workspace"


class AtIt(Refused):
    """Another process is at this very operation."""

    title = "Somebody is at it already"


class NoSuchOperation(Refused):
    """There is no operation with this id."""

    status = 404
    title = "There is no such operation"


class Lost(Refused):
    """This process was away for so long that another one took its operation up."""


def begin(
    kind: str, tenant_id: UUID, slug: str, operator: str, key: str = "", **asked: Any
) -> UUID:
    """The operation of this kind on this tenant: the open one, or a new one.

    To run the same command again goes on with what was begun; `InTheWay` if that is something
    else.
    """
    key = key or str(tenant_id)
    for _ in range(2):
        if (found := with_key(key)) is not None:
            refuse_another(found, kind, asked)
            return found.id
        refuse_what_is_moved(kind, tenant_id, slug)
        operation = Operation(
            kind=kind,
            tenant_id=tenant_id,
            slug=slug,
            open_key=key,
            state="running",
            operator=operator,
            asked=orjson.dumps(asked).decode(),
            steps="[]",
            evidence="{}",
            doing="",
            done=0,
            total=0,
            error="",
            holder="",
        )
        db.session.add(operation)
        try:
            db.session.commit()
        except IntegrityError:  # Another operator was faster: it's theirs now.
            db.session.rollback()
        else:
            return operation.id
    raise InTheWay(f"Something else began for {slug} at the same moment. Run it again.")


def refuse_what_is_moved(kind: str, tenant_id: UUID, slug: str) -> None:
    """Raises `InTheWay` while rows are on their way, or go along to where they came from."""
    if catalog.entry_of(tenant_id).state == "moving":
        raise InTheWay(f"{slug} is being moved.", hint="See how far that is: flask tenant moves")
    open_ones = select(Move.service).where(Move.tenant_id == tenant_id, Move.open_key.is_not(None))
    if kind in REPLACING and (service := db.session.scalars(open_ones).first()):
        raise InTheWay(
            f"A move of {slug} isn't at its end: what is done to its {service} would go along to "
            "where they came from.",
            hint=f"End it first: flask tenant move {slug} --finish --service {service}",
        )


def with_key(key: str) -> Operation | None:
    return db.session.scalars(select(Operation).where(Operation.open_key == key)).one_or_none()


def refuse_another(found: Operation, kind: str, asked: dict[str, Any]) -> None:
    if found.kind == kind and found.wishes == orjson.loads(orjson.dumps(asked)):
        return
    same = ", with other options" if found.kind == kind else ""
    at = f", at “{found.doing}”" if found.doing else ""
    raise InTheWay(
        f"{found.slug}: “{found.kind}”{same} isn't at its end ({found.state}{at}, begun by "
        f"{found.operator}).",
        hint=f"Go on with it: flask tenant resume-operation {found.id}",
    )


def open_one(tenant_id: UUID) -> Operation | None:
    """What is being done to a tenant, if anything is."""
    return with_key(str(tenant_id))


def give_up(operation_id: UUID) -> None:
    """Abandon an operation that an error stopped, if nobody is at it."""
    statement = (
        update(Operation)
        .where(
            Operation.id == operation_id,
            Operation.state == "stopped",
            or_(Operation.held_until.is_(None), Operation.held_until < now()),
        )
        .values(state="abandoned", open_key=None, finished_at=now())
    )
    db.session.execute(statement)
    db.session.commit()


def find(operation_id: str) -> Operation:
    """The operation with this id; raises `NoSuchOperation`."""
    try:
        found = db.session.get(Operation, UUID(operation_id), populate_existing=True)
    except ValueError:
        found = None
    if found is None:
        raise NoSuchOperation(f"There is no operation {operation_id}: see flask tenant operations")
    return found


def recent(limit: int = 50, *, tenant_id: UUID | None = None, open_ones: bool = False):
    """The latest operations, newest first."""
    statement = select(Operation).order_by(Operation.id.desc()).limit(limit)
    if tenant_id:
        statement = statement.where(Operation.tenant_id == tenant_id)
    if open_ones:
        statement = statement.where(Operation.open_key.is_not(None))
    return list(db.session.scalars(statement))


# --- Who is at it --------------------------------------------------------------------------------


@contextmanager
def held(operation_id: UUID) -> Iterator["Hold"]:
    """Be the one who is at an operation; raises `AtIt` if another is."""
    hold = Hold(operation_id)
    hold.take()
    over = threading.Event()
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    thread = threading.Thread(target=renew, args=(app, hold, over), daemon=True)
    thread.start()
    try:
        yield hold
    finally:
        over.set()
        thread.join()
        hold.let_go()


def renew(app: Any, hold: "Hold", over: threading.Event) -> None:
    with app.app_context():
        while not over.wait(RENEWED_EVERY):
            try:
                hold.write(held_until=now() + LEASE)
            except Lost:
                return
            except Exception as error:
                log.warning("lease not renewed", error=repr(error))


class Hold:
    """The lease of one process on one operation. What it writes fails once another has it."""

    def __init__(self, operation_id: UUID) -> None:
        self.id = operation_id
        self.name = SEP.join([socket.gethostname(), str(os.getpid()), new_id().hex])

    def take(self) -> None:
        """Take the lease if nobody has it, or if whoever had it is dead."""
        found = db.session.get(Operation, self.id, populate_existing=True)
        if found is None:
            raise NoSuchOperation(f"There is no operation {self.id}.")
        dead = [found.holder] if is_dead(found.holder) else []
        db.session.rollback()
        free = or_(
            Operation.held_until.is_(None),
            Operation.held_until < now(),
            Operation.holder.in_(dead),
        )
        if not self.change(free, holder=self.name, held_until=now() + LEASE):
            host, process, _ = found.holder.split(SEP)
            raise AtIt(
                f"Process {process} on {host} is at it: “{found.kind}” of {found.slug}, "
                f"step “{found.doing}”.",
                hint="Wait for it. If it was killed, its hold ends within "
                f"{LEASE.seconds} seconds; then run this again.",
            )

    def write(self, **values: Any) -> None:
        """Change the operation's row at once; raises `Lost` if another has it."""
        if not self.change(Operation.holder == self.name, **values):
            raise Lost("Another process took this operation up; this one has stopped.")

    def change(self, condition: Any, **values: Any) -> bool:
        statement = update(Operation).where(Operation.id == self.id, condition).values(**values)
        with db.writer("auth").begin() as connection:
            return bool(cast("CursorResult[Any]", connection.execute(statement)).rowcount)

    def write_along(self, **values: Any) -> None:
        """Change the row in the session's transaction, so that it commits with the step."""
        statement = (
            update(Operation)
            .where(Operation.id == self.id, Operation.holder == self.name)
            .values(**values)
            .execution_options(synchronize_session=False)
        )
        if not cast("CursorResult[Any]", db.session.execute(statement)).rowcount:
            raise Lost("Another process took this operation up; this one has stopped.")

    def let_go(self) -> None:
        try:
            self.change(Operation.holder == self.name, holder="", held_until=None)
        except Exception as error:  # It ends by itself.
            log.warning("lease not given back", error=repr(error))


def is_dead(holder: str) -> bool:
    """Whether this is a process of this machine that is there no more."""
    if not holder:
        return False
    host, process, _ = holder.split(SEP)
    if host != socket.gethostname() or int(process) == os.getpid():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
