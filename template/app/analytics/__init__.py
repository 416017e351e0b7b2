"""Analytics owns what happened: it is told facts, counts them and draws them.

    analytics.record("project created", project=project.id)

That is all a feature needs. The dashboard, the CSV export and the API read what was recorded.
"""

from flask import Flask

from app.access import Permission, declare
from app.analytics import listeners, models
from app.analytics.api import api
from app.analytics.calls import Happened, backfill, record
from app.analytics.views import bp
from app.pages import NavEntry, add_entry

__all__ = ["Happened", "backfill", "listeners", "models", "record"]

PERMISSIONS = {
    "analytics:read": Permission("See what happens in the workspace", member=True),
}
NAV = NavEntry("Analytics", "analytics.dashboard", "analytics:read", icon="chart", order=60)


def init_app(app: Flask) -> None:
    declare(app, PERMISSIONS)
    app.register_blueprint(bp)
    app.register_blueprint(api)
    add_entry(app, NAV)
