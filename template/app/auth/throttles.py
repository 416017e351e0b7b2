"""How often one may try: for each address, and for each account that is tried.

A browser that somebody has logged in at before carries a device cookie and is counted apart
(OWASP: device cookies). So whoever guesses at an account uses up the guesses of strangers, and
can't lock its owner out.
"""

import secrets

from flask import Response, after_this_request, current_app, request
from flask_login import current_user
from itsdangerous import BadSignature, URLSafeSerializer

from app.auth import emails
from app.auth.links import SHA256, signing_keys
from app.auth.models import User
from app.limits import limiter

DEVICE = "device"
YEAR = 365 * 24 * 3600


def by_account() -> str:
    """The account that's being tried, and whether by a device that it knows."""
    account = emails.print_of(emails.typed(request.form.get("email")))
    return f"{account}:{device_known_to(account)}"


def by_person() -> str:
    return str(current_user.id) if current_user.is_authenticated else ""


POST = ["POST"]
log_in_by_address = limiter.limit("30 per minute; 300 per hour", methods=POST)
log_in_by_account = limiter.limit("10 per 10 minutes", key_func=by_account, methods=POST)
# One address may hold an office; one mailbox needs few letters.
letters_by_address = limiter.limit("10 per minute; 100 per hour", methods=POST)
letters_by_account = limiter.limit("5 per hour", key_func=by_account, methods=POST)
links_by_address = limiter.limit("30 per minute", methods=POST)
passwords_by_person = limiter.shared_limit(
    "10 per 10 minutes", scope="own password", key_func=by_person, methods=POST
)
invitations_by_person = limiter.shared_limit(
    "60 per hour", scope="invitations", key_func=by_person, methods=POST
)


def know_this_device(user: User) -> None:
    """Remember at this browser that the person has logged in here."""

    @after_this_request
    def remember(response: Response) -> Response:
        response.set_cookie(
            DEVICE,
            serializer().dumps([emails.print_of(user.email), secrets.token_urlsafe(16)]),
            max_age=YEAR,
            httponly=True,
            samesite="Lax",
            secure=current_app.config["SESSION_COOKIE_SECURE"],
        )
        return response


def device_known_to(account: str) -> str:
    """The device's own name if the account was logged in at before, else the empty one."""
    try:
        known, device = serializer().loads(request.cookies.get(DEVICE, ""))
    except BadSignature:
        return ""
    return str(device) if known == account else ""


def serializer() -> URLSafeSerializer:
    return URLSafeSerializer(signing_keys(), salt="device", signer_kwargs=SHA256)
