"""The identity token: what auth signs about somebody, and how others read it."""

import hashlib
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from flask import current_app

from app.auth.identity import Identity, Kind
from app.auth.riding import RIDERS
from app.doors import owner_of, serves
from app.stages.services import keys
from app.stages.services.settings import SERVICES
from app.tenancy import Tenant

FRESH_SECONDS = 60
GOOD_SECONDS = 600  # While auth doesn't answer.
ISSUER = "auth"
AUDIENCE = [service for service in SERVICES if service != ISSUER]


class Credential(NamedTuple):
    """What a request brought: a session or an API token, and the slug in its URL."""

    kind: Kind
    text: str
    slug: str | None

    @property
    def digest(self) -> str:
        """Names the credential where others may look, without telling it: both are random."""
        return hashlib.sha256(f"{self.kind}:{self.text}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody, what rode along for the tenant, as of when, and how long it may be believed."""

    identity: Identity
    riders: tuple[UUID | None, dict[str, Any]]
    at: float
    until: float


def issue(asked: Credential, who: Identity, riders: dict[str, Any], at: float) -> str:
    """Sign who somebody is, as it was at that moment."""
    tenant = who.tenant
    claims = {
        "sub": who.id.hex,
        "name": who.name,
        "email": who.email,
        "tenant": {"id": tenant.id.hex, "slug": tenant.slug, "name": tenant.name}
        if tenant
        else None,
        "role": who.role,
        "token_id": who.token_id.hex if who.token_id else None,
        "grants": who.grants,
        "lacks": who.lacks,
        # It's good for this credential at this address only, wherever somebody puts it.
        "sid": asked.digest,
        "slug": asked.slug,
        "at": at,
        **riders,
    }
    return keys.sign(claims, AUDIENCE, GOOD_SECONDS)


def read(token: str, asked: Credential) -> Known:
    """What a token says of the credential asked about.

    Raises `BadToken` if auth didn't sign it for that and for us, and `Unavailable`.
    """
    service = current_app.config["SETTINGS"].service
    claims = keys.verify(token, issuer=ISSUER, audience=service)
    try:
        if (claims["sid"], claims["slug"]) != (asked.digest, asked.slug):
            raise keys.BadToken("This token is about another credential or another workspace.")
        identity = identity_of(claims, asked)
        tenant_id = identity.tenant.id if identity.tenant else None
        riders = tenant_id, riders_of(claims)
        return Known(identity, riders, float(claims["at"]), float(claims["exp"]))
    except (KeyError, TypeError, ValueError) as error:
        raise keys.BadToken(f"This token doesn't say who somebody is: {error!r}") from error


def identity_of(claims: dict[str, Any], asked: Credential) -> Identity:
    tenant, token_id = claims["tenant"], claims["token_id"]
    return Identity(
        id=UUID(claims["sub"]),
        name=claims["name"],
        email=claims["email"],
        # It's part of the session, which is a secret: the token doesn't repeat it.
        session_stamp=asked.text.partition(":")[2] if asked.kind == "session" else "",
        tenant=Tenant(UUID(tenant["id"]), tenant["slug"], tenant["name"]) if tenant else None,
        role=claims["role"],
        token_id=UUID(token_id) if token_id else None,
        grants=None if claims["grants"] is None else tuple(claims["grants"]),
        lacks=claims.get("lacks", ""),  # An older release's token doesn't say.
    )


def riders_of(claims: dict[str, Any]) -> dict[str, Any]:
    """What rode along, without what this process answers for itself: it knows better."""
    return {
        name: claims[name]
        for name, ask in RIDERS.items()
        if name in claims and not serves(owner_of(ask.__module__))
    }
