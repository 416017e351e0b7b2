"""`flask tenant list` and `show`: which tenants there are, and what is known of one."""

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import click
from sqlalchemy import func, select

from app.auth.models import Membership, Organisation
from app.db import db
from app.stages.hardened.catalog import api as catalog
from app.stages.hardened.catalog.models import CatalogRow, PlacementRow, TargetRow
from app.stages.hardened.catalog.places import STATES
from app.stages.hardened.lifecycle.finding import find, refuse_elsewhere
from app.stages.hardened.lifecycle.group import cli, plain_refusals, the_tenant

__all__ = ["STATES", "details", "tenants"]


@dataclass(slots=True)
class Shown:
    """A tenant as operators see it."""

    id: UUID
    slug: str
    name: str
    created_at: datetime
    people: int
    state: str = "active"
    reason: str = ""
    place: str = "pool"
    owners: list[str] = field(default_factory=list)


def tenants(like: str = "") -> list[Shown]:
    """Every tenant whose slug or name has these letters in it, by slug."""
    people = (
        select(Membership.tenant_id, func.count().label("people"))
        .group_by(Membership.tenant_id)
        .subquery()
    )
    statement = (
        select(
            Organisation,
            func.coalesce(people.c.people, 0),
            func.coalesce(CatalogRow.state, "active"),
            func.coalesce(CatalogRow.reason, ""),
        )
        .outerjoin(people, people.c.tenant_id == Organisation.id)
        .outerjoin(CatalogRow, CatalogRow.tenant_id == Organisation.id)
    )
    if like:
        statement = statement.where(
            Organisation.slug.icontains(like, autoescape=True)
            | Organisation.name.icontains(like, autoescape=True)
        )
    rows = db.session.execute(statement.order_by(Organisation.slug)).all()
    outside = places_outside()
    return [
        Shown(
            one.id,
            one.slug,
            one.name,
            one.created_at,
            count,
            state,
            reason,
            outside.get(one.id, "pool"),
        )
        for one, count, state, reason in rows
    ]


def places_outside() -> dict[UUID, str]:
    """Where the rows are of those that aren't wholly in the pool."""
    placed = (
        select(PlacementRow.tenant_id, PlacementRow.service, TargetRow.kind)
        .join(TargetRow, TargetRow.name == PlacementRow.target)
        .order_by(PlacementRow.tenant_id, PlacementRow.service)
    )
    found: dict[UUID, list[str]] = {}
    for tenant_id, service, kind in db.session.execute(placed):
        found.setdefault(tenant_id, []).append(f"{service}: {kind}")
    return {tenant_id: ", ".join(those) for tenant_id, those in found.items()}


def details(organisation: Organisation) -> Shown:
    """One tenant with its owners' addresses."""
    people = organisation.memberships
    entry = catalog.entry_of(organisation.id)
    return Shown(
        organisation.id,
        organisation.slug,
        organisation.name,
        organisation.created_at,
        len(people),
        entry.state,
        entry.reason,
        places_outside().get(organisation.id, "pool"),
        sorted(one.user.email for one in people if one.role == "owner"),
    )


as_json = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")


@cli.command("list")
@click.argument("like", default="")
@as_json
def list_command(like: str, as_json: bool) -> None:
    """List the tenants, or those whose slug or name has LIKE in it."""
    with plain_refusals():
        refuse_elsewhere()
        found = tenants(like)
    if as_json:
        click.echo(to_json([asdict(one) for one in found]))
        return
    width = max([len(one.slug) for one in found], default=4)
    for one in found:
        click.echo(
            f"{one.slug:{width}}  {one.id}  {one.state:12} {one.place:8} {one.people:>5} people  "
            f"{one.name}"
        )
    click.echo(f"{len(found):,} tenants." if len(found) != 1 else "1 tenant.")


@cli.command("show")
@the_tenant
@as_json
def show_command(slug: str, as_json: bool) -> None:
    """Show what is known of one tenant."""
    with plain_refusals():
        found = asdict(details(find(slug)))
    if as_json:
        click.echo(to_json(found))
        return
    for name, value in found.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        click.echo(f"{name.replace('_', ' '):12} {shown}")


def to_json(value: Any) -> str:
    return json.dumps(value, indent=2, default=str)
