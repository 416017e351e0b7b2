"""Who did it: the person signed in, or in the worker the one whose deed led there."""

from uuid import UUID

from flask import g
from flask_login import current_user


def actor_id() -> UUID | None:
    """The id of whoever acts now; None for the system itself."""
    signed_in: UUID | None = getattr(current_user, "id", None)
    return signed_in or g.get("actor_id")


def act_for(person_id: UUID | None) -> None:
    """Note in the worker's context for whom it works, so that its own deeds name that person."""
    g.actor_id = person_id
