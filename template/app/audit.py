"""The audit trail: who did what to whom, written with the deed itself and never changed."""

from typing import Any
from uuid import UUID

import orjson
from flask import Flask, current_app, g
from sqlalchemy import Index, select
from sqlalchemy.orm import Mapped

from app.actor import actor_id
from app.db import CreatedAt, Id, LongText, SharedModel, db
from app.tenancy import current_tenant, tenant_or_none


class AuditRow(SharedModel):
    """One deed."""

    __tablename__ = "shared_audit"
    __table_args__ = (Index(None, "tenant_id", "id"),)

    id: Mapped[Id]
    tenant_id: Mapped[UUID | None]
    actor_id: Mapped[UUID | None]
    request_id: Mapped[str]
    action: Mapped[str]
    target: Mapped[str]
    details: Mapped[LongText]
    at: Mapped[CreatedAt]


def init_app(app: Flask) -> None:
    """A later stage may want to be told of each deed: it adds itself to `deeds`."""
    app.extensions["deeds"] = []


def note(action: str, target: object = "", **details: Any) -> None:
    """Write down a deed in the caller's transaction: `note("member.removed", member.id)`."""
    tenant = tenant_or_none()
    row = AuditRow(
        tenant_id=tenant.id if tenant else None,
        actor_id=actor_id(),
        request_id=g.get("request_id", ""),
        action=action,
        target=str(target),
        details=orjson.dumps(details).decode(),
    )
    db.session.add(row)
    for tell in current_app.extensions["deeds"]:
        tell(row)


def recent(limit: int = 50, *, before: UUID | None = None) -> list[AuditRow]:
    """The current tenant's latest deeds, newest first; for a next page, those before one."""
    rows = select(AuditRow).where(AuditRow.tenant_id == current_tenant().id)
    if before:
        rows = rows.where(AuditRow.id < before)
    return list(db.session.scalars(rows.order_by(AuditRow.id.desc()).limit(limit)))
