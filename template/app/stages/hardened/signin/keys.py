"""API keys that open less than their person does, and for a while only.

A key is a token of auth's with limits beside it: its scopes, which are permissions of its maker,
and the day it ends. It never opens more than its person may do at that moment, and nothing once
they don't belong to the tenant. A token from before this stage goes on without limits.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Flask, abort, current_app
from flask_login import current_user
from sqlalchemy import and_, bindparam, select

from app import audit
from app.access import Permission, declare
from app.auth import tokens
from app.auth.identity import Fact, Identity
from app.auth.models import ApiToken, User
from app.auth.panels import Panel, add_panel
from app.db import db, now, reading
from app.errors import NotAllowed, Refused
from app.stages.hardened.signin.models import KeyLimits
from app.tenancy import current_tenant

PERMISSIONS = {"keys:write": Permission("See everybody's API keys, and end them")}
LIMITS: Any = select(KeyLimits.scopes, KeyLimits.expires_at).where(
    KeyLimits.tenant_id == bindparam("tenant_id"), KeyLimits.token_id == bindparam("token_id")
)


class MoreThanOnesOwn(NotAllowed):
    """Somebody would make a key that opens more than they may do."""


class TooLong(Refused):
    """A key would be good for longer than may be."""

    status = 422
    title = "That's too long"


@dataclass(frozen=True, slots=True)
class Key:
    """A key as people see it."""

    id: UUID
    name: str
    prefix: str
    person: str
    user_id: UUID
    scopes: tuple[str, ...] | None
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None

    @property
    def has_ended(self) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= now()


def init_app(app: Flask) -> None:
    declare(app, PERMISSIONS)
    app.extensions["identity_facts"].append(LIMITED)
    add_panel(
        app,
        "settings",
        Panel(
            "Everybody's API keys",
            "Who has keys for this workspace, what each opens, and when it was last used.",
            "All API keys",
            "signin.all_keys",
            permission="keys:write",
        ),
    )
    from app.stages.hardened.signin import key_api, key_views

    key_views.init_app(app)
    key_api.init_app(app)


def limit(
    who: Identity, _credential: str, ends_at: datetime | None, scopes: str | None
) -> Identity | None:
    """A key lets nobody in once it has ended; one with scopes opens those, as far as they may.

    A token from before this stage has neither end nor scopes.
    """
    if ends_at is not None and ends_at <= now():
        return None
    if who.tenant is None or scopes is None:
        return who
    return replace(who, grants=tuple(name for name in scopes.split() if who.can(name)))


LIMITED = Fact(
    (KeyLimits.expires_at, KeyLimits.scopes),
    limit,
    kinds=("token",),
    joins=(
        (
            KeyLimits,
            and_(KeyLimits.tenant_id == ApiToken.tenant_id, KeyLimits.token_id == ApiToken.id),
        ),
    ),
)


def limits_of(tenant_id: UUID, token_id: UUID) -> Any:
    """A key's limits; None for a token from before this stage."""
    with reading("auth") as connection:
        values = {"tenant_id": tenant_id, "token_id": token_id}
        return connection.execute(LIMITS, values).one_or_none()


def permissions_at_hand() -> dict[str, str]:
    """What whoever asks may do here, and so may let a key do: names with their titles."""
    known: dict[str, Permission] = current_app.extensions["permissions"]
    return {name: known[name].title for name in sorted(known) if current_user.can(name)}


def make(name: str, scopes: Collection[str] | None, days: int) -> tuple[str, Key]:
    """Make a key of one's own for the current tenant; its text is shown this once.

    No scopes at all means: all that its person may do. Raises `MoreThanOnesOwn` and `TooLong`.
    """
    refuse_too_much(scopes)
    token, row = tokens.make_row(name, current_user.id)
    limits = KeyLimits(
        tenant_id=row.tenant_id,
        token_id=row.id,
        scopes=None if scopes is None else " ".join(sorted(set(scopes))),
        expires_at=end_of(days),
    )
    db.session.flush()  # The token goes before the limits that point to it.
    db.session.add(limits)
    audit.note("token.limited", row.id, scopes=limits.scopes or "all", days=days)
    db.session.flush()
    return token, find(row.id)


def refuse_too_much(scopes: Collection[str] | None) -> None:
    """A key can't open what its maker can't, be it a person or another key."""
    if scopes is None:
        if current_user.token_id and current_user.grants is not None:
            raise MoreThanOnesOwn("A key with scopes can't make one without.")
        return
    missing = sorted(set(scopes) - set(permissions_at_hand()))
    if missing:
        raise MoreThanOnesOwn(f"You can't let a key do what you may not: {', '.join(missing)}.")


def end_of(days: int) -> datetime:
    """When a key ends that is made now. One that another key makes ends with it at the latest."""
    most = current_app.config["SETTINGS"].api_key_max_days
    if not 1 <= days <= most:
        raise TooLong(f"A key is good for 1 to {most} days.")
    ends_at = now() + timedelta(days=days)
    if current_user.token_id:
        own = limits_of(current_tenant().id, current_user.token_id)
        return min(ends_at, own.expires_at) if own else ends_at
    return ends_at


def of(user_id: UUID | None = None) -> list[Key]:
    """The keys that work in the current tenant, newest first: a person's, or everybody's."""
    statement = (
        select(ApiToken, User.name.label("person"), KeyLimits)
        .join(User, User.id == ApiToken.user_id)
        .outerjoin(
            KeyLimits,
            and_(KeyLimits.tenant_id == ApiToken.tenant_id, KeyLimits.token_id == ApiToken.id),
        )
        .where(ApiToken.tenant_id == current_tenant().id, ApiToken.revoked_at.is_(None))
        .order_by(ApiToken.id.desc())
    )
    if user_id:
        statement = statement.where(ApiToken.user_id == user_id)
    return [key_of(*row) for row in db.session.execute(statement)]


def key_of(token: ApiToken, person: str, limits: KeyLimits | None) -> Key:
    scopes = limits.scopes if limits else None
    return Key(
        id=token.id,
        name=token.name,
        prefix=token.prefix,
        person=person,
        user_id=token.user_id,
        scopes=None if scopes is None else tuple(scopes.split()),
        created_at=token.created_at,
        last_used_at=token.last_used_at,
        expires_at=limits.expires_at if limits else None,
    )


def find(token_id: UUID) -> Key:
    """One of the current tenant's keys that work; 404 if there's none."""
    return next((key for key in of() if key.id == token_id), None) or abort(404)


def end(token_id: UUID) -> None:
    """End a key: one's own, or with the permission anybody's; to others it doesn't exist."""
    key = find(token_id)
    if key.user_id != current_user.id and not current_user.can("keys:write"):
        abort(404)
    tokens.revoke(key.id, key.user_id)
