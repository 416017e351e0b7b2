"""Members: who belongs to the current tenant, and as what. There is always an owner."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask import abort
from sqlalchemy import func, select, update

from app import audit, events
from app.auth import tokens
from app.auth.models import Membership, Organisation, User
from app.auth.roles import roles
from app.db import db
from app.errors import Refused
from app.tenancy import current_tenant


class LastOwner(Refused):
    """Somebody would leave a tenant without an owner."""

    title = "A workspace needs an owner"


@dataclass(frozen=True, slots=True)
class Member:
    """A person as the others in the tenant see them."""

    id: UUID
    name: str
    email: str
    role: str
    joined_at: datetime


def everybody() -> list[Member]:
    """Who belongs to the current tenant: owners first, then by name."""
    statement = (
        select(User.id, User.name, User.email, Membership.role, Membership.created_at)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.tenant_id == current_tenant().id)
        .order_by(Membership.role.desc(), func.lower(User.name), User.id)
    )
    return [Member(*row) for row in db.session.execute(statement)]


def change_role(user_id: UUID, role: str) -> None:
    """Let somebody be an owner, or a member, from now on."""
    membership = hold(user_id)
    if membership.role == role:
        return
    roles().before_change(membership, role)
    make_sure_an_owner_stays(membership)
    membership.role = role
    audit.note("member.role_changed", user_id, role=role)
    events.publish("auth.role_changed", user=user_id, role=role)


def remove(user_id: UUID) -> None:
    """Let somebody belong to the tenant no more; their API tokens end, too."""
    membership = hold(user_id)
    roles().before_removal(membership)
    make_sure_an_owner_stays(membership)
    tokens.revoke_all_of(user_id)
    db.session.delete(membership)
    audit.note("member.removed", user_id)
    events.publish("auth.member_left", user=user_id)


def hold(user_id: UUID) -> Membership:
    """The membership, while nobody else changes who belongs to the tenant; 404 if there's none."""
    hold_the_door(current_tenant().id)
    key = current_tenant().id, user_id
    return db.session.get(Membership, key, populate_existing=True) or abort(404)


def hold_the_door(tenant_id: UUID) -> None:
    """Let one transaction at a time change who belongs to a tenant.

    A write that changes nothing takes the lock on both databases; SQLite knows no FOR UPDATE.
    """
    db.session.execute(
        update(Organisation)
        .where(Organisation.id == tenant_id)
        .values(name=Organisation.name)
        .execution_options(synchronize_session=False)
    )


def make_sure_an_owner_stays(leaving: Membership) -> None:
    """Raises `LastOwner` if the tenant's only owner would go. Call it with the door held."""
    others = select(func.count()).where(
        Membership.tenant_id == leaving.tenant_id,
        Membership.role == "owner",
        Membership.user_id != leaving.user_id,
    )
    if leaving.role == "owner" and not db.session.scalar(others):
        raise LastOwner(
            f"{leaving.organisation.name} would have no owner.",
            hint="Make somebody else an owner first.",
        )
