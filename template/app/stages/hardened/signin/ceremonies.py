"""Ceremonies: what was asked of a browser and waits for its answer, good for one answer.

A signed cookie could be sent twice; the row can be taken once.
"""

import secrets
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import delete, select

from app.auth.identity import hash_of
from app.db import db, now
from app.stages.hardened.signin.models import Ceremony

LIFETIME = timedelta(minutes=10)


def begin(kind: str, **facts: Any) -> str:
    """Keep what is asked, and answer the secret by which the answer finds it."""
    old = delete(Ceremony).where(Ceremony.ends_at < now())
    db.session.execute(old.execution_options(synchronize_session=False))
    key = secrets.token_urlsafe(32)
    db.session.add(
        Ceremony(
            key_hash=hash_of(key),
            kind=kind,
            facts=orjson.dumps(facts).decode(),
            ends_at=now() + LIFETIME,
        )
    )
    return key


def take(kind: str, key: str) -> dict[str, Any] | None:
    """What was asked; None if nothing was, it's too old, or it was answered already."""
    here = Ceremony.key_hash == hash_of(key), Ceremony.kind == kind, Ceremony.ends_at > now()
    facts = db.session.scalar(select(Ceremony.facts).where(*here))
    done: Any = db.session.execute(
        delete(Ceremony).where(*here).execution_options(synchronize_session=False)
    )
    if facts is None or done.rowcount != 1:
        return None
    found: dict[str, Any] = orjson.loads(facts)
    return found
