"""What services sign: short tokens (JWT, Ed25519), verified with keys that the signer publishes.

Each service has private keys of its own and publishes the public halves at
/.well-known/jwks.json. Whoever is told something by a neighbour fetches those once, and then
verifies without a call. The first key that hasn't expired signs; all in the list verify, so that
keys can be rotated while tokens of the old one are still under way.
"""

import os
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, current_app, jsonify
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError, MissingClaimError
from joserfc.jwk import OKPKey
from joserfc.util import urlsafe_b64decode, urlsafe_b64encode

from app.access import public
from app.commands import LoadedLater
from app.errors import Unavailable, problem
from app.settings import BadSettings

ALGORITHM = "Ed25519"  # The only one, whatever a token's header says (RFC 9864).
CLOCKS_DIFFER = 5  # Seconds by which a neighbour's clock may be off.
SEED = 32

bp = Blueprint("keys", __name__)


class BadToken(Exception):
    """A token that proves nothing; the text says why."""


class NoKey(Unavailable):
    """This service has no key that may sign."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, and until when it's used, in seconds since 1970."""

    key: OKPKey
    until: int | None = None

    @property
    def name(self) -> str:
        """Its public name: a fingerprint (RFC 7638), so nobody has to invent one."""
        return str(self.key.thumbprint())

    @property
    def expired(self) -> bool:
        return self.until is not None and self.until <= time.time()

    def published(self) -> dict[str, Any]:
        """Its public half, for those who verify."""
        more = {"exp": self.until} if self.until else {}
        public_half = dict(self.key.as_dict(private=False))
        return public_half | {"kid": self.name, "use": "sig", "alg": ALGORITHM} | more


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
    app.register_error_handler(BadToken, refuse)
    app.cli.add_command(
        LoadedLater(
            "keys",
            "app.stages.services.keys_command:cli",
            help="Make and show the keys that this service signs with.",
        )
    )
    app.extensions["signing_keys"] = keys = read(app.config["SETTINGS"].signing_keys)
    try:
        if keys:
            newest(keys)
    except NoKey as error:
        raise BadSettings(f"The settings are not right:\n  {error}") from None


@bp.get("/.well-known/jwks.json")
@public
def jwks() -> Response:
    """The public keys of this service (RFC 7517)."""
    response = jsonify(keys=[key.published() for key in own_keys() if not key.expired])
    response.headers["Cache-Control"] = "max-age=60"
    return response


def refuse(error: BadToken) -> Response:
    return problem(401, "This proves nothing", str(error))


def sign(claims: dict[str, Any], audience: str | list[str], seconds: int) -> str:
    """A token that says these claims to an audience, for some seconds.

    Raises `NoKey` where this service has no key that may still sign.
    """
    key = newest(own_keys())
    at = int(time.time())
    standard = {
        "iss": current_app.config["SETTINGS"].service,
        "aud": audience,
        "iat": at,
        "exp": at + seconds,
        "jti": secrets.token_urlsafe(12),
    }
    header = {"alg": ALGORITHM, "kid": key.name}
    return jwt.encode(header, claims | standard, key.key, algorithms=[ALGORITHM])


def verify(token: str, issuer: str, audience: str) -> dict[str, Any]:
    """The claims of a token, if this issuer signed it for this audience and it still holds.

    Raises `BadToken`, and `Unavailable` while the issuer's keys can't be fetched.
    """
    from app.stages.services.published import key_of

    try:
        known = jwt.decode(
            token, lambda proof: key_of(issuer, proof.headers().get("kid")), [ALGORITHM]
        )
        rules: dict[str, Any] = {
            "iss": {"essential": True, "value": issuer},
            "aud": {"essential": True, "value": audience},
            "exp": {"essential": True},
        }
        jwt.JWTClaimsRegistry(leeway=CLOCKS_DIFFER, **rules).validate(known.claims)
    except ExpiredTokenError:
        raise BadToken("This token has expired.") from None
    except MissingClaimError as error:
        raise BadToken(f"This token lacks a claim: {error.description or error}") from None
    except InvalidClaimError as error:
        raise BadToken(explained(error, known.claims, issuer, audience)) from None
    except (JoseError, ValueError, TypeError) as error:
        raise BadToken(
            f"This isn't a token that {issuer} signed ({type(error).__name__})."
        ) from None
    return known.claims


def explained(error: InvalidClaimError, claims: dict[str, Any], issuer: str, audience: str) -> str:
    """What is wrong with a claim, in words."""
    if error.claim == "iss":
        return f"This token is from {claims['iss']!r}, and should be from {issuer!r}."
    if error.claim == "aud":
        return f"This token is for {claims['aud']!r}, not for {audience!r}."
    return f"This token's {error.claim} isn't right."


def own_keys() -> list[SigningKey]:
    """This service's keys, newest first; in development made at the first use."""
    keys: list[SigningKey] = current_app.extensions["signing_keys"]
    if not keys:
        if current_app.config["SETTINGS"].in_production:
            raise NoKey("SIGNING_KEYS must be set in production. Make one: flask keys new")
        keys = current_app.extensions["signing_keys"] = read([development_key()])
    return keys


def newest(keys: list[SigningKey]) -> SigningKey:
    """The key that signs: the first that hasn't expired."""
    good = next((key for key in keys if not key.expired), None)
    if good is None:
        ended = ", ".join(f"{key.name[:8]} on {day(key.until)}" for key in keys)
        raise NoKey(
            f"Every key in SIGNING_KEYS has expired ({ended}). Make one: flask keys new, and put "
            "it first in the list."
        )
    return good


def read(texts: list[str]) -> list[SigningKey]:
    """The keys of SIGNING_KEYS: each `<key>`, or `<key>@2027-01-31` to end on that day (UTC)."""
    return [read_one(number, text) for number, text in enumerate(texts, start=1)]


def read_one(number: int, text: str) -> SigningKey:
    seed, _, until = text.partition("@")
    try:
        raw = urlsafe_b64decode(seed.encode())
        if len(raw) != SEED:
            raise ValueError(seed)
        return SigningKey(private_key(raw), end_of(until) if until else None)
    except ValueError:
        raise BadSettings(
            f"SIGNING_KEYS: key {number} isn't one, nor one with the day it ends "
            "(key@2027-01-31). Make one: flask keys new"
        ) from None


def private_key(seed: bytes) -> OKPKey:
    return OKPKey.import_key(OKPKey.binding.from_private_bytes("Ed25519", seed))


def end_of(text: str) -> int:
    at = datetime.fromisoformat(text)
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


def day(until: int | None) -> str:
    return datetime.fromtimestamp(until, UTC).date().isoformat() if until else "no day"


def new_key() -> str:
    """A new private key, as SIGNING_KEYS has it."""
    return urlsafe_b64encode(secrets.token_bytes(SEED)).decode()


def development_key() -> str:
    """The key that this service keeps in instance/, for this machine only."""
    service = current_app.config["SETTINGS"].service
    path = Path(current_app.instance_path) / f"signing-key-{service}.txt"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        keep(path, new_key())
    return path.read_text("utf-8").strip()


def keep(path: Path, key: str) -> None:
    """Write a key for its owner's eyes; of two processes that start at once, one wins."""
    mine = path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(key + "\n")
    try:
        os.link(mine, path)
    except FileExistsError:
        pass
    finally:
        mine.unlink()
