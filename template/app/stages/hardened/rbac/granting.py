"""What a member's own roles grant: found by the query that finds out who asks."""

from dataclasses import replace
from typing import Any

from sqlalchemy import and_, func, literal_column, select

from app.auth.identity import Fact, Identity
from app.auth.models import Membership
from app.stages.hardened.rbac.builtin import effective
from app.stages.hardened.rbac.models import MemberRole, RolePermission

SEPARATOR = "\n"
# Written into the statement: as a value, the driver's dialect would write it there anew each time.
SEPARATOR_SQL: Any = literal_column(f"'{SEPARATOR}'")

# None for a member without roles of the tenant's own; an empty text for one whose roles allow
# nothing. The correlated query finds no row in an index while a tenant has none.
GRANTED = (
    select(func.aggregate_strings(func.coalesce(RolePermission.permission, ""), SEPARATOR_SQL))
    .select_from(MemberRole)
    .outerjoin(
        RolePermission,
        and_(
            RolePermission.tenant_id == MemberRole.tenant_id,
            RolePermission.role_id == MemberRole.role_id,
        ),
    )
    .where(MemberRole.tenant_id == Membership.tenant_id, MemberRole.user_id == Membership.user_id)
    .correlate(Membership)
    .scalar_subquery()
)


def kept_in(granted: str | None) -> list[str] | None:
    """The permissions as they stand in somebody's roles; None if they have no such roles."""
    return None if granted is None else granted.split(SEPARATOR)


def grant(who: Identity, granted: str | None) -> Identity:
    """Whoever has roles of the tenant's own has exactly what those allow."""
    kept = kept_in(granted)
    if kept is None or who.role != "member":
        return who
    return replace(who, grants=tuple(sorted(effective(kept))))


FACT = Fact((GRANTED,), lambda who, _credential, granted: grant(who, granted))
