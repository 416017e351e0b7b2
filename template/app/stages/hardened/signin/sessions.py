"""Sessions as rows: each can be seen, and ended apart from the others, at once and everywhere.

The session's key is part of what the browser keeps and of what auth looks up, so a session whose
row has ended is nobody's. One from before this stage has no key: it goes on until it ends by
itself, at most 14 days later, and "all others" ends it too.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from flask import Flask, abort, current_app, g, request, session
from sqlalchemy import and_, bindparam, delete, select, update
from sqlalchemy.exc import DBAPIError

from app import audit
from app.auth import sessions
from app.auth.identity import USE_NOTED_EVERY, Fact, Identity, hash_of
from app.auth.models import User
from app.auth.panels import Panel, add_panel
from app.db import db, now
from app.stages.hardened.signin import rules
from app.stages.hardened.signin.models import Session
from app.stages.hardened.signin.rules import Proof
from app.stages.services import identity_changes

log = structlog.get_logger()

# Prefixes that name a household or an office, not a machine.
PREFIXES = {4: 24, 6: 48}
LONGEST_AGENT = 200
KEPT_AFTER_THE_END = timedelta(days=30)


def init_app(app: Flask) -> None:
    hooks: sessions.Hooks = app.extensions["sessions"]
    hooks.starting.append(begin)
    hooks.ending.append(end_this)
    app.extensions["identity_facts"].append(OPEN)
    identity_changes.WATCHED[Session] = ("person", "user_id", ("ended_at", "strong"))
    add_panel(
        app,
        "account",
        Panel(
            "Where you're signed in",
            "Each browser and device with a session of yours, and when it was last there.",
            "Your sessions",
            "signin.sessions",
            icon="shield",
        ),
    )
    from app.stages.hardened.signin import session_views  # noqa: F401


def proved_by(proof: Proof) -> None:
    """Say how the person has shown who they are, before the session starts."""
    g.proof = proof


def begin(who: Identity) -> Identity:
    """Make the row of a session that starts, and end the one that it takes the place of.

    What was proved once goes on where somebody stays the same, as after a new password.
    """
    before = this_row()
    proof: Proof = g.pop("proof", None) or Proof()
    if before and before.user_id == who.id and proof == Proof():
        proof = Proof(before.how, before.strong, before.sso_tenant_id)
    if before:
        before.ended_at = now()
    key = secrets.token_urlsafe(24)
    settings = current_app.config["SETTINGS"]
    lifetime = min(timedelta(hours=settings.session_hours), current_app.permanent_session_lifetime)
    row = Session(
        key_hash=hash_of(key),
        user_id=who.id,
        stamp=print_of(who.session_stamp),
        how=proof.how,
        strong=proof.strong,
        sso_tenant_id=proof.sso_tenant_id,
        user_agent=(request.user_agent.string or "")[:LONGEST_AGENT],
        address=prefix_of(request.remote_addr or ""),
        seen_at=now(),
        ends_at=now() + lifetime,
    )
    db.session.add(row)
    forget_old(who.id)
    return replace(who, session_key=key)


def forget_old(user_id: UUID) -> None:
    """Delete what ended long ago, whenever the person signs in."""
    old = delete(Session).where(
        Session.user_id == user_id, Session.ends_at < now() - KEPT_AFTER_THE_END
    )
    db.session.execute(old.execution_options(synchronize_session=False))


def end_this() -> None:
    """End the row of the session at this browser: its cookie is worth nothing from now on."""
    row = this_row()
    if row:
        row.ended_at = now()
        db.session.commit()


def this_row() -> Session | None:
    """The row of the session at this browser, while it's open."""
    _user_id, _stamp, key = parts_of(session.get("_user_id", ""))
    if not key:
        return None
    mine = select(Session).where(Session.key_hash == hash_of(key), Session.ended_at.is_(None))
    return db.session.scalars(mine).one_or_none()


