"""Which roles a value of a provider's claim gives: owner, member, or roles of the workspace's own.

People type `value = role`, a line each. Kept is the id of a role, so that another name changes
nothing. A role that was deleted gives nothing: whoever has no other is not let in, for to be a
member may be more than that role was.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import select

from app import audit, mail
from app.auth.mails import product
from app.auth.members import hold_the_door
from app.auth.models import Membership, User
from app.db import db
from app.stages.hardened.rbac import defining, holding, rules, standing
from app.stages.hardened.rbac.models import Role
from app.stages.hardened.signin.models import Sso
from app.tenancy import current_tenant, root_url

BUILT_IN = ("member", "owner")
GONE = "(a role that was deleted)"


def init_app(app: Flask) -> None:
    app.extensions.setdefault("role_deleted", []).append(follow)


def lines_of(text: str) -> list[tuple[str, str]]:
    """Each value with its role. Raises ValueError with words for people."""
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        value, sign, role = (part.strip() for part in line.rpartition("="))
        if not sign or not value or not role:
            raise ValueError(f"“{line}” isn't like: admins = owner")
        found.append((value, role))
    return found


def text_of(lines: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"{value} = {role}" for value, role in lines)


def kept(typed: str) -> str:
    """What is kept of what people typed. Raises ValueError where it names no role."""
    known = {defining.norm(role.name): str(role.id) for role in rules.given()}
    known |= {name: name for name in BUILT_IN}
    found = []
    for value, role in lines_of(typed):
        if defining.norm(role) not in known:
            raise ValueError(f"“{value} = {role}”: no role here is called “{role}”.")
        found.append((value, known[defining.norm(role)]))
    return text_of(found)


def shown(text: str) -> str:
    """What is kept, as people typed it, with the names that the roles have."""
    names = {str(role.id): role.name for role in rules.given()} | {one: one for one in BUILT_IN}
    return text_of((value, names.get(role, GONE)) for value, role in lines_of(text))


def given_by(sso: Sso, claims: dict[str, Any]) -> list[str]:
    """What the values of the claim map to, each once, as it's kept."""
    told = claims.get(sso.role_claim) if sso.role_claim else None
    values = [told] if isinstance(told, str) else told if isinstance(told, list) else []
    told_values = {one for one in values if isinstance(one, str)}
    return sorted({role for value, role in lines_of(sso.role_map) if value in told_values})


def demand(text: str) -> None:
    """Raises `BeyondOneself` unless whoever acts could give people all of that themselves.

    Being a member, too: whoever says which provider is believed says who comes in.
    """
    hold_the_door(current_tenant().id)
    wanted = {role for _, role in lines_of(text)}
    own = [standing.of("member", role.kept) for role in existing(wanted - set(BUILT_IN))]
    standing.demand(*map(standing.of, {"member", *(wanted & set(BUILT_IN))}), *own)


def existing(kept_ids: Iterable[str]) -> list[Role]:
    """Those of some roles that are there still."""
    there = {str(role.id): role for role in rules.given()}
    return [there[one] for one in sorted(kept_ids) if one in there]


def gives_nothing(given: Iterable[str]) -> bool:
    """Whether a claim gives roles that were deleted, and no other."""
    return bool(given) and not set(given) & set(BUILT_IN) and not existing(given)


def put(membership: Membership, given: Iterable[str]) -> None:
    """Let somebody who joins have the workspace's own roles that the claim gives."""
    if membership.role != "owner":
        roles = existing(set(given) - set(BUILT_IN))
        holding.put(membership, [defining.keep(role) for role in roles])


def follow(role: Role, to: UUID | None) -> None:
    """A role is deleted: what gives it gives the one in its place, or the owners are told."""
    sso = db.session.get(Sso, role.tenant_id)
    if sso is None or str(role.id) not in {one for _, one in lines_of(sso.role_map)}:
        return
    if to is not None:
        lines = lines_of(sso.role_map)
        sso.role_map = text_of(
            (value, str(to) if one == str(role.id) else one) for value, one in lines
        )
    else:
        tell_owners(role)
    audit.note("sso.role_gone", role.id, name=role.name, moved_to=to)


def tell_owners(role: Role) -> None:
    tenant = current_tenant()
    owners = (
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.tenant_id == tenant.id, Membership.role == "owner")
    )
    for owner in db.session.scalars(owners):
        mail.send(
            owner.email,
            f"A role that your single sign-on gives was deleted on {product()}",
            "signin/mail/role_gone.txt",
            role=role.name,
            workspace=tenant.name,
            url=root_url("auth.tenants", external=True),
        )
