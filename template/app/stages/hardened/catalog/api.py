"""Reading and changing the catalog, in the process that serves auth.

Whoever changes a tenant's state or place does it here and nowhere else: each change is audited
and published, and ends at once what other processes have cached. Nothing here commits: the caller
does, with whatever else belongs to its step.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import orjson
from flask import g
from sqlalchemy import select, update

from app import audit, events
from app.auth.models import Organisation
from app.db import db, now, reading
from app.errors import Refused
from app.stages.hardened.catalog.models import CatalogRow, PlacementRow, TargetRow
from app.stages.hardened.catalog.places import (
    POOL,
    SILOED,
    STATES,
    Entry,
    Placement,
    Target,
)
from app.tenancy import Tenant, WrongTenant, tenant_or_none

# What a new state is called when it's told.
EVENTS = {
    "provisioning": "auth.tenant_provisioning",
    "suspended": "auth.tenant_suspended",
    "moving": "auth.tenant_moving",
    "deleting": "auth.tenant_deleting",
    "deleted": "auth.tenant_deleted",
}


class NotAState(Refused):
    """The catalog doesn't know this state or this service."""

    title = "The catalog doesn't know this"
    status = 422


class MovedMeanwhile(Refused):
    """Somebody else has placed the tenant since you looked."""

    title = "The workspace has moved meanwhile"


class UnknownTarget(Refused):
    """There is no target of this name."""

    title = "There is no such target"
    status = 404


class TargetInUse(Refused):
    """A tenant's rows are at this target, or it's known as something else."""

    title = "The target is in use"


# --- Reading -------------------------------------------------------------------------------------


def entry_of(tenant: Tenant | UUID) -> Entry:
    """All that the catalog says of a tenant; of one that it doesn't know, what is true of all."""
    tenant_id = tenant if isinstance(tenant, UUID) else tenant.id
    row = db.session.get(CatalogRow, tenant_id)
    state = row.state if row else "active"
    placed = select(PlacementRow).where(PlacementRow.tenant_id == tenant_id)
    placements = {one.service: placement_of(one, state) for one in db.session.scalars(placed)}
    if row is None:
        return Entry(tenant_id, placements=placements)
    return Entry(
        tenant_id,
        state,
        row.reason,
        row.tier,
        row.region,
        row.release,
        row.version,
        placements,
    )


def place_of(tenant_id: UUID, service: str) -> Placement:
    """Where a tenant's rows of a service are. Raises `NotAState` for a service without silos."""
    refuse_other_services(service)
    return entry_of(tenant_id).place_of(service)


def placement_of(row: PlacementRow, state: str) -> Placement:
    return Placement(target(row.target) if row.target else None, row.epoch, state)


def targets(service: str | None = None) -> list[Target]:
    """Every target, or a service's, by name."""
    rows = select(TargetRow).order_by(TargetRow.name)
    if service:
        rows = rows.where(TargetRow.service == service)
    return [as_target(row) for row in db.session.scalars(rows)]


def target(name: str) -> Target:
    """One target. Raises `UnknownTarget`."""
    row = db.session.get(TargetRow, name)
    if row is None:
        raise UnknownTarget(f"No target is called “{name}”.")
    return as_target(row)


def as_target(row: TargetRow) -> Target:
    return Target(
        row.name,
        row.service,
        row.kind,
        row.host,
        row.port,
        row.database,
        row.role,
        row.owner_role,
        row.secret_ref,
        orjson.loads(row.details),
    )


def placed_outside(service: str) -> Iterator[tuple[Tenant, Placement]]:
    """Every tenant whose rows of a service are outside of the pool, with where they are."""
    rows = (
        select(PlacementRow, TargetRow, Organisation, CatalogRow.state)
        .join(TargetRow, TargetRow.name == PlacementRow.target)
        .join(Organisation, Organisation.id == PlacementRow.tenant_id)
        .outerjoin(CatalogRow, CatalogRow.tenant_id == PlacementRow.tenant_id)
        .where(PlacementRow.service == service, PlacementRow.target != "")
        .order_by(PlacementRow.tenant_id)
    )
    for placed, at, organisation, state in db.session.execute(rows):
        yield organisation.as_tenant(), Placement(as_target(at), placed.epoch, state or "active")


