"""What ends an identity early: a small stream of who or what changed, that every process follows.

Auth and billing say so after their commit: another role, a removal, a new password, an end of all
sessions, a revoked token, another name, another plan. They needn't remember to: we look at the
rows that a session flushes. If Redis is away then, nothing breaks: a minute later auth is asked.
"""

import os
from threading import Event, Lock, Thread
from time import time
from typing import Any
from uuid import UUID

import structlog
from flask import Flask, current_app, has_app_context
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import event, inspect
from sqlalchemy.orm import UOWTransaction

from app.auth.models import ApiToken, Membership, Organisation, User
from app.billing.models import Subscription
from app.db import db
from app.stages.services import identity_store
from app.stages.services.identity_token import GOOD_SECONDS, Known
from app.tenancy.session import TenantSession

log = structlog.get_logger()

STREAM = "identity-changes"
# Whatever was known before has ended by itself after so long.
KEPT_SECONDS = GOOD_SECONDS + 60
CLOCKS_DIFFER = 0.5  # Seconds by which two machines' clocks may.
BLOCK_SECONDS = 1
PATIENCE_SECONDS = 0.25
AT_ONCE = 1000
Subject = tuple[str, UUID]

# Which columns say who somebody is, and whose identities end when they change. Rows that go count
# always; those that come only where it's said, for most say nothing about somebody who was known.
COMES_OR_GOES: tuple[str, ...] = ()
WATCHED: dict[type, tuple[str, str, tuple[str, ...]]] = {
    User: ("person", "id", ("session_stamp", "name", "email")),
    Membership: ("person", "user_id", ("role",)),
    ApiToken: ("person", "user_id", ("revoked_at",)),
    Organisation: ("tenant", "id", ("slug", "name")),
    Subscription: ("tenant", "tenant_id", ("plan", "status")),
}


class Changes:
    """The latest change of each person and tenant, as far as it matters still."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.latest: dict[Subject, float] = {}
        self.position = b""
        self.process = 0
        self.began_at = 0.0
        self.lock = Lock()
        self.caught_up = Event()
        self.stopped = Event()

    def follow(self) -> None:
        """Begin to follow the stream in this process, if it hasn't begun."""
        if self.process == os.getpid():  # A thread doesn't survive a fork.
            return
        with self.lock:
            if self.process == os.getpid():
                return
            self.caught_up, self.stopped = Event(), Event()
            self.began_at = time()
            self.position = str(int((self.began_at - KEPT_SECONDS) * 1000)).encode()
            Thread(target=self.read_on, name=STREAM, daemon=True).start()
            self.process = os.getpid()

    def has_caught_up(self) -> bool:
        """Whether it has heard what changed before it began, for which it may take a moment."""
        return self.caught_up.wait(max(0, self.began_at + PATIENCE_SECONDS - time()))

    def read_on(self) -> None:
        redis = identity_store.client_of(self.url, BLOCK_SECONDS + 2)
        self.read_once(redis, block=None)
        while not self.stopped.is_set():
            if not self.read_once(redis, block=BLOCK_SECONDS * 1000):
                self.stopped.wait(BLOCK_SECONDS)

    def read_once(self, redis: Redis, *, block: int | None) -> bool:
        """Hear what's new; answers whether Redis did."""
        try:
            while True:
                news: Any = redis.xread({STREAM: self.position}, count=AT_ONCE, block=block)
                entries = news[0][1] if news else []
                for position, fields in entries:
                    self.hear(fields)
                    self.position = position
                if len(entries) < AT_ONCE:
                    break
        except RedisError as error:
            if not self.stopped.is_set():
                log.warning("identity changes not heard", error=repr(error))
            return False
        self.caught_up.set()
        self.forget_old()
        return True

    def hear(self, fields: dict[bytes, bytes]) -> None:
        try:
            subject = fields[b"kind"].decode(), UUID(fields[b"id"].decode())
            at = float(fields[b"at"])
        except (KeyError, ValueError):
            log.error("identity change not understood", fields=repr(fields))
            return
        self.latest[subject] = max(at, self.latest.get(subject, 0))

    def forget_old(self) -> None:
        before = time() - KEPT_SECONDS
        # A request may read meanwhile, so nothing but one key at a time is touched.
        for subject in [s for s, at in list(self.latest.items()) if at < before]:
            self.latest.pop(subject, None)


def init_app(app: Flask) -> None:
    app.extensions["identity_changes"] = Changes(app.config["SETTINGS"].redis_url)


def changes() -> Changes:
    found: Changes = current_app.extensions["identity_changes"]
    found.follow()
    return found


def followed() -> bool:
    """Whether we've heard what changed before we were there."""
    return changes().has_caught_up()


def outdated(known: Known) -> bool:
    """Whether something changed since an identity was true."""
    tenant = known.identity.tenant
    subjects = [("person", known.identity.id)]
    return changed_since(known.at, *subjects, *([("tenant", tenant.id)] if tenant else []))


def changed_since(at: float, *subjects: Subject) -> bool:
    latest = changes().latest
    return any(at < latest.get(subject, 0) + CLOCKS_DIFFER for subject in subjects)


@event.listens_for(TenantSession, "before_flush")
def note_what_changes(session: TenantSession, _context: UOWTransaction, _rows: Any) -> None:
    """Note whose identities end with this transaction, where identities travel."""
    if not (has_app_context() and "identity_changes" in current_app.extensions):
        return
    noted: set[Subject] = session.info.setdefault("identity_changes", set())
    for row in session.deleted:
        if watched := WATCHED.get(type(row)):
            noted.add((watched[0], getattr(row, watched[1])))
    for row in session.new:
        watched = WATCHED.get(type(row))
        if watched and watched[2] == COMES_OR_GOES:
            noted.add((watched[0], getattr(row, watched[1])))
    for row in session.dirty:
        watched = WATCHED.get(type(row))
        if watched and any(inspect(row).attrs[name].history.has_changes() for name in watched[2]):
            noted.add((watched[0], getattr(row, watched[1])))


def note(kind: str, subject_id: UUID) -> None:
    """Note by hand that these identities end with this transaction, as when a row is new."""
    if "identity_changes" in current_app.extensions:
        db.session().info.setdefault("identity_changes", set()).add((kind, subject_id))


@event.listens_for(TenantSession, "after_commit")
def tell_what_changed(session: TenantSession) -> None:
    if not session.in_nested_transaction():
        tell(session.info.pop("identity_changes", set()))


@event.listens_for(TenantSession, "after_rollback")
def forget_what_was_rolled_back(session: TenantSession) -> None:
    if not session.in_nested_transaction():
        session.info.pop("identity_changes", None)


def tell(subjects: set[Subject]) -> None:
    """Let every process know that these changed just now."""
    for kind, subject_id in subjects:
        at = time()
        identity_store.shared().call(
            "xadd",
            STREAM,
            {"kind": kind, "id": subject_id.hex, "at": at},
            minid=int((at - KEPT_SECONDS) * 1000),
            approximate=True,
        )
