"""E-mail addresses: one way to write each, so that two spellings are one person."""

import hashlib

from email_validator import EmailNotValidError, validate_email
from flask import current_app

LONGEST = 254  # RFC 5321, and what is longer takes long to read.


def tidy(text: str) -> str:
    """The address as we write to it. Raises ValueError, with words for people."""
    if len(text) > LONGEST:
        raise ValueError(f"An e-mail address has {LONGEST} characters at most.")
    try:
        checked = validate_email(
            text.strip(),
            check_deliverability=False,
            allow_smtputf8=False,
            test_environment=not current_app.config["SETTINGS"].in_production,
        )
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    return checked.ascii_email or checked.normalized


def typed(text: str | None) -> str:
    """What somebody typed, read as an address as far as it can be."""
    try:
        return tidy(text or "")
    except ValueError:
        return (text or "").strip()


def norm(email: str) -> str:
    """What two spellings of one address have in common."""
    return email.lower()


def print_of(email: str) -> str:
    """An address as it may stand in a log, a cookie or the limiter's store."""
    return hashlib.sha256(norm(email).encode()).hexdigest()[:32]
