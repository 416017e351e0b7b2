"""The public keys of the neighbours: fetched once, kept, and fetched again when it's worth it."""

import time
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import structlog
from flask import Flask, current_app
from joserfc.jwk import OKPKey

from app.errors import Unavailable
from app.stages.services import keys
from app.stages.services.pools import fetch
from app.stages.services.settings import SERVICES

log = structlog.get_logger()

FRESH = 300  # Seconds until a withdrawn key is noticed.
NOT_AGAIN_WITHIN = 5  # Seconds: forged tokens must not make us ask the issuer each time.

AT_START_WITHIN = 120  # Seconds that a process tries to fetch them by itself,
AT_START_EACH = 1  # so often.

NOT_YET_WITHIN = 0.5  # As long as nothing is known, a question can't be answered.


@dataclass
class Published:
    """The keys that one issuer published, as we last saw them."""

    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    fetched_at: float = 0
    tried_at: float = 0
    lock: Lock = field(default_factory=Lock)


def init_app(app: Flask) -> None:
    app.extensions["published_keys"] = {}


def key_of(issuer: str, name: str | None) -> OKPKey:
    """The issuer's public key of this name. Raises `BadToken` and `Unavailable`."""
    if not name:
        raise keys.BadToken("This token doesn't name the key that signed it.")
    found = keys_of(issuer, name).get(name)
    if found is None:
        raise keys.BadToken(
            f"This token was signed with the key {name[:8]}, which {issuer} doesn't publish, or "
            "no longer. If it was rotated lately, keep the old key second in SIGNING_KEYS."
        )
    if "exp" in found and found["exp"] <= time.time():
        raise keys.BadToken(
            f"The key {name[:8]} of {issuer} expired on {keys.day(found['exp'])}. Make a new one "
            "there: flask keys new"
        )
    return OKPKey.import_key({part: found[part] for part in ("kty", "crv", "x")})


def keys_of(issuer: str, name: str) -> dict[str, dict[str, Any]]:
    """What the issuer publishes: this process's own, or what was fetched."""
    settings = current_app.config["SETTINGS"]
    if issuer == settings.service:
        return {key.name: key.published() for key in keys.own_keys()}
    url = getattr(settings, f"{issuer}_url", "")
    if not url:
        raise keys.BadToken(f"Nobody here knows an issuer {issuer!r}.")
    known: Published = current_app.extensions["published_keys"].setdefault(issuer, Published())
    if name not in known.keys or time.monotonic() - known.fetched_at > FRESH:
        look_again(issuer, known, wait=name not in known.keys)
    if not known.fetched_at:
        raise Unavailable(f"The keys of {issuer} can't be fetched right now.")
    return known.keys


def look_again(issuer: str, known: Published, *, wait: bool) -> None:
    """Fetch the keys, one of us at a time; who can do without doesn't wait for another's try."""
    if known.lock.acquire(blocking=wait):
        try:
            refresh(issuer, known)
        finally:
            known.lock.release()


def refresh(issuer: str, known: Published) -> None:
    """Fetch an issuer's keys, unless that was tried a moment ago. What is known is kept."""
    at = time.monotonic()
    pause = NOT_AGAIN_WITHIN if known.fetched_at else NOT_YET_WITHIN
    if known.tried_at and at - known.tried_at < pause:
        return
    try:
        listed = fetch(issuer, "/.well-known/jwks.json")["keys"]
        known.keys = {key["kid"]: key for key in listed if key.get("alg") == keys.ALGORITHM}
        known.fetched_at = time.monotonic()
    except (Unavailable, KeyError, TypeError, AttributeError) as error:
        log.warning("keys not fetched", issuer=issuer, reason=str(error) or repr(error))
    finally:
        # As of its end: whoever waited behind a try that took long needn't make another.
        known.tried_at = time.monotonic()


def fetch_all(app: Flask) -> None:
    """Fetch the keys of all neighbours, each as soon as it answers; they may start after us."""
    settings = app.config["SETTINGS"]
    missing = {name for name in SERVICES if name != settings.service and settings.url_of(name)}
    deadline = time.monotonic() + AT_START_WITHIN
    while missing and time.monotonic() < deadline:
        with app.app_context():
            missing = {issuer for issuer in missing if not is_known(issuer)}
        time.sleep(AT_START_EACH if missing else 0)


def is_known(issuer: str) -> bool:
    """Whether a neighbour's keys are here, after a try if they weren't."""
    known: Published = current_app.extensions["published_keys"].setdefault(issuer, Published())
    with known.lock:
        if not known.fetched_at:
            refresh(issuer, known)
    return known.fetched_at > 0
