"""People by name: analytics knows ids, auth knows who they are."""

from uuid import UUID

from app import auth

NOBODY = "The system"
GONE = "A former member"


def names_by_id(ids: set[UUID]) -> dict[UUID, str]:
    """A name for each person; those whom auth no longer knows get words instead."""
    return dict.fromkeys(ids, GONE) | auth.names_of(ids) if ids else {}
