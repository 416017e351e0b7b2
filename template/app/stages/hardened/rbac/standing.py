"""Standing: all that somebody may do in a tenant, and the rule that nobody gives more than that.

A standing is a set of permissions; an owner's has one thing more, so that no other set of
permissions, however large, stands as high.
"""

from collections.abc import Iterable
from uuid import UUID

from flask import has_request_context
from flask_login import current_user
from sqlalchemy import select

from app.auth.models import Membership
from app.db import db
from app.errors import NotAllowed
from app.stages.hardened.rbac import builtin
from app.stages.hardened.rbac.granting import GRANTED, kept_in
from app.tenancy import current_tenant

Standing = frozenset[str]
OWNERSHIP = "(ownership)"
NOTHING: Standing = frozenset()
MOST_NAMED = 3


class BeyondOneself(NotAllowed):
    """Somebody would give what they don't have, or change what stands above them."""

    title = "That is beyond what you may do yourself"


def of(role: str, kept: Iterable[str] | None = None) -> Standing:
    """The standing of an owner, of a member, or of a member with these permissions instead."""
    if role == "owner":
        return frozenset(builtin.declared()) | {OWNERSHIP}
    if kept is None:
        return frozenset(builtin.MEMBER.permissions())
    return frozenset(builtin.effective(kept))


def of_member(user_id: UUID) -> Standing:
    """What somebody may do in the current tenant, as the tables say; nothing for strangers."""
    statement = select(Membership.role, GRANTED).where(
        Membership.tenant_id == current_tenant().id, Membership.user_id == user_id
    )
    row = db.session.execute(statement).one_or_none()
    return of(row[0], kept_in(row[1])) if row else NOTHING


def of_whoever_acts() -> Standing:
    """What whoever asks may give. Commands and the worker act for the system, which may all.

    The tables are asked again, with the door held: a role may have been taken since the request
    began. What narrows the request itself, such as an API token's scopes, narrows this, too.
    """
    if not has_request_context():
        return of("owner")
    tenant = current_user.tenant if current_user.is_authenticated else None
    if tenant is None or tenant.id != current_tenant().id:
        return NOTHING
    held = of_member(current_user.id)
    return held if current_user.grants is None else held.intersection(current_user.grants)


def is_whoever_acts(user_id: UUID) -> bool:
    """Whether it's about the person who asks."""
    return bool(has_request_context() and getattr(current_user, "id", None) == user_id)


def demand(*standings: Standing) -> None:
    """Raises `BeyondOneself` unless whoever acts has all of that. Call it with the door held."""
    missing = frozenset().union(*standings) - of_whoever_acts()
    if missing:
        raise BeyondOneself(
            f"It takes what you don't have here: {named(missing)}.",
            hint="Ask somebody who has it.",
        )


def named(missing: Standing) -> str:
    """The first few of some permissions, in words."""
    known = builtin.declared()
    words = [f"“{known[name].title}”" for name in sorted(missing) if name in known]
    if OWNERSHIP in missing:
        words.insert(0, "being an owner")
    more = len(words) - MOST_NAMED
    return ", ".join(words[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
