"""Which tenant is meant: by its slug or its id; who mistypes one is shown those like it."""

from difflib import get_close_matches
from uuid import UUID

from sqlalchemy import select

from app import doors
from app.auth.models import Organisation
from app.db import db
from app.errors import Refused


class NoSuchTenant(Refused):
    """Nobody has this slug or this id."""

    status = 404
    title = "There is no such workspace"


class NotHere(Refused):
    """This process doesn't serve auth, which knows the tenants."""

    title = "This process doesn't know the workspaces"


def refuse_elsewhere() -> None:
    """Raises `NotHere` where another process keeps the tenants."""
    if not doors.serves("auth"):
        raise NotHere("Run this where auth is served: with SERVES=auth, or SERVES=all.")


def find(slug: str) -> Organisation:
    """The tenant with this slug or id; raises `NoSuchTenant`."""
    refuse_elsewhere()
    organisation = with_id(slug) or with_slug(slug)
    if organisation is None:
        raise NoSuchTenant(f"No workspace is called “{slug}”.", hint=suggestion(slug))
    return organisation


def with_slug(slug: str) -> Organisation | None:
    return db.session.scalars(select(Organisation).where(Organisation.slug == slug)).one_or_none()


def with_id(text: str) -> Organisation | None:
    try:
        return db.session.get(Organisation, UUID(text))
    except ValueError:
        return None


def suggestion(slug: str) -> str:
    """The slugs that somebody may have meant."""
    near = get_close_matches(slug, db.session.scalars(select(Organisation.slug)), n=3)
    return f"Did you mean {' or '.join(near)}?" if near else "See them all: flask tenant list"
