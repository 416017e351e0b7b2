"""Deeds travel to auth, which shows the audit trail: in the event's tenant, under the same id."""

from uuid import UUID

from flask import Flask

from app import events
from app.audit import AuditRow
from app.db import db
from app.events import Event

NOTED = "audit.noted"


def init_app(app: Flask) -> None:
    """Tell of each deed, unless it is auth's own: that one is in the trail already."""
    events.on(NOTED)(keep_in_the_trail)
    if "auth" not in app.extensions["serves"]:
        app.extensions["deeds"].append(tell)


def tell(row: AuditRow) -> None:
    """Publish a deed in the transaction it is written in."""
    events.publish(
        NOTED,
        id=row.id,
        request=row.request_id,
        action=row.action,
        target=row.target,
        details=row.details,
    )


def keep_in_the_trail(event: Event) -> None:
    """Write a deed of another service down here."""
    facts = event.facts
    if db.session.get(AuditRow, UUID(facts["id"])) is not None:
        return
    row = AuditRow(
        id=UUID(facts["id"]),
        tenant_id=event.tenant.id if event.tenant else None,
        actor_id=event.actor_id,
        request_id=facts["request"],
        action=facts["action"],
        target=facts["target"],
        details=facts["details"],
        at=event.at,
    )
    db.session.add(row)


keep_in_the_trail.package = "auth"  # type: ignore[attr-defined]  # Whoever shows the trail.
