"""Auth owns who people are, which tenants they belong to, and what they may do there."""

from flask import Flask
from flask_login import LoginManager, current_user

from app.access import Permission, declare, login_required, public, requires
from app.auth import identity, models
from app.auth.calls import all_tenants, find_tenant, headcount, names_of, owners

__all__ = [
    "Permission",
    "all_tenants",
    "current_user",
    "find_tenant",
    "headcount",
    "login_required",
    "models",
    "names_of",
    "owners",
    "public",
    "requires",
]

PERMISSIONS = {
    "members:read": Permission("See who belongs to the workspace", member=True),
    "members:write": Permission("Invite and remove people, and change roles"),
    "workspace:write": Permission("Rename the workspace"),
    "audit:read": Permission("See the audit trail"),
}


def init_app(app: Flask) -> None:
    manager = LoginManager(app)
    manager.login_view = "auth.login"
    manager.session_protection = None
    identity.init_app(manager)
    declare(app, PERMISSIONS)
    app.before_request(identity.enter_tenant_of_url)