def proof_here() -> Proof:
    """What the session at this browser has shown."""
    row = this_row()
    return Proof(row.how, row.strong, row.sso_tenant_id) if row else Proof()


def parts_of(credential: str) -> tuple[str, str, str]:
    """The person, the stamp and the key of a session."""
    user_id, _, rest = credential.partition(":")
    stamp, _, key = rest.partition(":")
    return user_id, stamp, key


class Kept(NamedTuple):
    """What is kept of an open session; all None where there's none."""

    id: UUID | None
    how: str
    strong: bool
    sso_tenant_id: UUID | None
    seen_at: datetime
    ends_at: datetime


def refuse_ended(who: Identity, credential: str, *found: Any) -> Identity | None:
    """Nobody, if the session has ended; else who it is, as far as the workspace lets it in."""
    kept, asked = Kept(*found[: len(COLUMNS)]), rules.Asked(*found[len(COLUMNS) :])
    key = parts_of(credential)[2]
    if not key:
        return rules.apply(who, Proof(), asked)
    if kept.id is None or kept.ends_at <= now() or kept.seen_at <= now() - idle():
        return None
    note_seen(kept)
    proof = Proof(kept.how, kept.strong, kept.sso_tenant_id)
    return rules.apply(replace(who, session_key=key), proof, asked)


def key_in(credential: str) -> dict[str, str]:
    """What the session's row is looked up by; one from before this stage has none."""
    return {"session_key_hash": hash_of(parts_of(credential)[2])}


COLUMNS = tuple(getattr(Session, name) for name in Kept._fields)
OPEN = Fact(
    COLUMNS + rules.COLUMNS,
    refuse_ended,
    kinds=("session",),
    joins=(
        (
            Session,
            and_(
                Session.key_hash == bindparam("session_key_hash"),
                Session.user_id == User.id,
                Session.ended_at.is_(None),
            ),
        ),
        *rules.JOINS,
    ),
    values=key_in,
)


def idle() -> timedelta:
    """How long a session may go unused."""
    return timedelta(hours=current_app.config["SETTINGS"].session_idle_hours)


def note_seen(row: Kept) -> None:
    """Keep when a session was last used, to some minutes: a write each time would cost more."""
    if row.seen_at > now() - USE_NOTED_EVERY:
        return
    seen = update(Session).where(Session.id == row.id).values(seen_at=now())
    try:
        with db.engines["auth"].begin() as connection:
            connection.execute(seen)
    except DBAPIError as error:
        log.warning("use of a session not noted", error=repr(error))


def of(user: User) -> list[Session]:
    """A person's open sessions, the latest used first."""
    at = now()
    mine = select(Session).where(
        Session.user_id == user.id,
        Session.stamp == print_of(user.session_stamp),
        Session.ended_at.is_(None),
        Session.ends_at > at,
        Session.seen_at > at - idle(),
    )
    return list(db.session.scalars(mine.order_by(Session.seen_at.desc(), Session.id.desc())))


def end(session_id: UUID, user: User) -> None:
    """End one of a person's sessions; 404 if it isn't theirs."""
    row = db.session.get(Session, session_id)
    if row is None or row.user_id != user.id:
        abort(404)
    end_all([row])


def end_others(user: User) -> None:
    """End every session but this one; those from before this stage, too, by a new stamp."""
    here = this_row()
    end_all(row for row in of(user) if row is not here)
    user.end_sessions()


def end_all(rows: Iterable[Session]) -> None:
    for row in rows:
        row.ended_at = row.ended_at or now()
        audit.note("session.ended", row.id)


def print_of(stamp: str) -> str:
    """Tells whether the stamp is still the same, without telling the stamp."""
    return hashlib.sha256(f"session:{stamp}".encode()).hexdigest()[:32]


def prefix_of(address: str) -> str:
    """Where an address is, roughly: enough to know one's own, too little to find a person."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return ""
    return str(ip_network((parsed, PREFIXES[parsed.version]), strict=False))
