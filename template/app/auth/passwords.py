"""Passwords: kept as argon2id hashes (RFC 9106), and rehashed when the parameters change."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import CHEAPEST, RFC_9106_LOW_MEMORY
from flask import current_app


def hasher() -> PasswordHasher:
    return PasswordHasher.from_parameters(CHEAPEST if current_app.testing else RFC_9106_LOW_MEMORY)


def hash_password(password: str) -> str:
    return hasher().hash(password)


def is_right(password_hash: str, password: str) -> bool:
    """Whether this is the password. Takes as long for a wrong one as for the right one."""
    try:
        return hasher().verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(password_hash: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return hasher().check_needs_rehash(password_hash)
