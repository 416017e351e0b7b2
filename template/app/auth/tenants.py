"""Tenants: founding one, the name in its URLs, and which ones a person belongs to."""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from flask import current_app
from sqlalchemy import select

from app import audit, events
from app.auth.models import Membership, Organisation
from app.db import db
from app.errors import Refused
from app.tenancy import current_tenant, enter

SLUG = re.compile(r"[a-z0-9](-?[a-z0-9])+")
LONGEST_SLUG = 40
# Hosts that mean something else where tenants have subdomains, and words people would trust.
RESERVED = frozenset(Path(__file__).with_name("reserved_slugs.txt").read_text("utf-8").split())


class SlugRefused(Refused):
    """This can't be the name in a workspace's URLs."""

    title = "This address can't be used"


@dataclass(frozen=True, slots=True)
class Mine:
    """A tenant as one of its people sees it in the list of theirs."""

    slug: str
    name: str
    role: str


def of(user_id: UUID) -> list[Mine]:
    """The tenants that a person belongs to, by name."""
    statement = (
        select(Organisation.slug, Organisation.name, Membership.role)
        .join(Membership, Membership.tenant_id == Organisation.id)
        .where(Membership.user_id == user_id)
        .order_by(Organisation.name, Organisation.slug)
    )
    return [Mine(*row) for row in db.session.execute(statement)]


def found(name: str, owner_id: UUID) -> Organisation:
    """Found a tenant with its first owner, and serve it for the rest of the request."""
    organisation = Organisation(name=name, slug=free_slug(name))
    owner = Membership(tenant_id=organisation.id, user_id=owner_id, role="owner")
    db.session.add_all([organisation, owner])
    enter(organisation.as_tenant())
    audit.note("workspace.created", organisation.id)
    events.publish("auth.tenant_created", owner=owner_id)
    events.publish("auth.member_joined", user=owner_id, role="owner")
    return organisation


def change(name: str, slug: str) -> Organisation:
    """Give the current tenant another name or another place in URLs."""
    organisation = db.session.get_one(Organisation, current_tenant().id)
    if slug != organisation.slug:
        refuse_unusable(slug)
        if db.session.scalar(select(Organisation.id).where(Organisation.slug == slug)):
            raise SlugRefused(f"“{slug}” is taken. Choose another address.")
    organisation.name = name
    organisation.slug = slug
    audit.note("workspace.renamed", organisation.id, name=name, slug=slug)
    events.publish("auth.tenant_renamed", name=name, slug=slug)
    return organisation


def free_slug(name: str) -> str:
    """A slug like the name that no tenant has: acme, else acme-2, acme-3, ..."""
    start = slug_like(name)
    like = select(Organisation.slug).where(Organisation.slug.startswith(start, autoescape=True))
    taken = {*db.session.scalars(like), *reserved()}
    slug, count = start, 1
    while slug in taken:
        count += 1
        slug = f"{start}-{count}"
    return slug


def reserved() -> frozenset[str]:
    """What no tenant may be called: with subdomains, also as the common host is."""
    settings = current_app.config["SETTINGS"]
    host = urlsplit(settings.public_url).hostname or ""
    return RESERVED | {host.partition(".")[0]} if settings.tenant_domain else RESERVED


def slug_like(name: str) -> str:
    """A name in the letters that a URL may have; where none are left, a word that fits all."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub("[^a-z0-9]+", "-", ascii_name)[: LONGEST_SLUG - 4].strip("-")
    return slug if SLUG.fullmatch(slug) else "workspace"


def refuse_unusable(slug: str) -> None:
    """Raises `SlugRefused` for what can't be a slug, taken ones aside."""
    if not SLUG.fullmatch(slug) or len(slug) > LONGEST_SLUG:
        raise SlugRefused("Use letters a to z, digits, and single hyphens between them.")
    if slug in reserved():
        raise SlugRefused(f"“{slug}” is reserved. Choose another address.")
