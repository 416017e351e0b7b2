"""The second factor: codes of an authenticator app (TOTP, RFC 6238), and recovery codes.

A code opens one log-in: the 30 seconds that it belongs to are noted with one conditional write,
so of two log-ins with the same code one wins. Secrets are encrypted, recovery codes hashed.
"""

import secrets
from hmac import compare_digest
from typing import Any
from uuid import UUID

import pyotp
from flask import Flask, current_app, redirect, session
from flask.typing import ResponseReturnValue
from sqlalchemy import delete, func, select, update

from app import audit
from app.auth.identity import hash_of
from app.auth.models import User
from app.auth.panels import Panel, add_panel
from app.db import db, now
from app.stages.hardened.signin import sessions
from app.stages.hardened.signin.models import RecoveryCode, Totp
from app.tenancy import root_url

STEP_SECONDS = 30
# Clocks differ: a code counts for the step before and the one after, too.
STEPS = (0, -1, 1)
RECOVERY_CODES = 10
HALF_SECONDS = 600


def init_app(app: Flask) -> None:
    app.extensions["sessions"].before.append(ask)
    add_panel(
        app,
        "account",
        Panel(
            "Second factor",
            "Besides the password, a code from your phone: a stolen password is worth nothing.",
            "Second factor",
            "signin.second_factor",
            icon="shield",
        ),
    )
    from app.stages.hardened.signin import second_factor_views  # noqa: F401


def ask(user: User, target: str) -> ResponseReturnValue | None:
    """After the password: ask for the second factor, if the person has one."""
    if not totp_of(user.id):
        return None
    session.clear()
    session["half"] = {
        "user": user.id.hex,
        "stamp": sessions.print_of(user.session_stamp),
        "target": target,
        "until": int(now().timestamp()) + HALF_SECONDS,
    }
    return redirect(root_url("signin.second"))


def halfway() -> tuple[User, str] | None:
    """Whose password was right at this browser a moment ago, and where they were going."""
    half: dict[str, Any] = session.get("half", {})
    if half.get("until", 0) <= now().timestamp():
        return None
    user = db.session.get(User, UUID(half["user"]))
    if user is None or not compare_digest(half["stamp"], sessions.print_of(user.session_stamp)):
        return None
    return user, half["target"]


def totp_of(user_id: UUID) -> Totp | None:
    """The person's authenticator, if they have confirmed it."""
    found = db.session.get(Totp, user_id)
    return found if found and found.confirmed_at else None


def begin(user: User) -> Totp:
    """A new secret to be confirmed. One that is confirmed stays, until it's turned off."""
    found = db.session.get(Totp, user.id)
    if found is None:
        found = Totp(user_id=user.id, last_step=0)
        db.session.add(found)
    if not found.confirmed_at:
        found.secret = pyotp.random_base32()
    return found


def confirm(user: User, code: str) -> list[str] | None:
    """Count from now on, if the code is right. Answers the recovery codes; None if it isn't."""
    waiting = db.session.get(Totp, user.id)
    if waiting is None or waiting.confirmed_at:
        return None
    step = step_of(waiting.secret, code)
    if step is None:
        return None
    waiting.confirmed_at = now()
    waiting.last_step = step
    audit.note("second_factor.on", user.id)
    return new_recovery_codes(user.id)


def turn_off(user: User) -> None:
    """Ask for the password alone from now on. Sessions that showed the code count as weak."""
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    if found := db.session.get(Totp, user.id):
        db.session.delete(found)
    audit.note("second_factor.off", user.id)
    for row in sessions.of(user):
        if row.how == "password":
            row.strong = False


def new_recovery_codes(user_id: UUID) -> list[str]:
    """Ten codes for the day when the phone is lost; those from before are worth nothing."""
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    codes = [secrets.token_hex(8) for _ in range(RECOVERY_CODES)]
    db.session.add_all(RecoveryCode(user_id=user_id, code_hash=hash_of(code)) for code in codes)
    audit.note("second_factor.recovery_codes", user_id)
    return ["-".join(code[at : at + 4] for at in range(0, 16, 4)) for code in codes]


def use(user: User, text: str) -> str:
    """Use a code up: `code`, `recovery`, or nothing if it opens nothing."""
    typed = "".join(text.split()).replace("-", "").lower()
    if len(typed) == 6 and typed.isdecimal() and typed.isascii():
        return "code" if use_code(user.id, typed) else ""
    return "recovery" if use_recovery_code(user.id, typed) else ""


def use_code(user_id: UUID, code: str) -> bool:
    found = totp_of(user_id)
    step = step_of(found.secret, code) if found else None
    if step is None:
        return False
    once = update(Totp).where(Totp.user_id == user_id, Totp.last_step < step)
    return changed_one(once.values(last_step=step))


def use_recovery_code(user_id: UUID, code: str) -> bool:
    once = update(RecoveryCode).where(
        RecoveryCode.user_id == user_id,
        RecoveryCode.code_hash == hash_of(code),
        RecoveryCode.used_at.is_(None),
    )
    used = changed_one(once.values(used_at=now()))
    if used:
        audit.note("second_factor.recovery_code_used", user_id)
    return used


def changed_one(statement: Any) -> bool:
    """Whether a conditional write met its row; the second of two at a moment doesn't."""
    done: Any = db.session.execute(statement.execution_options(synchronize_session=False))
    return bool(done.rowcount == 1)


def recovery_codes_left(user_id: UUID) -> int:
    unused = select(func.count()).where(
        RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None)
    )
    return db.session.scalar(unused) or 0


def step_of(secret: str, code: str) -> int | None:
    """The step that a code belongs to, counted in 30 seconds; None if it belongs to none near."""
    here = int(now().timestamp()) // STEP_SECONDS
    totp = pyotp.TOTP(secret)
    near = (here + step for step in STEPS)
    typed = "".join(code.split())
    return next((s for s in near if compare_digest(totp.generate_otp(s), typed)), None)


def address_of(user: User, secret: str) -> str:
    """What an authenticator app reads from the picture."""
    name: str = current_app.config["PRODUCT"]["name"]
    return pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=name)


def picture(address: str) -> str:
    """A QR code as SVG, dark on light whatever the page's colours are; it asks nobody else."""
    import segno  # Slow to import, and for this page only.

    made = segno.make(address, error="m", micro=False)
    return str(made.svg_inline(scale=5, border=4, dark="#000", light="#fff", svgclass=None))
