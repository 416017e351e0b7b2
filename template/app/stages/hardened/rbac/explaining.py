"""Why somebody may do something, or may not: what a request would be told, with its reasons."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from uuid import UUID

from flask import current_app
from sqlalchemy import bindparam, null

from app.access import access_of
from app.auth.identity import WHO, Identity, find, identity_of, of_token, refined
from app.auth.models import Organisation, User
from app.db import db
from app.routes import methods_of
from app.stages.hardened.rbac import builtin, holding
from app.stages.hardened.rbac.granting import GRANTED, grant
from app.tenancy import Tenant, serving

BY_ID = WHO.add_columns(null().label("token_id"), GRANTED.label("granted")).where(
    User.id == bindparam("user_id")
)


@dataclass(frozen=True, slots=True)
class Granted:
    """A role that somebody has, and whether it allows the thing in question."""

    role: str
    allows: bool


@dataclass(slots=True)
class Decision:
    """Whether somebody may do something in a tenant, and what that follows from."""

    person: str
    tenant: str
    permission: str
    title: str
    allowed: bool
    because: str
    member: bool
    roles: list[Granted]
    routes: list[str]
    # What a token is narrowed to; None without a token, or where the token isn't narrowed.
    scopes: list[str] | None = None
    hints: list[str] = field(default_factory=list)

    @property
    def granted_by(self) -> list[str]:
        """The roles that allow it."""
        return [one.role for one in self.roles if one.allows]


def identity_in(user: User, slug: str) -> Identity:
    """Somebody as a session of theirs would be seen in the tenant with this slug."""
    row = find(BY_ID, slug=slug, user_id=user.id)
    if row is None:
        raise LookupError(f"{user.email} was deleted a moment ago.")
    return grant(identity_of(row), row.granted)


def explain(user: User, permission: str, tenant: Tenant, token: str = "") -> Decision:
    """Why somebody may do what a permission stands for, or may not; with a token, by that."""
    who = identity_in(user, tenant.slug)
    bearer = identity_of_token(token, tenant.slug) if token else None
    with serving(tenant):
        roles = roles_of(who)
    granted = [Granted(role.name, permission in role.permissions) for role in roles]
    known = builtin.declared().get(permission)
    decision = Decision(
        person=user.email,
        tenant=tenant.slug,
        permission=permission,
        title=known.title if known else "",
        allowed=who.can(permission) and known is not None,
        because="",
        member=who.tenant is not None,
        roles=granted,
        routes=routes_of(permission),
    )
    if token:
        narrow(decision, who, bearer)
    decision.because = decision.because or reason(decision, known is not None)
    if known is None:
        decision.hints = get_close_matches(permission, builtin.declared(), n=3, cutoff=0.5)
    return decision


def narrow(decision: Decision, who: Identity, bearer: Identity | None) -> None:
    """See it as the token does."""
    if bearer is None or bearer.id != who.id:
        decision.allowed = False
        decision.because = (
            "The token doesn't work here: it's another's, another workspace's or ended."
        )
        return
    if bearer.grants != who.grants:
        decision.scopes = sorted(bearer.grants or ())
    if decision.allowed and not bearer.can(decision.permission):
        decision.allowed = False
        decision.because = "The role allows it, the token's scopes don't."


def identity_of_token(token: str, slug: str) -> Identity | None:
    row = of_token(token, slug)
    return refined("token", token, row) if row else None


def reason(decision: Decision, known: bool) -> str:
    """The decision in one sentence."""
    if not known:
        return "No package and no feature declares this permission: nobody has it."
    if not decision.member:
        return "They don't belong to the workspace."
    if decision.allowed:
        return f"Granted by {' and '.join(decision.granted_by)}."
    return f"None of their roles grants it: {', '.join(one.role for one in decision.roles)}."


@dataclass(frozen=True, slots=True)
class RoleOfSomebody:
    """A role as it counts for somebody."""

    name: str
    permissions: frozenset[str]


def roles_of(who: Identity) -> list[RoleOfSomebody]:
    """What somebody's permissions come from, in the current tenant."""
    if who.role is None:
        return []
    own = [] if who.role == "owner" else holding.of_member(who.id)
    if own:
        return [RoleOfSomebody(role.name, frozenset(builtin.effective(role.kept))) for role in own]
    role = builtin.OWNER if who.role == "owner" else builtin.MEMBER
    return [RoleOfSomebody(role.name, frozenset(role.permissions()))]


def routes_of(permission: str) -> list[str]:
    """The routes that need a permission, such as `POST /projects/new`."""
    return sorted(
        f"{methods_of(rule)} {rule.rule}"
        for rule in current_app.url_map.iter_rules()
        if access_of(current_app, rule.endpoint).permission == permission
    )


def everything(user: User, tenant: Tenant) -> Iterator[Decision]:
    """Every permission there is, and why somebody has it or not."""
    for permission in builtin.declared():
        yield explain(user, permission, tenant)


def person(text: str) -> User | None:
    """Somebody by their e-mail address, or by their id."""
    try:
        return db.session.get(User, UUID(text))
    except ValueError:
        return User.with_email(text)


def near_people(text: str, organisation: Organisation) -> list[str]:
    """The tenant's people whose addresses look like this."""
    emails = [one.user.email for one in organisation.memberships]
    return get_close_matches(text, emails, n=3, cutoff=0.5)
