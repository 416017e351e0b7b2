"""What an operator wishes of a tenant's place, and what stands in the way of it."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from flask import current_app
from sqlalchemy import select

from app.auth import emails
from app.db import db
from app.errors import Refused
from app.stages.hardened.catalog import api as catalog
from app.stages.hardened.catalog.models import TargetRow
from app.stages.hardened.catalog.places import SILOED, Entry
from app.stages.hardened.lifecycle.creating import (
    NoRoomLeft,
    NoSilos,
    admin_url,
    refuse_without_room_for_silos,
)
from app.stages.hardened.lifecycle.models import Operation
from app.stages.hardened.lifecycle.suspending import NotNow
from app.stages.hardened.moving.ledger import open_move
from app.stages.hardened.silos.names import database_of

# In words, as "acme shall live in ...".
PLACES = {
    "pool": "the pool",
    "silo": "silos on the server that has them",
    "server": "a server of its own",
    "account": "a cloud account of its own",
}
# What a pipeline has to make first.
BY_TERRAFORM = ("server", "account")
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
WHY_NOT = {
    "suspended": "Resume it first: flask tenant resume {slug}",
    "moving": "See how far that is: flask tenant moves",
}


class CannotPlace(Refused):
    """The tenant can't be placed there."""

    title = "It can't be placed there"


@dataclass(frozen=True, slots=True)
class Wish:
    """Where a tenant's rows of some services shall be."""

    to: str
    services: tuple[str, ...]
    region: str = ""
    email: str = ""
    folder: str = ""

    def as_asked(self) -> dict[str, Any]:
        """As an operation keeps it."""
        return asdict(self) | {"services": list(self.services)}


def wish(
    tenant_id: UUID,
    to: str,
    *,
    services: tuple[str, ...] = (),
    region: str = "",
    email: str = "",
    folder: str = "",
) -> Wish:
    """A wish that says all that its place needs; raises `CannotPlace`."""
    if to not in PLACES:
        raise CannotPlace(f"{to!r} is no place: {', '.join(PLACES)} are.")
    chosen = tuple(one for one in SILOED if one in (services or SILOED))
    if unknown := set(services) - set(SILOED):
        raise CannotPlace(f"{', '.join(sorted(unknown))} is in one place for all.")
    if to not in BY_TERRAFORM and (region or email):
        raise CannotPlace(f"A region and an address are for {' and '.join(BY_TERRAFORM)} only.")
    if to in BY_TERRAFORM:
        region = readable_region(region or catalog.entry_of(tenant_id).region)
    return Wish(to, chosen, region, readable_email(to, email), folder)


def readable_region(region: str) -> str:
    if not region:
        raise CannotPlace(
            "The catalog doesn't say in which region it lives.", hint="Say --region eu-central-1."
        )
    if not REGION.fullmatch(region):
        raise CannotPlace(f"{region!r} is no AWS region, such as eu-central-1.")
    return region


def readable_email(to: str, email: str) -> str:
    """The address of the account, which no other account may have."""
    if to != "account":
        if email:
            raise CannotPlace("An address is needed for a cloud account only.")
        return ""
    try:
        return emails.tidy(email)
    except ValueError as error:
        raise CannotPlace(
            f"The account needs an address that no other one has; {email!r} is none: {error}",
            hint="Say --email aws+acme@example.com.",
        ) from None


# --- What stands in the way ----------------------------------------------------------------------


def refuse(tenant_id: UUID, slug: str, new: Wish) -> None:
    """Raises `Refused` for what can't be, before anything is done."""
    entry = catalog.entry_of(tenant_id)
    if entry.state != "active":
        hint = WHY_NOT.get(entry.state, "Wait for that to end.").format(slug=slug)
        raise NotNow(f"{slug} is {entry.state}.", hint=hint)
    refuse_what_is_moved(tenant_id, slug)
    if new.to == "pool":
        refuse_what_lives_outside(entry, slug)
        return
    refuse_one_process()
    known = last(tenant_id)
    refuse_another_wish(known, slug, new)
    refuse_occupied(entry, slug, new, known)
    refuse_without_room(tenant_id, new, known)


