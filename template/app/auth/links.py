"""Links in e-mails: signed, expiring, and good for one use.

A link holds a print of the person's session stamp. Whatever a link does gives the person a new
stamp, so it works once, and every other open link of theirs ends with it.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from hmac import compare_digest
from uuid import UUID

from flask import current_app
from itsdangerous import BadData, URLSafeTimedSerializer

from app.auth.models import User
from app.db import db
from app.errors import Refused
from app.tenancy import root_url

SHA256 = {"digest_method": hashlib.sha256}


class LinkDoesNotWork(Refused):
    """A link was used already, is too old, or was changed on its way."""

    status = 410
    title = "This link doesn't work any more"

    def __init__(self, kind: str) -> None:
        super().__init__("It was used already, is too old, or was cut off on its way.")
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Kind:
    """What a link is for, which page it opens, and how long it's good."""

    name: str
    endpoint: str
    lifetime: timedelta

    def url(self, user: User, **facts: str) -> str:
        """A link for a person, to be mailed to them."""
        token = self._serializer().dumps([user.id.hex, print_of(user), facts])
        return root_url(self.endpoint, external=True, token=token)

    def open(self, token: str) -> tuple[User, dict[str, str]]:
        """The person and the facts of a link that still works; raises `LinkDoesNotWork`."""
        try:
            user_id, stamp, facts = self._serializer().loads(
                token, max_age=int(self.lifetime.total_seconds())
            )
        except BadData:
            raise LinkDoesNotWork(self.name) from None
        user = db.session.get(User, UUID(user_id))
        if user is None or not compare_digest(print_of(user), stamp):
            raise LinkDoesNotWork(self.name)
        return user, facts

    def _serializer(self) -> URLSafeTimedSerializer:
        # The kind is the salt, so that a link of one kind is nothing to another.
        salt = f"link:{self.name}"
        return URLSafeTimedSerializer(signing_keys(), salt=salt, signer_kwargs=SHA256)


def signing_keys() -> list[str]:
    """The keys that verify what we signed; the last one signs."""
    settings = current_app.config["SETTINGS"]
    return [*reversed(settings.secret_key_fallbacks), settings.secret_key]


CONFIRM = Kind("confirm", "auth.confirm", timedelta(days=2))
RESET = Kind("reset", "auth.reset", timedelta(hours=1))
NEW_EMAIL = Kind("new-email", "auth.new_email", timedelta(days=1))


def print_of(user: User) -> str:
    """Tells whether the stamp is still the same, without telling the stamp."""
    return hashlib.sha256(f"link:{user.session_stamp}".encode()).hexdigest()[:32]
