"""Events: what happened, told to whoever listens, once it is true.

`publish` writes a row (a transactional outbox) in the caller's transaction; after the commit the
worker hands it to each listener, in the tenant it happened in. A listener that fails is tried
again; the inbox remembers which ones have heard, so none hears twice.

A later stage may carry events between processes instead: it sets `app.extensions["transport"]`,
takes the rows from the outbox itself, and hands them over with `hand_over` where they arrive.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import orjson
import structlog
from flask import Flask, current_app
from sqlalchemy import CheckConstraint, CursorResult, Delete, Index, delete, select, tuple_
from sqlalchemy.orm import Mapped, mapped_column

from app import places, queue
from app.actor import act_for, actor_id
from app.columns import first_id_at
from app.db import CreatedAt, Id, LongText, Moment, SharedModel, db, now
from app.errors import Unavailable
from app.tenancy import Tenant, serving, tenant_or_none

log = structlog.get_logger()

# With pauses that double up to an hour, that's a day: an outage of a neighbour loses nothing.
ATTEMPTS = 30
# What was delivered is kept as long as somebody may want to deliver it again.
KEPT = timedelta(days=30)
FORGET_EVERY = timedelta(hours=1)
AT_ONCE, TURNS = 1000, 100  # Rows in one transaction, and transactions in one sweep.


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: its name, its facts (JSON values), when, and who did it."""

    id: UUID
    name: str
    facts: dict[str, Any]
    at: datetime
    actor_id: UUID | None
    tenant: Tenant | None


Listener = Callable[[Event], None]
LISTENERS: dict[str, list[Listener]] = {}


