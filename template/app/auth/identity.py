"""Who is asking: one query for the person, the tenant in the URL, and the role there."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from math import inf
from time import time
from typing import Any, Literal
from uuid import UUID

import structlog
from flask import Flask, Request, abort, current_app, request, session
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, current_user
from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, null, select, update
from sqlalchemy.exc import DBAPIError

from app.access import access_of, is_api
from app.auth.models import ApiToken, Membership, Organisation, User
from app.db import db, now, reading
from app.tenancy import Tenant, enter, slug_in_url

log = structlog.get_logger()

Kind = Literal["session", "token"]
Joins = tuple[tuple[Any, ColumnElement[bool]], ...]  # Tables, each with its condition.

USE_NOTED_EVERY = timedelta(minutes=5)
TOKEN_PREFIX = "sct_"  # noqa: S105  # It makes a leaked token easy to find by a scanner.


@dataclass(frozen=True, slots=True)
class Identity:
    """The person who asks, as everybody but auth sees them: not a row, so it can travel."""

    id: UUID
    name: str
    email: str
    session_stamp: str
    tenant: Tenant | None
    role: str | None
    token_id: UUID | None = None
    # The permissions that somebody has, where more than the two built-in roles decides.
    grants: tuple[str, ...] | None = None
    # Names the session among those of the person, where a later stage keeps them.
    session_key: str = ""
    # What the session lacks for the tenant in the URL to let it in, though they belong there.
    lacks: str = ""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def get_id(self) -> str:
        """What Flask-Login keeps in the session: a new stamp ends it."""
        return ":".join(filter(None, (self.id.hex, self.session_stamp, self.session_key)))

    def can(self, permission: str) -> bool:
        """Whether the role in the current tenant includes this permission."""
        if self.grants is not None:
            return permission in self.grants
        if self.role == "owner":
            return True
        known = current_app.extensions["permissions"].get(permission)
        return self.role == "member" and known is not None and known.member

    def permissions(self) -> tuple[str, ...]:
        """Every permission that they have in the current tenant."""
        return tuple(filter(self.can, current_app.extensions["permissions"]))


def nothing_more(_credential: str) -> dict[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Fact:
    """Something more about who asks, which the same query finds, and what follows from it.

    The columns may name `User`, `Organisation` and `Membership`; for tokens `ApiToken`, too; and
    the tables of `joins`, each with its condition: where it has no row, the columns are None. What
    a condition asks for by `bindparam`, `values` answers from the credential. `follow` is given who
    was found, the credential and the columns' values, and answers who they are then: None refuses.
    """

    columns: tuple[Any, ...]
    follow: Callable[..., Identity | None]
    kinds: tuple[Kind, ...] = ("session", "token")
    joins: Joins = ()
    values: Callable[[str], dict[str, Any]] = nothing_more


WHO = (
    select(
        User.id,
        User.name,
        User.email,
        User.session_stamp,
        Organisation.id.label("tenant_id"),
        Organisation.slug,
        Organisation.name.label("tenant_name"),
        Membership.role,
    )
    .select_from(User)
    .outerjoin(Organisation, Organisation.slug == bindparam("slug"))
    .outerjoin(
        Membership,
        and_(Membership.user_id == User.id, Membership.tenant_id == Organisation.id),
    )
)
BY_SESSION = WHO.add_columns(null().label("token_id")).where(
    User.id == bindparam("user_id"), User.session_stamp == bindparam("stamp")
)
BY_TOKEN = (
    WHO.add_columns(ApiToken.id.label("token_id"), ApiToken.last_used_at)
    .join(ApiToken, and_(ApiToken.user_id == User.id, ApiToken.tenant_id == Organisation.id))
    .where(ApiToken.token_hash == bindparam("token_hash"), ApiToken.revoked_at.is_(None))
)
QUERIES: dict[Kind, Select[Any]] = {"session": BY_SESSION, "token": BY_TOKEN}
WIDTHS = {kind: len(query.selected_columns) for kind, query in QUERIES.items()}


def init_app(app: Flask, manager: LoginManager) -> None:
    # Where auth is another process, another way of finding out stands here.
    app.extensions["identify"] = look_up
    # A later stage may know more about somebody, or refuse them: each of these is a `Fact`.
    app.extensions["identity_facts"] = []
    app.extensions["identity_queries"] = {}
    manager.user_loader(by_session)
    manager.request_loader(by_token)


def by_session(session_id: str) -> Identity | None:
    """The person of a signed session, if its stamp is still theirs."""
    if bearer_token(request):
        # A request with a token is judged by the token alone; its cookies have no CSRF check.
        return None
    # The cookie's own age begins anew whenever something is written to the session.
    if session.get("ends_at", inf) < time():
        return None
    return identify("session", session_id)


def by_token(incoming: Request) -> Identity | None:
    """The person of an API token; it's good for the API of its own tenant only."""
    token = bearer_token(incoming)
    return identify("token", token) if token and is_api() else None


