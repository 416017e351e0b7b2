"""Who somebody is, where auth is another process: a short-lived token that auth signs.

A request brings a session or an API token. Auth turns that, and the tenant in the URL, into a
signed token (identity_issuer.py), which we keep: in this process, and in Redis for the others.
It's fresh for a minute, then auth is asked again; while auth doesn't answer, it's good until it
ends. What changes meanwhile ends it at once (identity_changes.py). So a page costs no call.
"""

from time import time

import structlog
from flask import Flask, g

from app.auth.identity import Identity, Kind
from app.errors import Unavailable
from app.stages.services import (
    client,
    identity_changes,
    identity_issuer,
    identity_names,
    identity_store,
    keys,
)
from app.stages.services.identity_token import FRESH_SECONDS, Credential, Known, read

log = structlog.get_logger()

PATH = "/internal/auth/identify"
PAUSE_SECONDS = 5  # Between tries while auth doesn't answer: each would cost its timeout.


def init_app(app: Flask) -> None:
    settings = app.config["SETTINGS"]
    if settings.serves == "all":
        return
    identity_store.init_app(app)
    identity_changes.init_app(app)
    if settings.serves == "auth":
        identity_issuer.init_app(app, PATH)
    else:
        app.extensions["identify"] = identify
        identity_names.init_app(app)


def identify(kind: Kind, credential: str, slug: str | None) -> Identity | None:
    """Whose credential this is, in the tenant with this slug. Raises `Unavailable`."""
    asked = Credential(kind, credential, slug)
    known, due = kept(asked)
    if known is None or due <= time():
        known = look_further(asked, known)
    if known is None:
        return None
    g.rode_along = known.riders
    return known.identity


def kept(asked: Credential) -> tuple[Known | None, float]:
    """What this process knows, and from when on it should ask again."""
    known, due = identity_store.in_memory(asked)
    if known is None or known.until <= time() or identity_changes.outdated(known):
        return None, 0
    return known, due


def look_further(asked: Credential, known: Known | None) -> Known | None:
    """What the other processes know; else what auth says; else what we have, while it's good."""
    in_redis = shared(asked)
    if in_redis and in_redis.at + FRESH_SECONDS > time():
        identity_store.remember(asked, in_redis, in_redis.at + FRESH_SECONDS)
        return in_redis
    try:
        return ask_auth(asked)
    except Unavailable:
        known = known or in_redis
        if known is None:
            raise
        log.warning("auth away", known_for_seconds=round(time() - known.at))
        identity_store.remember(asked, known, time() + PAUSE_SECONDS)
        return known


def shared(asked: Credential) -> Known | None:
    """What another process left in Redis, if auth signed that, and nothing changed since."""
    if not identity_changes.followed():
        return None  # It may be revoked without our knowing.
    token = identity_store.in_redis(asked)
    try:
        known = read(token, asked) if token else None
    except keys.BadToken as error:
        log.warning("identity in Redis refused", reason=str(error))
        return None
    return None if known is None or identity_changes.outdated(known) else known


def ask_auth(asked: Credential) -> Known | None:
    """What auth says, which is kept. Raises `Unavailable`."""
    body = {"kind": asked.kind, "credential": asked.text, "slug": asked.slug}
    token = client.post("auth", PATH, body)["token"]
    if not token:
        identity_store.forget(asked)
        return None
    try:
        known = read(token, asked)
    except keys.BadToken as error:
        # Its newest key may not have come here yet.
        log.error("identity from auth refused", reason=str(error))
        raise Unavailable("We can't make sure who you are right now.") from error
    # Somebody who doesn't belong here may be invited any moment.
    if asked.slug is None or known.identity.tenant:
        identity_store.remember(asked, known, known.at + FRESH_SECONDS)
        identity_store.share(asked, token, known.until)
    return known
