"""Passkeys (WebAuthn): a key pair on somebody's device, unlocked by a finger, a face or a PIN.

That's two factors in one, so a passkey logs in by itself. It's bound to PUBLIC_URL's host: on a
site that looks like ours the browser doesn't even offer it.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

import structlog
from flask import Flask, abort, current_app
from sqlalchemy import select

from app import audit
from app.auth.models import User
from app.auth.panels import Panel, add_panel
from app.db import db, now
from app.errors import Refused
from app.stages.hardened.signin import ceremonies, sessions
from app.stages.hardened.signin.models import Passkey

if TYPE_CHECKING:
    from webauthn.helpers.exceptions import WebAuthnException

# `webauthn` is slow to import, and for whoever logs in only: it's imported where it's needed.
log = structlog.get_logger()

MOST = 20


class PasskeyRefused(Refused):
    """What the browser sent proves nothing."""

    status = 422
    title = "This passkey can't be used"


@dataclass(frozen=True, slots=True)
class Place:
    """Where passkeys are good: the host, and the address that the browser must be at."""

    host: str
    origin: str


def init_app(app: Flask) -> None:
    add_panel(
        app,
        "account",
        Panel(
            "Passkeys",
            "Log in with your device's finger, face or PIN. There's nothing to type or to steal.",
            "Your passkeys",
            "signin.passkeys",
            icon="key",
        ),
    )
    add_panel(app, "log_in", Panel("", "", "Log in with a passkey", "signin.passkey_log_in"))
    from app.stages.hardened.signin import passkey_views  # noqa: F401


def place() -> Place:
    url = current_app.config["SETTINGS"].public_url
    parts = urlsplit(url)
    return Place(parts.hostname or "", f"{parts.scheme}://{parts.netloc}")


def of(user_id: UUID) -> list[Passkey]:
    """A person's passkeys, oldest first."""
    theirs = select(Passkey).where(Passkey.user_id == user_id)
    return list(db.session.scalars(theirs.order_by(Passkey.id)))


def ask_to_make(user: User) -> dict[str, Any]:
    """What the browser needs to make a passkey for a person."""
    import webauthn
    from webauthn.helpers import base64url_to_bytes, options_to_json_dict, structs

    known = of(user.id)
    if len(known) >= MOST:
        raise PasskeyRefused(f"You have {MOST} passkeys already. Remove one first.")
    options = webauthn.generate_registration_options(
        rp_id=place().host,
        rp_name=current_app.config["PRODUCT"]["name"],
        user_id=user.id.bytes,
        user_name=user.email,
        user_display_name=user.name,
        challenge=challenge("make passkey", user=user.id.hex),
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.REQUIRED,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[
            structs.PublicKeyCredentialDescriptor(id=base64url_to_bytes(one.credential_id))
            for one in known
        ],
    )
    return options_to_json_dict(options)


def keep(user: User, name: str, credential: dict[str, Any]) -> Passkey:
    """Keep a passkey that the browser made; raises `PasskeyRefused`."""
    import webauthn
    from webauthn.helpers import bytes_to_base64url
    from webauthn.helpers.exceptions import WebAuthnException

    asked = answered("make passkey", credential)
    if asked["user"] != user.id.hex:
        raise PasskeyRefused("It was made for another account.")
    try:
        made = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=asked["challenge"],
            expected_rp_id=place().host,
            expected_origin=place().origin,
            require_user_verification=True,
        )
    except WebAuthnException as error:
        raise refused(error) from error
    row = Passkey(
        user_id=user.id,
        credential_id=bytes_to_base64url(made.credential_id),
        public_key=bytes_to_base64url(made.credential_public_key),
        sign_count=made.sign_count,
        name=name,
    )
    db.session.add(row)
    audit.note("passkey.made", row.id, name=name)
    return row


def ask_to_show() -> dict[str, Any]:
    """What the browser needs to log in with whichever passkey its person chooses."""
    import webauthn
    from webauthn.helpers import options_to_json_dict, structs

    options = webauthn.generate_authentication_options(
        rp_id=place().host,
        challenge=challenge("show passkey"),
        user_verification=structs.UserVerificationRequirement.REQUIRED,
    )
    return options_to_json_dict(options)


def owner_of(credential: dict[str, Any]) -> User:
    """Whose passkey the browser has shown; raises `PasskeyRefused`."""
    import webauthn
    from webauthn.helpers.exceptions import WebAuthnException

    asked = answered("show passkey", credential)
    mine = select(Passkey).where(Passkey.credential_id == str(credential.get("id", "")))
    row = db.session.scalars(mine.with_for_update()).one_or_none()
    if row is None:
        raise PasskeyRefused("Nobody has this passkey here. It may have been removed.")
    try:
        shown = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=asked["challenge"],
            expected_rp_id=place().host,
            expected_origin=place().origin,
            credential_public_key=webauthn.base64url_to_bytes(row.public_key),
            credential_current_sign_count=row.sign_count,
            require_user_verification=True,
        )
    except WebAuthnException as error:
        raise refused(error) from error
    row.sign_count = shown.new_sign_count
    row.last_used_at = now()
    return db.session.get_one(User, row.user_id)


def refused(error: "WebAuthnException") -> PasskeyRefused:
    log.warning("passkey refused", reason=str(error))
    return PasskeyRefused("What your device sent can't be verified. Try again.")


def challenge(kind: str, **facts: str) -> bytes:
    """A challenge that is good for one answer; it's also the key by which the answer finds it."""
    return ceremonies.begin(kind, **facts).encode()


def answered(kind: str, credential: dict[str, Any]) -> dict[str, Any]:
    """What was asked that the browser answers; raises `PasskeyRefused`."""
    from webauthn import base64url_to_bytes

    try:
        told = json.loads(base64url_to_bytes(credential["response"]["clientDataJSON"]))
        key = base64url_to_bytes(told["challenge"]).decode("ascii")
    except (KeyError, TypeError, ValueError) as error:
        raise PasskeyRefused("That isn't what a passkey sends.") from error
    asked = ceremonies.take(kind, key)
    if asked is None:
        raise PasskeyRefused("That took too long, or was sent twice. Try again.")
    return {**asked, "challenge": key.encode()}


def find(passkey_id: UUID, user_id: UUID) -> Passkey:
    """One of a person's passkeys; 404 if it isn't theirs."""
    row = db.session.get(Passkey, passkey_id)
    if row is None or row.user_id != user_id:
        abort(404)
    return row


def remove(row: Passkey, user: User) -> None:
    """Forget a passkey. Sessions that began with one count as weak: it may have been this."""
    db.session.delete(row)
    audit.note("passkey.removed", row.id, name=row.name)
    for session in sessions.of(user):
        if session.how == "passkey":
            session.strong = False