def not_served() -> dict[UUID, tuple[str, str]]:
    """The tenants that aren't served now, with their state and why. Those are few."""
    rows = select(CatalogRow.tenant_id, CatalogRow.state, CatalogRow.reason).where(
        CatalogRow.state.in_(("provisioning", "suspended", "deleting"))
    )
    with reading("auth") as connection:
        return {row.tenant_id: (row.state, row.reason) for row in connection.execute(rows)}


# --- Changing ------------------------------------------------------------------------------------


def set_state(tenant: Tenant, state: str, *, reason: str = "") -> Entry:
    """Put a tenant into a state, and say why. To do it twice changes and tells nothing.

    Raises `NotAState`.
    """
    if state not in STATES:
        raise NotAState(f"{state!r} is no state of a workspace: {', '.join(STATES)}.")
    row = row_of(tenant.id)
    before = row.state
    if (before, row.reason) == (state, reason):
        return entry_of(tenant)
    row.state, row.reason, row.changed_at = state, reason, now()
    facts = {"before": before, "after": state, "reason": reason}
    tell(tenant, name_of_change(before, state), **facts)
    db.session.flush()
    return entry_of(tenant)


def name_of_change(before: str, state: str) -> str:
    """How a change of state is called: a tenant that becomes active was resumed, or is ready."""
    if state != "active":
        return EVENTS[state]
    ready = {"suspended": "auth.tenant_resumed", "provisioning": "auth.tenant_ready"}
    return ready.get(before, "auth.tenant_active")


def set_facts(tenant: Tenant, **facts: str) -> Entry:
    """Note a tenant's `tier`, `region` or `release`."""
    if unknown := set(facts) - {"tier", "region", "release"}:
        raise NotAState(f"The catalog keeps no {', '.join(sorted(unknown))}.")
    row = row_of(tenant.id)
    changed = {name: value for name, value in facts.items() if getattr(row, name) != value}
    if changed:
        for name, value in changed.items():
            setattr(row, name, value)
        row.changed_at = now()
        tell(tenant, "auth.tenant_noted", **changed)
        db.session.flush()
    return entry_of(tenant)


def set_placement(
    tenant: Tenant, service: str, target_name: str, *, expected_epoch: int, epoch: int | None = None
) -> Placement:
    """Place a tenant's rows of a service at a target; `pool` is everybody's.

    It's done only if the epoch is still the expected one; the new one is the next, or a given
    later one. Whoever moves rows sets the same epoch in their database. To do it again with the
    same epochs changes and tells nothing, so that a move that was killed can go on. Raises
    `MovedMeanwhile` and `UnknownTarget`.
    """
    refuse_other_services(service)
    name = "" if target_name == POOL else target_name
    epoch = expected_epoch + 1 if epoch is None else epoch
    if epoch <= expected_epoch:
        raise NotAState(f"An epoch only grows: {epoch} doesn't come after {expected_epoch}.")
    if name and target(name).service != service:
        raise UnknownTarget(f"“{name}” is a target of {target(name).service}, not of {service}.")
    before = place_of(tenant.id, service)
    if (before.epoch, before.name) == (epoch, name or POOL):
        return before
    if before.epoch != expected_epoch or not flip(tenant.id, service, name, expected_epoch, epoch):
        raise MovedMeanwhile(
            f"The rows of {service} of {tenant.slug} are at “{before.name}” at epoch "
            f"{before.epoch}; you expected {expected_epoch}.",
            hint="Look again where they are, then decide.",
        )
    row_of(tenant.id).changed_at = now()
    facts = {"before": before.name, "after": name or POOL, "epoch": epoch}
    tell(tenant, "auth.tenant_moved", service=service, **facts)
    db.session.flush()
    return place_of(tenant.id, service)


def flip(tenant_id: UUID, service: str, name: str, expected: int, epoch: int) -> bool:
    """Write the placement if the epoch is the expected one still."""
    row = db.session.get(PlacementRow, (tenant_id, service), with_for_update=True)
    if row is None:
        values = {"tenant_id": tenant_id, "service": service, "target": name, "epoch": epoch}
        db.session.add(PlacementRow(**values))
        db.session.flush()
        return expected == 0
    done: Any = db.session.execute(
        update(PlacementRow)
        .where(PlacementRow.tenant_id == tenant_id, PlacementRow.service == service)
        .where(PlacementRow.epoch == expected)
        .values(target=name, epoch=epoch, changed_at=now())
    )
    return bool(done.rowcount)


