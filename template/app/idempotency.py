"""Idempotency keys: a write of the API that is sent twice is done once.

A client that repeats a request with the same `Idempotency-Key` gets the first answer again. The
key is written in the transaction of the business itself, so both are there or neither is.
"""

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from flask import Flask, Response, make_response, request
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from app.db import CreatedAt, LongText, SharedModel, db
from app.errors import Refused
from app.tenancy import current_tenant

LONGEST_KEY = 200


class IdempotencyRow(SharedModel):
    """The answer that a key was given."""

    __tablename__ = "shared_idempotency"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    status: Mapped[int]
    body: Mapped[LongText]
    location: Mapped[str] = mapped_column(default="")
    created_at: Mapped[CreatedAt]


class KeyUsedForAnotherRequest(Refused):
    """The same idempotency key came with another request."""

    status = 422
    title = "This Idempotency-Key was used for another request"


class KeyTooLong(Refused):
    """Cut off, it could be taken for another one."""

    status = 400
    title = "This Idempotency-Key is too long"


def init_app(app: Flask) -> None:
    """Nothing to set up: the table is enough."""


def idempotent(view: Callable[..., Any]) -> Callable[..., Any]:
    """Let clients repeat this write safely. The view adds its rows; this commits them."""

    @wraps(view)
    def once(*args: Any, **kwargs: Any) -> Any:
        key = request.headers.get("Idempotency-Key", "")
        if len(key) > LONGEST_KEY:
            raise KeyTooLong(f"An Idempotency-Key has {LONGEST_KEY} characters at most.")
        if not key:
            response = make_response(view(*args, **kwargs))
            db.session.commit()
            return response
        earlier = find(key)
        return replay(earlier) if earlier else perform(key, view, *args, **kwargs)

    once.is_idempotent = True  # type: ignore[attr-defined]  # For the API's document.
    return once


def perform(key: str, view: Callable[..., Any], *args: Any, **kwargs: Any) -> Response:
    response = make_response(view(*args, **kwargs))
    row = IdempotencyRow(
        tenant_id=current_tenant().id,
        key=key,
        fingerprint=fingerprint(),
        status=response.status_code,
        body=response.get_data(as_text=True),
        location=response.headers.get("Location", ""),
    )
    db.session.add(row)
    try:
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        earlier = find(key)
        if earlier is None:
            raise
        return replay(earlier)
    return response


def find(key: str) -> IdempotencyRow | None:
    return db.session.get(IdempotencyRow, (current_tenant().id, key))


def replay(row: IdempotencyRow) -> Response:
    if row.fingerprint != fingerprint():
        raise KeyUsedForAnotherRequest("Use a new key for a new request.")
    response = make_response(row.body, row.status)
    response.mimetype = "application/json"
    response.headers["Idempotency-Replayed"] = "true"
    if row.location:
        response.headers["Location"] = row.location
    return response


def fingerprint() -> str:
    """What was asked, so that a key can't be reused for something else."""
    parts = request.method.encode(), request.path.encode(), request.get_data()
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
