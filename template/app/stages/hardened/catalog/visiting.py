"""Silos have an outbox and jobs of their own, and the worker of their service looks after them.

Whoever publishes in a silo leaves its name, and wakes the worker: it ships from the silos that
called. Besides, it goes slowly through all there are, a silo after the other, for what was
forgotten: a call that was lost, a job whose worker died, a subscription that is due. So a thousand
silos that do nothing cost next to nothing.
"""

from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any
from uuid import UUID

import orjson
import structlog
from flask import Flask
from sqlalchemy.exc import DBAPIError

from app import doors, events, places, queue
from app.errors import Unavailable
from app.stages.hardened.catalog import knowing, routing
from app.stages.services.events import streams
from app.stages.services.events.loop import Loop
from app.stages.services.events.relay import BATCH, ship
from app.tenancy import Tenant, serving

log = structlog.get_logger()

LOOK_SECONDS = 1
ROUND_SECONDS = 300.0  # One slow round through all silos.
FORGET_SECONDS = 3600.0
LONGEST_PAUSE_SECONDS = 30.0

ANSWERED = """
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end
"""


def called_key(service: str) -> str:
    return f"events:silos:called:{service}"


def wake_key(service: str) -> str:
    return f"events:silos:wake:{service}"


def init_app(app: Flask) -> None:
    if not routing.is_routed(app):
        return
    of_pool = app.extensions["tasks"]["deliver_event"]
    app.extensions["tasks"]["deliver_event"] = Caller(app, of_pool)
    queue.add_companion(app, Visitor(app))


class Caller:
    """Tells the worker that something was committed: in the pool, or in which silo."""

    def __init__(self, app: Flask, of_pool: Callable[..., None]) -> None:
        self.service = app.config["SETTINGS"].service
        self.of_pool = of_pool
        self.client = streams.connect(app.config["SETTINGS"].redis_url, streams.HURRY_SECONDS)

    def __call__(self, event_id: str = "", *place: str) -> None:
        if not place or knowing.place_here(UUID(place[0])).is_pool:
            self.of_pool(event_id)
            return
        call = self.client.pipeline(transaction=False)
        call.hincrby(called_key(self.service), orjson.dumps(place).decode(), 1)
        call.lpush(wake_key(self.service), "1")
        call.ltrim(wake_key(self.service), 0, 0)
        call.execute()


class Visitor(Loop):
    """Visits silos; of all workers of a service a lease lets one do it, which keeps the order."""

    name = "silos"

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self.service = app.config["SETTINGS"].service
        self.lease = f"events:lease:{self.service}:silos"
        self.round: deque[Tenant] = deque()
        self.next_step = self.next_round = 0.0
        self.pause = 0.0
        self.away: dict[UUID, tuple[float, int]] = {}
        self.forgot: dict[UUID, float] = {}
        self.ready = False

    def start_connections(self) -> None:
        super().start_connections()
        self.answered = self.client.register_script(ANSWERED)

    def turn(self) -> None:
        if not self.leases.take(self.lease):
            self.stopping.wait(LOOK_SECONDS)
            return
        if not self.ready:
            streams.make_groups(self.client)
            self.ready = True
        again = self.answer_calls()
        self.go_on_with_the_round()
        if not again:
            self.client.blpop([wake_key(self.service)], LOOK_SECONDS)

    def begin_again(self) -> None:
        self.ready = False

    # --- Those that called -----------------------------------------------------------------------

    def answer_calls(self) -> bool:
        """Ship from the silos that called; answers whether some have more."""
        called: Any = self.client.hgetall(called_key(self.service))
        more = False
        for member, count in called.items():
            tenant = places.tenant_in(tuple(orjson.loads(member)))
            if self.is_away(tenant):
                continue
            if self.visit(tenant, self.ship):
                # Unless it has called once more meanwhile.
                self.answered([called_key(self.service)], [member, count])
            else:
                more = more or not self.is_away(tenant)
        return more

    def ship(self, tenant: Tenant) -> bool:
        """Ship a batch; whether that was all."""
        return ship(tenant) < BATCH

    # --- All, slowly -----------------------------------------------------------------------------

    def go_on_with_the_round(self) -> None:
        """Visit those whose turn it is: one after the other, spread over the time of a round."""
        if not self.round and monotonic() >= self.next_round:
            self.begin_round()
        while self.round and monotonic() >= self.next_step and not self.stopping.is_set():
            tenant = self.round.popleft()
            self.next_step = max(self.next_step, monotonic() - LOOK_SECONDS) + self.pause
            if not self.is_away(tenant):
                self.visit(tenant, self.look_after)

    def begin_round(self) -> None:
        self.next_round = monotonic() + ROUND_SECONDS
        try:
            self.round.extend(knowing.placed_outside(self.service))
        except Unavailable as error:
            log.warning("silos not known", reason=str(error))
            self.next_round = monotonic() + LONGEST_PAUSE_SECONDS
            return
        self.pause = ROUND_SECONDS / max(1, len(self.round))
        self.next_step = monotonic()

    def look_after(self, tenant: Tenant) -> bool:
        """Ship what was forgotten, and do in the silo what sweeps do in the pool."""
        done = self.ship(tenant)
        for find in self.app.extensions["sweeps"]:
            if find is not events.forget_now_and_then and self.is_ours(find):
                with serving(tenant):
                    find()
        if monotonic() - self.forgot.get(tenant.id, -FORGET_SECONDS) >= FORGET_SECONDS:
            with serving(tenant):
                events.forget_what_is_old()
            self.forgot[tenant.id] = monotonic()
        return done

    def is_ours(self, find: Callable[[], None]) -> bool:
        return doors.owner_of(find.__module__) in self.app.extensions["serves"]

    # --- Silos that are away ---------------------------------------------------------------------

    def visit(self, tenant: Tenant, do: Callable[[Tenant], bool]) -> bool:
        """Do something in a silo. One that is away keeps nobody else, and is left for a while."""
        try:
            with serving(tenant):
                in_a_silo = not knowing.place_here(tenant).is_pool
            done = do(tenant) if in_a_silo else True
        except (Unavailable, DBAPIError) as error:
            failures = self.away.get(tenant.id, (0.0, 0))[1] + 1
            pause = min(2.0**failures, LONGEST_PAUSE_SECONDS)
            self.away[tenant.id] = monotonic() + pause, failures
            log.warning("silo not visited", tenant_id=str(tenant.id), reason=str(error))
            return False
        self.away.pop(tenant.id, None)
        return done

    def is_away(self, tenant: Tenant) -> bool:
        until, _ = self.away.get(tenant.id, (0.0, 0))
        return monotonic() < until
