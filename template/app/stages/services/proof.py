"""What proves who asks a question between services, for which tenant, and that it's this question.

A token that was caught on the way is of no use: it's for one service, method, path and body, ends
within a minute, and each process takes it once.
"""

import base64
import hashlib
import time
from threading import Lock
from typing import Any
from uuid import UUID

import orjson
import structlog
from flask import Flask, current_app, g, request

from app.actor import act_for
from app.stages.services.keys import BadToken, sign, verify
from app.stages.services.observe import traces
from app.stages.services.settings import SERVICES
from app.tenancy import Tenant, enter, tenant_or_none

SECONDS = 30
LONGEST = 60
PURPOSE = "question"


def init_app(app: Flask) -> None:
    app.extensions["tokens_seen"] = Seen()


def headers(service: str, method: str, path: str, body: bytes) -> dict[str, str]:
    """The headers that a question to a neighbour needs."""
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    tenant = tenant_or_none()
    claims = {
        "for": PURPOSE,
        "what": digest(method, path, body),
        "tenant": [str(tenant.id), tenant.slug, tenant.name] if tenant else None,
        "actor": actor(),
        "request_id": request_id,
    }
    if here := traces.here():
        claims["trace"] = here
    named = {"X-Request-ID": request_id} if request_id else {}
    return {"Authorization": f"Bearer {sign(claims, service, SECONDS)}"} | named


def actor() -> str | None:
    """Who is known to act already: to ask who it is may be why there is a question."""
    known = getattr(g.get("_login_user"), "id", None) or g.get("actor_id")
    return str(known) if known else None


def digest(method: str, path: str, body: bytes) -> str:
    """A fingerprint of a request."""
    return hashlib.sha256(b"\0".join([method.encode(), path.encode(), body])).hexdigest()


def check() -> dict[str, Any]:
    """Who sent this request: the claims of its token. Raises `BadToken` and `Unavailable`.

    The tenant and the person are taken from the token, and from nothing else in the request.
    """
    claims = verify(*token_and_issuer(), current_app.config["SETTINGS"].service)
    path = request.script_root + request.path
    if claims.get("for") != PURPOSE:
        raise BadToken("This token isn't for a question between services.")
    if claims["exp"] - claims.get("iat", 0) > LONGEST:
        raise BadToken(f"This token lives too long: {LONGEST} s is the most for a question.")
    if claims.get("what") != digest(request.method, path, request.get_data()):
        raise BadToken("This token is for another question.")
    if not current_app.extensions["tokens_seen"].is_new(claims["jti"], claims["exp"]):
        raise BadToken("This token was used already.")
    return claims


def serve_who_was_signed(claims: dict[str, Any]) -> None:
    """Serve the tenant that the token names, for the person it names."""
    if claims["tenant"]:
        tenant_id, slug, name = claims["tenant"]
        enter(Tenant(UUID(tenant_id), slug, name))
    if claims["actor"]:
        act_for(UUID(claims["actor"]))


def token_and_issuer() -> tuple[str, str]:
    """The token, and who it says has signed it: which is then verified."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise BadToken("Services answer here to each other only, and only to signed questions.")
    try:
        middle = token.split(".")[1]
        issuer = orjson.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))["iss"]
    except (IndexError, KeyError, ValueError, TypeError):
        raise BadToken("This isn't a token.") from None
    if issuer not in SERVICES:
        raise BadToken(f"{issuer!r} isn't a service.")
    return token, issuer


class Seen:
    """The tokens that this process has taken, until they end."""

    def __init__(self) -> None:
        self.until: dict[str, float] = {}
        self.lock = Lock()
        self.swept_at = 0.0

    def is_new(self, name: str, until: float) -> bool:
        with self.lock:
            self.sweep()
            new = name not in self.until
            self.until[name] = until + LONGEST  # Clocks differ by less.
            return new

    def sweep(self) -> None:
        at = time.time()
        if at - self.swept_at > LONGEST:
            self.until = {name: until for name, until in self.until.items() if until > at}
            self.swept_at = at