class OutboxRow(SharedModel):
    """An event that was committed, and how far its delivery is."""

    __tablename__ = "shared_outbox"
    __table_args__ = (
        CheckConstraint("state IN ('pending', 'delivered', 'dead')", name="state"),
        Index(None, "state", "due_at"),
    )

    id: Mapped[Id]
    tenant_id: Mapped[UUID | None]
    tenant_slug: Mapped[str] = mapped_column(default="")
    tenant_name: Mapped[str] = mapped_column(default="")
    actor_id: Mapped[UUID | None]
    name: Mapped[str]
    facts: Mapped[LongText]
    at: Mapped[CreatedAt]
    state: Mapped[str] = mapped_column(default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[Moment] = mapped_column(default=now)
    error: Mapped[LongText] = mapped_column(default="")

    def as_event(self) -> Event:
        """The event as listeners see it."""
        tenant = (
            Tenant(self.tenant_id, self.tenant_slug, self.tenant_name) if self.tenant_id else None
        )
        facts = orjson.loads(self.facts)
        return Event(self.id, self.name, facts, self.at, self.actor_id, tenant)


class InboxRow(SharedModel):
    """A listener has heard an event; written in the listener's own transaction."""

    __tablename__ = "shared_inbox"

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    listener: Mapped[str] = mapped_column(primary_key=True)
    heard_at: Mapped[CreatedAt]


def publish(name: str, /, **facts: Any) -> None:
    """Say that something happened, once the caller's transaction commits.

    Facts are JSON values (ids and moments too). Call it before the commit.
    """
    tenant = tenant_or_none()
    row = OutboxRow(
        name=name,
        facts=orjson.dumps(facts).decode(),
        tenant_id=tenant.id if tenant else None,
        tenant_slug=tenant.slug if tenant else "",
        tenant_name=tenant.name if tenant else "",
        actor_id=actor_id(),
    )
    db.session.add(row)
    queue.after_commit("deliver_event", str(row.id), *places.here())


def on(name: str) -> Callable[[Listener], Listener]:
    """Call the function below for each event of this name. The worker commits what it writes."""

    def listen(listener: Listener) -> Listener:
        listeners = LISTENERS.setdefault(name, [])
        if listener not in listeners:
            listeners.append(listener)
        return listener

    return listen


def init_app(app: Flask) -> None:
    queue.add_task(app, "deliver_event", deliver)
    queue.add_sweep(app, ask_for_forgotten_events)
    queue.add_sweep(app, forget_now_and_then)


def deliver(event_id: str) -> None:
    """Hand one event to every listener that has not heard it yet."""
    row = db.session.get(OutboxRow, UUID(event_id))
    if row is None or row.state != "pending":
        return
    event = row.as_event()
    db.session.rollback()  # Listeners may take long; no transaction waits meanwhile.
    # One listener that fails must not keep the event from the others.
    failures = [hand_over(event, listener) for listener in LISTENERS.get(event.name, [])]
    if error := next(filter(None, failures), None):
        put_off(row, error)
    else:
        row.state = "delivered"
        db.session.commit()


def hand_over(event: Event, listener: Listener) -> Exception | None:
    """Let one listener hear, if it has not yet; answers what went wrong, if anything did."""
    try:
        with serving(event.tenant):
            act_for(event.actor_id)
            tell(event, listener)
    except Exception as error:
        # Two workers may tell it at once; what the second one wrote is rolled back.
        with serving(event.tenant):
            return None if surely_heard(event, listener) else error
    return None


def surely_heard(event: Event, listener: Listener) -> bool:
    """Whether it's known that a listener has heard; where a tenant's own rows are away, no."""
    try:
        return has_heard(event, listener)
    except Unavailable:
        return False


def tell(event: Event, listener: Listener) -> None:
    """Run one listener, once: its writes and the note that it ran commit together."""
    if not has_heard(event, listener):
        try:
            listener(event)
        except SystemExit as error:  # Such as a file of plans that isn't right: the worker stays.
            raise RuntimeError(f"It wanted to end the process: {error}") from error
        db.session.add(InboxRow(event_id=event.id, listener=name_of(listener)))
        db.session.commit()


def has_heard(event: Event, listener: Listener) -> bool:
    """Whether a listener has heard an event already."""
    return db.session.get(InboxRow, (event.id, name_of(listener))) is not None


def name_of(listener: Listener) -> str:
    return f"{listener.__module__}.{listener.__qualname__}"


def put_off(row: OutboxRow, error: Exception) -> None:
    log.warning("event not delivered", event_name=row.name, error=repr(error), exc_info=error)
    row.attempts += 1
    row.error = repr(error)
    seconds = queue.pause_after(row.attempts)
    row.due_at = now() + timedelta(seconds=seconds)
    if row.attempts >= ATTEMPTS:
        row.state = "dead"
    db.session.commit()
    if row.state == "pending":
        raise queue.try_again(seconds) from error


def ask_for_forgotten_events() -> None:
    """Find events whose message was lost. Another transport looks for its own."""
    if "transport" in current_app.extensions:
        return
    forgotten = select(OutboxRow.id).where(
        OutboxRow.state == "pending", OutboxRow.due_at < now() - timedelta(seconds=10)
    )
    for event_id in db.session.scalars(forgotten.limit(1000)):
        queue.ask("deliver_event", str(event_id))


def forget_now_and_then() -> None:
    """Forget once an hour; what was too much at once, the next sweep."""
    due = current_app.extensions.get("forgets_at")
    if due is None or due <= now():
        done = forget_what_is_old()
        current_app.extensions["forgets_at"] = now() + FORGET_EVERY if done else now()


def forget_what_is_old() -> bool:
    """Delete what was delivered and heard long ago, a day later what was heard than delivered.

    An event that is delivered again meets its note in the inbox as long as it can be. Answers
    whether that was all.
    """
    old = now() - KEPT
    return all([forget(delivered_before(old)), forget(heard_before(old - timedelta(days=1)))])


def delivered_before(old: datetime) -> Delete:
    """Some of the rows; the primary key finds them, for an id tells when it was made."""
    # Nearly all rows are delivered: the index of the states would find them all.
    delivered = OutboxRow.state.not_in(("pending", "dead"))
    some = select(OutboxRow.id).where(
        OutboxRow.id < first_id_at(old), OutboxRow.at < old, delivered
    )
    return delete(OutboxRow).where(OutboxRow.id.in_(some.order_by(OutboxRow.id).limit(AT_ONCE)))


def heard_before(old: datetime) -> Delete:
    """Some of the notes. An old event may have been heard lately, and is noted for that long."""
    key = InboxRow.event_id, InboxRow.listener
    some = select(*key).where(InboxRow.event_id < first_id_at(old), InboxRow.heard_at < old)
    return delete(InboxRow).where(tuple_(*key).in_(some.order_by(*key).limit(AT_ONCE)))


def forget(some: Delete) -> bool:
    """Delete in short transactions, and not for ever; whether nothing is left."""
    for _ in range(TURNS):
        done = db.session.execute(some.execution_options(synchronize_session=False))
        db.session.commit()
        if cast("CursorResult[Any]", done).rowcount < AT_ONCE:
            return True
    return False
