"""Projects: the sample feature. Yours from the first day: copy from it, change it, delete it.

A project has a name, a description and somebody who began it; it can be archived, and reports
tell about all of them. Read `models.py` first: the rules stand there.
"""

from app.auth import Permission
from app.features.projects import reports
from app.features.projects.api import api
from app.features.projects.views import bp
from app.pages import NavEntry

__all__ = ["NAV", "PERMISSIONS", "api", "bp", "reports"]

PERMISSIONS = {
    "projects:read": Permission("See projects and their reports", member=True),
    "projects:write": Permission("Begin, change and archive projects, build reports", member=True),
    "projects:delete": Permission("Delete projects for good"),
}
NAV = NavEntry("Projects", "projects.index", "projects:read", icon="folder", order=10)