def refuse_what_is_moved(tenant_id: UUID, slug: str) -> None:
    for service in SILOED:
        if open_move(tenant_id, service) is not None:
            raise NotNow(
                f"The rows of {service} of {slug} are on their way: that move isn't at its end.",
                hint=f"flask tenant move {slug} --service {service} --finish, or see flask tenant "
                "moves",
            )


def refuse_what_lives_outside(entry: Entry, slug: str) -> None:
    for service in SILOED:
        here = entry.place_of(service)
        if not here.is_pool:
            raise CannotPlace(
                f"The rows of {service} of {slug} are at “{here.name}”.",
                hint=f"Move them first: flask tenant move {slug} --service {service} --to pool",
            )


def refuse_one_process() -> None:
    if current_app.config["SETTINGS"].serves == "all":
        raise NoSilos(
            "With SERVES=all every workspace is in the pool: other places need services of their "
            "own."
        )


def refuse_another_wish(known: Operation | None, slug: str, new: Wish) -> None:
    """What was begun with Terraform isn't begun otherwise: a plan would take the first away."""
    if known is None or known.wishes["to"] == "pool":
        return
    before = known.wishes
    if before["to"] != new.to:
        raise CannotPlace(
            f"{slug} shall live in {PLACES[before['to']]} already ({known.operator} said so).",
            hint=f"Take that back first: flask tenant place {slug} --to pool",
        )
    if left := set(before["services"]) - set(new.services):
        raise CannotPlace(f"{', '.join(sorted(left))} was to live there, too: name it again.")
    if new.to in BY_TERRAFORM and before["region"] != new.region:
        raise CannotPlace(f"{slug} was to live in {before['region']}, not in {new.region}.")


def refuse_occupied(entry: Entry, slug: str, new: Wish, known: Operation | None) -> None:
    """Rows that are outside of the pool for another reason have to come back first."""
    agreed = known.wishes["services"] if known and known.wishes["to"] == new.to else []
    for service in set(new.services) - set(agreed):
        here = entry.place_of(service)
        if not here.is_pool:
            raise CannotPlace(
                f"The rows of {service} of {slug} are at “{here.name}” already.",
                hint="To place them elsewhere, move them to the pool first: "
                f"flask tenant move {slug} --service {service} --to pool",
            )


def refuse_without_room(tenant_id: UUID, new: Wish, known: Operation | None) -> None:
    if new.to == "silo":
        names = [database_of(one, tenant_id) for one in new.services]
        there = select(TargetRow.name).where(TargetRow.name.in_(names))
        missing = len(names) - len(db.session.scalars(there).all())
        refuse_without_room_for_silos(missing) if missing else admin_url()
        return
    most: int = current_app.config["SETTINGS"].most_own_servers
    if known is None or known.wishes["to"] not in BY_TERRAFORM:
        used = with_servers()
        if used >= most:
            raise NoRoomLeft(
                f"{used} workspaces have a server of their own, and MOST_OWN_SERVERS is {most}.",
                hint="Each costs money by the hour. Raise it if that's meant.",
            )


def earlier(tenant_id: UUID) -> list[Operation]:
    """What was said of a tenant's place, newest first, whether it came to its end or not."""
    asked = select(Operation).where(Operation.tenant_id == tenant_id, Operation.kind == "place")
    return list(db.session.scalars(asked.order_by(Operation.id.desc())))


def last(tenant_id: UUID) -> Operation | None:
    """Where a tenant shall live, by what was said last; None if nobody said."""
    return next((one for one in earlier(tenant_id) if one.state == "done"), None)


def external_id(tenant_id: UUID) -> str:
    """The one that a tenant's account was given, whatever was said since; empty if none was."""
    known = (one.proof.get("external_id", "") for one in earlier(tenant_id))
    return next(filter(None, known), "")


def files(tenant_id: UUID) -> set[Path]:
    """The variables that were written for a tenant: Terraform needs them to unmake its places."""
    written = (one.proof.get("file", "") for one in earlier(tenant_id))
    return {Path(file) for file in written if file}


def with_servers() -> int:
    """How many tenants have, or shall have, a server of their own. Those are few."""
    asked = (
        select(Operation)
        .where(Operation.kind == "place", Operation.state == "done")
        .order_by(Operation.id)
    )
    latest = {one.tenant_id: one.wishes["to"] for one in db.session.scalars(asked)}
    return sum(to in BY_TERRAFORM for to in latest.values())