def identify(kind: Kind, credential: str) -> Identity | None:
    """Whose credential this is, as the tenant in the URL sees them."""
    found: Identity | None = current_app.extensions["identify"](kind, credential, slug_in_url())
    return found


def look_up(kind: Kind, credential: str, slug: str | None) -> Identity | None:
    """Whose session or API token this is, in the tenant with this slug."""
    row = of_session(credential, slug) if kind == "session" else of_token(credential, slug)
    return refined(kind, credential, row) if row else None


def refined(kind: Kind, credential: str, row: Row[Any]) -> Identity | None:
    """Who a row is about, with all that later stages know of them."""
    who: Identity | None = identity_of(row)
    more = iter(row[WIDTHS[kind] :])
    for fact in facts_about(kind):
        if who:
            who = fact.follow(who, credential, *islice(more, len(fact.columns)))
    return who


def facts_about(kind: Kind) -> list[Fact]:
    """What a query asks for later stages: their columns stand behind its own, in this order."""
    return [fact for fact in current_app.extensions["identity_facts"] if kind in fact.kinds]


def query_by(kind: Kind) -> Select[Any]:
    """The query for a kind of credential, made once."""
    made: dict[Kind, Select[Any]] = current_app.extensions["identity_queries"]
    if kind not in made:
        query = QUERIES[kind]
        for fact in facts_about(kind):
            query = joined(query, fact.joins).add_columns(*fact.columns)
        made[kind] = query
    return made[kind]


def joined(query: Select[Any], joins: Joins) -> Select[Any]:
    """A query with more tables, so that no row is lost for want of one in them."""
    for table, condition in joins:
        query = query.outerjoin(table, condition)
    return query


def values_of(kind: Kind, credential: str) -> dict[str, Any]:
    """What the query for a credential is given for later stages."""
    found: dict[str, Any] = {}
    for fact in facts_about(kind):
        found |= fact.values(credential)
    return found


def of_session(session_id: str, slug: str | None) -> Row[Any] | None:
    """The row of a session's person, if its stamp is still theirs."""
    user_id, _, rest = session_id.partition(":")
    stamp = rest.partition(":")[0]
    more = values_of("session", session_id)
    return find(query_by("session"), slug=slug, user_id=UUID(user_id), stamp=stamp, **more)


def of_token(token: str, slug: str | None) -> Row[Any] | None:
    """The row of an API token's person; that it was used is noted."""
    more = values_of("token", token)
    row = find(query_by("token"), slug=slug, token_hash=hash_of(token), **more)
    if row:
        note_use(row)
    return row


def find(statement: Any, **values: Any) -> Row[Any] | None:
    with reading("auth") as connection:
        return connection.execute(statement, values).one_or_none()


def note_use(token: Row[Any]) -> None:
    """Keep when a token was used, to some minutes: a write each time would cost more than it."""
    if token.last_used_at and token.last_used_at > now() - USE_NOTED_EVERY:
        return
    row = update(ApiToken).where(
        ApiToken.tenant_id == token.tenant_id, ApiToken.id == token.token_id
    )
    try:
        with db.engines["auth"].begin() as connection:
            connection.execute(row.values(last_used_at=now()))
    except DBAPIError as error:
        log.warning("use of a token not noted", error=repr(error))


def identity_of(row: Row[Any]) -> Identity:
    tenant = Tenant(row.tenant_id, row.slug, row.tenant_name) if row.role else None
    return Identity(
        id=row.id,
        name=row.name,
        email=row.email,
        session_stamp=row.session_stamp,
        tenant=tenant,
        role=row.role,
        token_id=row.token_id,
    )


def of(user: User) -> Identity:
    """Somebody who has just signed in, in no tenant yet."""
    return Identity(user.id, user.name, user.email, user.session_stamp, tenant=None, role=None)


def bearer_token(incoming: Request) -> str:
    scheme, _, token = incoming.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def hash_of(token: str) -> str:
    """Tokens are long and random, so one plain hash keeps them (no salt, no stretching)."""
    return hashlib.sha256(token.encode()).hexdigest()


def enter_tenant_of_url() -> ResponseReturnValue | None:
    """Serve the tenant that the URL names, to its members; to others it doesn't exist."""
    if slug_in_url() is None or request.endpoint is None:
        return None
    if current_user.is_authenticated and current_user.tenant:
        enter(current_user.tenant)
    elif current_user.is_authenticated and current_user.lacks:
        answer: ResponseReturnValue = current_app.extensions["ask_for_what_lacks"](current_user)
        return answer
    elif current_user.is_authenticated and needs_tenant():
        abort(404)
    return None


def needs_tenant() -> bool:
    return access_of(current_app, request.endpoint or "").kind != "public"
