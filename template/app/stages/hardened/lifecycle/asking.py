"""Asking for an operation from a page or the API: it's begun at once, and a worker does it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from app.db import db
from app.errors import Refused
from app.jobs import job, later, patient
from app.stages.hardened.lifecycle import creating, ledger
from app.stages.hardened.lifecycle.archive import operations
from app.stages.hardened.lifecycle.creating import NewTenant
from app.stages.hardened.lifecycle.doing import go_on
from app.stages.hardened.lifecycle.finding import find
from app.stages.hardened.lifecycle.models import Operation
from app.stages.hardened.lifecycle.placement import operations as placing
from app.stages.hardened.lifecycle.placement import wishes
from app.stages.hardened.lifecycle.suspending import refuse_resuming, refuse_suspending

KINDS = ("suspend", "resume", "export", "restore", "rotate", "delete")


class NotConfirmed(Refused):
    """The slug was to be typed again, and wasn't."""

    title = "Please type the address again"
    status = 422


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for, as a page or a program says it."""

    kind: str
    reason: str = ""
    archive: str = ""
    confirm: str = ""
    sessions: bool = False


def ask(slug: str, wish: Wish, operator: str) -> Operation:
    """Begin an operation on a tenant; a worker does it after the commit. Raises `Refused`."""
    found = find(slug)
    tenant_id, name = found.id, found.slug
    asked = options(tenant_id, name, wish)
    operation_id = ledger.begin(wish.kind, tenant_id, name, operator, **asked)
    hand_over(operation_id)
    return ledger.find(str(operation_id))


def ask_for_tenant(new: NewTenant, operator: str) -> Operation:
    """Begin to make a tenant. To ask for the same again answers the same operation."""
    return handed_over(creating.begin(new, operator))


def ask_to_place(
    slug: str, to: str, services: Iterable[str], region: str, email: str, operator: str
) -> Operation:
    """Begin to make ready where a tenant shall live. To ask again answers the same operation."""
    tenant_id = find(slug).id
    wish = wishes.wish(tenant_id, to, services=tuple(services), region=region, email=email)
    return handed_over(placing.begin(slug, wish, operator))


def ask_to_enter(slug: str, outputs: object, operator: str) -> Operation:
    """Begin to let the catalog know what Terraform made for a tenant."""
    return handed_over(placing.begin_entering(slug, outputs, operator))


def ask_to_import(archive: str, trust: Iterable[str], operator: str) -> Operation:
    """Begin to bring the tenant of an archive here. To ask again answers the same operation."""
    path = archive_called(archive)
    return handed_over(operations.begin_import(path, trust, operator))


def handed_over(operation: Operation) -> Operation:
    """The operation, and a worker that does it unless it's at its end."""
    operation_id = operation.id
    if operation.is_open:
        hand_over(operation_id)
    return ledger.find(str(operation_id))


def hand_over(operation_id: UUID) -> None:
    """Let a worker do it, or go on with it."""
    later(run_operation, operation_id)
    db.session.commit()


def options(tenant_id: UUID, slug: str, wish: Wish) -> dict[str, Any]:
    """What the operation is told; raises `Refused` for what can't be."""
    if wish.kind in {"delete", "restore"} and wish.confirm != slug:
        raise NotConfirmed(f"To {wish.kind} {slug}, type its address: {slug}. Nothing was done.")
    if wish.kind == "suspend":
        refuse_suspending(tenant_id)
        return {"reason": wish.reason}
    if wish.kind == "resume":
        refuse_resuming(tenant_id)
        return {}
    if wish.kind == "restore":
        return {"file": str(archive_called(wish.archive)), "trust": []}
    if wish.kind == "rotate":
        return {"passwords": not wish.sessions, "sessions": wish.sessions}
    return {"export": "-"} if wish.kind == "delete" else {"file": ""}


def archive_called(name: str) -> Path:
    """An archive in instance/archives: from outside no other file can be named."""
    path = operations.folder() / Path(name).name
    if not name or not path.is_file():
        raise Refused(f"There is no archive “{name}” in instance/archives.")
    return path


@job
@patient(attempts=10)
def run_operation(operation_id: str) -> None:
    """Do an operation to its end. One that a command is at already is left to that.

    What is refused stands in the ledger with the reason: that somebody has to mend, and let it go
    on. Only what failed, as a server that is away, is tried again by itself.
    """
    try:
        go_on(UUID(operation_id))
    except Refused:
        db.session.rollback()
