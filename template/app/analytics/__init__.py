"""Analytics owns what happened: it is told facts, counts them and draws them.

    analytics.record("project created", project=project.id)

That is all a feature needs. The dashboard, the CSV export and the API read what was recorded.
"""

from flask import Flask

from app.access import Permission, declare
from app.analytics import listeners, models
from app.analytics.calls import record

__all__ = ["listeners", "models", "record"]

PERMISSIONS = {
    "analytics:read": Permission("See what happens in the workspace", member=True),
}


def init_app(app: Flask) -> None:
    declare(app, PERMISSIONS)
