"""`flask worker` of one service, for the trial: it writes down what it hears, and when.

Run with the service and its settings in the environment: `python -m tests.services.events.worker`.
"""

import sys

from flask import Flask
from flask.cli import FlaskGroup

from app import create_app
from app.audit import AuditRow
from app.db import db, now
from app.events import Event, on

TRIAL = "trial.step"


@on(TRIAL)
def write_down(event: Event) -> None:
    """One row for each event. Rows have ids that grow, so they tell the order, too."""
    assert event.tenant
    at = now()
    row = AuditRow(
        tenant_id=event.tenant.id,
        actor_id=None,
        request_id=event.facts["phase"],
        action="heard",
        target=str(event.facts["step"]),
        details=str((at - event.at).total_seconds()),
        at=at,
    )
    db.session.add(row)


write_down.package = "billing"  # type: ignore[attr-defined]


if __name__ == "__main__":
    Flask.auto_find_instance_path = lambda _app: sys.argv[1]  # type: ignore[method-assign]
    cli = FlaskGroup(create_app=create_app)
    cli.main(["worker", "--threads", "1"])
