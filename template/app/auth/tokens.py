"""API tokens: a person's own, for one tenant; shown once, kept as a hash."""

import secrets
from uuid import UUID

from flask import abort
from sqlalchemy import select, update

from app import audit
from app.auth.identity import TOKEN_PREFIX, hash_of
from app.auth.models import ApiToken
from app.db import db, now
from app.tenancy import current_tenant


def of(user_id: UUID) -> list[ApiToken]:
    """A person's tokens that work in the current tenant, newest first."""
    working = select(ApiToken).where(
        ApiToken.tenant_id == current_tenant().id,
        ApiToken.user_id == user_id,
        ApiToken.revoked_at.is_(None),
    )
    return list(db.session.scalars(working.order_by(ApiToken.id.desc())))


def make(name: str, user_id: UUID) -> str:
    """Make a token and answer it: the only time that anybody sees it."""
    return make_row(name, user_id)[0]


def make_row(name: str, user_id: UUID) -> tuple[str, ApiToken]:
    """A new token, and the row that keeps its hash."""
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    row = ApiToken(
        tenant_id=current_tenant().id,
        user_id=user_id,
        name=name,
        prefix=token[: len(TOKEN_PREFIX) + 6],
        token_hash=hash_of(token),
    )
    db.session.add(row)
    audit.note("token.created", row.id, name=name)
    return token, row


def revoke(token_id: UUID, user_id: UUID) -> None:
    """End one of a person's tokens; 404 if it isn't theirs."""
    token = db.session.get(ApiToken, (current_tenant().id, token_id))
    if token is None or token.user_id != user_id:
        abort(404)
    token.revoked_at = token.revoked_at or now()
    audit.note("token.revoked", token.id, name=token.name)


def revoke_all_of(user_id: UUID) -> None:
    """End all of a person's tokens in the current tenant."""
    theirs = update(ApiToken).where(
        ApiToken.tenant_id == current_tenant().id,
        ApiToken.user_id == user_id,
        ApiToken.revoked_at.is_(None),
    )
    db.session.execute(theirs.values(revoked_at=now()))
