"""Passwords: kept as argon2id hashes (RFC 9106), and rehashed when the parameters change."""

import re
import unicodedata
from functools import lru_cache
from pathlib import Path
from string import digits, punctuation
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import CHEAPEST, RFC_9106_LOW_MEMORY
from flask import current_app

SHORTEST = 12
LONGEST = 128
# A hash takes 64 MiB and every core: a burst of log-ins must queue, not exhaust the machine.
AT_ONCE = BoundedSemaphore(2)

# What guessers try first, once case, digits, signs and repetition are taken off.
COMMON = frozenset(Path(__file__).with_name("common_passwords.txt").read_text("utf-8").split())
LOOKALIKES = str.maketrans("013457@$!", "oieastasi")
ROWS = ("01234567890123456789", "98765432109876543210", "abcdefghijklmnopqrstuvwxyz")


@lru_cache
def hasher_for(testing: bool) -> PasswordHasher:
    return PasswordHasher.from_parameters(CHEAPEST if testing else RFC_9106_LOW_MEMORY)


def hasher() -> PasswordHasher:
    return hasher_for(current_app.testing)


def hash_password(password: str) -> str:
    with AT_ONCE:
        return hasher().hash(same_on_every_keyboard(password))


def is_right(password_hash: str | None, password: str) -> bool:
    """Whether this is the password. Takes as long for a wrong one, or for nobody's (None)."""
    try:
        with AT_ONCE:
            return hasher().verify(
                password_hash or nobodys(hasher()), same_on_every_keyboard(password)
            )
    except (VerificationError, InvalidHashError):
        return False


@lru_cache
def nobodys(of: PasswordHasher) -> str:
    """A hash that no password opens, for the work that a real one would have been."""
    made = of.hash("nobody")
    return made[:-4] + ("AAAA" if made[-4:] != "AAAA" else "BBBB")


def is_outdated(password_hash: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return hasher().check_needs_rehash(password_hash)


def same_on_every_keyboard(password: str) -> str:
    """An accent may be typed as one sign or two (NIST SP 800-63B: normalise before hashing)."""
    return unicodedata.normalize("NFKC", password)


def weakness(password: str, *personal: str) -> str:
    """What's wrong with a new password, in words for people; empty if nothing is.

    `personal` is what others know about the person: the name, the e-mail address.
    """
    if len(password) < SHORTEST:
        return f"Use {SHORTEST} characters or more. A few words in a row are easy to remember."
    if len(password) > LONGEST:
        return f"Use {LONGEST} characters at most."
    if is_common(password.lower()):
        return "This is one of the first passwords that guessers try. Choose another one."
    if any(is_about(password.lower(), fact.lower()) for fact in personal if fact):
        return "Others could guess this from your name or address. Choose another one."
    return ""


def is_common(password: str) -> bool:
    core = password.strip(digits + punctuation + " ")
    spelt_out = re.sub("[^a-z]", "", core.translate(LOOKALIKES))
    letters = re.sub("[^a-z]", "", password)
    return (
        len(set(password)) < 5
        or any(password in row * 2 for row in ROWS)
        or not COMMON.isdisjoint({once(letters), once(spelt_out)})
    )


def once(text: str) -> str:
    """A text that repeats itself, taken once: `abcabc` is `abc`."""
    repeated = re.fullmatch(r"(.+?)\1+", text)
    return repeated[1] if repeated else text


def is_about(password: str, fact: str) -> bool:
    return password in {fact, fact.replace(" ", ""), fact.partition("@")[0]}
