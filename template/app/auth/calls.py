"""What other packages may ask auth."""

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import bindparam, func, select

from app.auth.models import Membership, Organisation, User
from app.db import db, reading
from app.doors import door
from app.tenancy import Tenant, current_tenant

NAMES = select(User.id, User.name).where(User.id.in_(bindparam("ids", expanding=True)))


@door(otherwise="The address can't be looked up: a page of a workspace answers 503.")
def find_tenant(slug: str) -> Tenant | None:
    """The tenant with this slug, or None."""
    row = db.session.scalars(select(Organisation).where(Organisation.slug == slug)).one_or_none()
    return row.as_tenant() if row else None


@door(otherwise="A webhook or a sweep that needs it is tried again later.")
def tenant_with_id(tenant_id: UUID) -> Tenant | None:
    """The tenant with this id, or None: for what comes from outside and names nobody's slug."""
    row = db.session.get(Organisation, tenant_id)
    return row.as_tenant() if row else None


@door(otherwise="A command that goes through all workspaces stops, and is run again.")
def all_tenants() -> Iterator[Tenant]:
    """Every tenant, oldest first. For commands and schedules, never for pages."""
    for row in db.session.scalars(select(Organisation).order_by(Organisation.id)):
        yield row.as_tenant()


@door(otherwise="A mail to the owners waits in its job, which is tried again.")
def owners() -> list[str]:
    """The e-mail addresses of the current tenant's owners."""
    statement = (
        select(User.email)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.tenant_id == current_tenant().id, Membership.role == "owner")
    )
    return list(db.session.scalars(statement.order_by(User.email)))


@door(otherwise="Pages show people without their names.")
def names_of(user_ids: set[UUID]) -> dict[UUID, str]:
    """The names of people, by id, for pages that show who did something."""
    with reading("auth") as connection:
        rows = connection.execute(NAMES, {"ids": list(user_ids)})
        return {row.id: row.name for row in rows}


@door(otherwise="The page shows no number; what would be refused for it is let through.")
def headcount() -> int:
    """How many people belong to the current tenant."""
    mine = select(func.count()).where(Membership.tenant_id == current_tenant().id)
    return db.session.scalar(mine) or 0