def add_target(new: Target) -> Target:
    """Make a target known. One that is known already as the same changes nothing.

    Raises `TargetInUse` if it's known as something else, and what the driver of its kind raises
    for one that it can't reach.
    """
    from app.stages.hardened.catalog.drivers import driver_of

    refuse_other_services(new.service)
    driver_of(new).refuse_what_it_cannot_reach(new)
    refuse_known_otherwise(new)
    if db.session.get(TargetRow, new.name) is None:
        values = {name: getattr(new, name) for name in Target.__slots__}
        db.session.add(TargetRow(**values | {"details": dumped(new)}))
        audit.note("target.added", new.name, service=new.service, kind=new.kind)
        db.session.flush()
    return new


def refuse_known_otherwise(new: Target) -> None:
    """Raises `TargetInUse` for a target whose name another one has."""
    row = db.session.get(TargetRow, new.name)
    if row is not None and as_target(row) != new:
        raise TargetInUse(
            f"“{new.name}” is known already, as something else.",
            hint="Give the new one another name, or remove the old one first.",
        )


def set_secret(name: str, secret_ref: str) -> Target:
    """Let a target's passwords be found elsewhere from now on, as after a rotation."""
    row = db.session.get(TargetRow, name)
    if row is None:
        raise UnknownTarget(f"No target is called “{name}”.")
    row.secret_ref = secret_ref
    audit.note("target.secret_changed", name)
    placed = select(PlacementRow.tenant_id).where(PlacementRow.target == name)
    for tenant_id in db.session.scalars(placed):
        row_of(tenant_id).changed_at = now()  # What was cached of it ends.
    db.session.flush()
    return as_target(row)


def remove_target(name: str) -> None:
    """Forget a target. Raises `TargetInUse` while a tenant's rows are there."""
    placed = select(PlacementRow).where(PlacementRow.target == name)
    if db.session.scalars(placed.limit(1)).first():
        raise TargetInUse(f"Rows of a workspace are at “{name}”.", hint="Move it away first.")
    row = db.session.get(TargetRow, name)
    if row is not None:
        db.session.delete(row)
        audit.note("target.removed", name)
        db.session.flush()


def forget_placements(tenant: Tenant) -> None:
    """Forget where a tenant's rows were: the last step of its deletion. Its state stays."""
    for row in db.session.scalars(
        select(PlacementRow).where(PlacementRow.tenant_id == tenant.id)
    ).all():
        db.session.delete(row)
    row_of(tenant.id).changed_at = now()
    db.session.flush()


def row_of(tenant_id: UUID) -> CatalogRow:
    """A tenant's row, locked; made if there is none."""
    row = db.session.get(CatalogRow, tenant_id, with_for_update=True)
    if row is None:
        row = CatalogRow(tenant_id=tenant_id, state="active", reason="")
        db.session.add(row)
        db.session.flush()
    return row


def tell(tenant: Tenant, name: str, **facts: Any) -> None:
    """Write down what was done to a tenant, and say so to whoever listens, in its name."""
    with in_the_name_of(tenant):
        audit.note(name.removeprefix("auth."), tenant.id, **facts)
        events.publish(name, **facts)


@contextmanager
def in_the_name_of(tenant: Tenant) -> Iterator[None]:
    """Let what is written down belong to a tenant, in the transaction of whoever looks after it."""
    here = tenant_or_none()
    if here is not None and here.id != tenant.id:
        raise WrongTenant(f"{here.slug} can't change what the catalog says of {tenant.slug}.")
    g.tenant = tenant
    try:
        yield
    finally:
        if here is None:
            g.pop("tenant")


def refuse_other_services(service: str) -> None:
    if service not in SILOED:
        raise NotAState(f"{service!r} has no places to choose; these have: {', '.join(SILOED)}.")


def dumped(new: Target) -> str:
    return orjson.dumps(new.details).decode()
