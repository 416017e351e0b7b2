"""The relay: takes committed events out of the outbox and puts them into the streams.

It asks for rows by their state and not from where it stood before: one with a smaller id that was
committed later is still found. A row is marked only when Redis has it, so a relay that dies in
between ships some twice; the inbox of each service lets them count once. For the same reason two
relays at once do no harm: each ships everything that waits, in order, so what comes first comes
first.
"""

import structlog
from flask import Flask
from sqlalchemy import func, select, update

from app.db import db
from app.events import OutboxRow
from app.stages.services.events import streams
from app.stages.services.events.loop import Loop
from app.stages.services.observe import work
from app.tenancy import Tenant, serving

log = structlog.get_logger()

BATCH = 500
# How soon a relay looks by itself, when the call to wake it was lost.
LOOK_SECONDS = 1
TRIM_EVERY_TURNS = 60


def wake_key(service: str) -> str:
    return f"events:wake:{service}"


class Waker:
    """Tells the relay, which may be in another process, that something was committed."""

    def __init__(self, app: Flask) -> None:
        settings = app.config["SETTINGS"]
        self.key = wake_key(settings.service)
        self.client = streams.connect(settings.redis_url, streams.HURRY_SECONDS)

    def __call__(self, _event_id: str = "", *_place: str) -> None:
        call = self.client.pipeline(transaction=False)
        call.lpush(self.key, "1")
        call.ltrim(self.key, 0, 0)
        call.execute()


class Relay(Loop):
    """The relay of this process; of all relays on one database a lease lets one work."""

    name = "relay"

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self.service = app.config["SETTINGS"].service
        self.lease = f"events:lease:{self.service}:relay"
        self.ready = False
        self.turns = 0

    def turn(self) -> None:
        self.ready = self.ready and self.leases.holds(self.lease)
        if not self.leases.take(self.lease):
            self.stopping.wait(LOOK_SECONDS)
            return
        if not self.ready:
            self.prepare()
        if ship() < BATCH:
            self.client.blpop([wake_key(self.service)], LOOK_SECONDS)
            self.turns += 1
            if self.turns % TRIM_EVERY_TURNS == 0:
                streams.trim(self.client)

    def prepare(self) -> None:
        """See that the groups exist, as on a new Redis or one that lost its data."""
        if not self.client.exists(mark := f"events:shipped:{self.service}"):
            warn_if_redis_forgot()
        streams.make_groups(self.client)
        self.client.set(mark, "1")
        self.ready = True

    def begin_again(self) -> None:
        self.ready = False


def ship(place: Tenant | None = None) -> int:
    """Put a batch of waiting events into their streams, the oldest first; answers how many.

    A later stage may keep a tenant's rows in a place of their own, and ships from there, too.
    """
    with serving(place):
        waiting = select(OutboxRow).where(OutboxRow.state == "pending")
        rows = db.session.scalars(waiting.order_by(OutboxRow.id).limit(BATCH)).all()
        if not rows:
            return 0
        send(rows := list(rows))
        shipped = update(OutboxRow).where(OutboxRow.id.in_([row.id for row in rows]))
        shipped = shipped.values(state="delivered")
        db.session.execute(shipped.execution_options(synchronize_session=False))
        db.session.commit()
        work.shipped(len(rows))
        return len(rows)


def send(rows: list[OutboxRow]) -> None:
    """Add rows to their streams, in one round trip. Raises if Redis refuses a single one."""
    pipeline = streams.redis().pipeline(transaction=False)
    for row in rows:
        pipeline.xadd(streams.stream_of(streams.partition_of(row.tenant_id)), streams.packed(row))
    pipeline.execute()


def warn_if_redis_forgot() -> None:
    """Say what to do if the streams are gone although events were shipped before."""
    with serving(None):
        shipped = select(func.count()).select_from(OutboxRow).where(OutboxRow.state == "delivered")
        if db.session.scalar(shipped):
            log.warning(
                "no event streams in Redis. If it lost its data, ship again what it had: "
                "flask events replay --since 2h"
            )
