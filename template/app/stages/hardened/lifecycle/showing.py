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
from app.stages.hardened.lifecycle.finding import find, refuse_elsewhere
from app.stages.hardened.lifecycle.group import cli, plain_refusals, the_tenant


@dataclass(slots=True)
class Shown:
    """A tenant as operators see it."""

    id: UUID
    slug: str
    name: str
    created_at: datetime
    people: int
    owners: list[str] = field(default_factory=list)


def tenants(like: str = "") -> list[Shown]:
    """Every tenant whose slug or name has these letters in it, by slug."""
    people = (
        select(Membership.tenant_id, func.count().label("people"))
        .group_by(Membership.tenant_id)
        .subquery()
    )
    statement = select(Organisation, func.coalesce(people.c.people, 0)).outerjoin(
        people, people.c.tenant_id == Organisation.id
    )
    if like:
        statement = statement.where(
            Organisation.slug.icontains(like, autoescape=True)
            | Organisation.name.icontains(like, autoescape=True)
        )
    rows = db.session.execute(statement.order_by(Organisation.slug))
    return [Shown(one.id, one.slug, one.name, one.created_at, count) for one, count in rows]


def details(organisation: Organisation) -> Shown:
    """One tenant with its owners' addresses."""
    people = organisation.memberships
    return Shown(
        organisation.id,
        organisation.slug,
        organisation.name,
        organisation.created_at,
        len(people),
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
        click.echo(f"{one.slug:{width}}  {one.id}  {one.people:>5} people  {one.name}")
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
