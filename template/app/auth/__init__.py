"""Auth owns who people are, which tenants they belong to, and what they may do there."""

from flask import Flask
from flask_login import LoginManager, current_user

from app.access import Permission, declare, login_required, public, requires
from app.auth import identity, models, returning, views
from app.auth.calls import all_tenants, find_tenant, headcount, names_of, owners, tenant_with_id
from app.auth.joining import before_joining

__all__ = [
    "Permission",
    "all_tenants",
    "before_joining",
    "current_user",
    "find_tenant",
    "headcount",
    "login_required",
    "models",
    "names_of",
    "owners",
    "public",
    "requires",
    "tenant_with_id",
]

PERMISSIONS = {
    "members:read": Permission("See who belongs to the workspace", member=True),
    "members:write": Permission("Invite and remove people, and change roles"),
    "workspace:write": Permission("Rename the workspace"),
    "audit:read": Permission("See the audit trail"),
}


def init_app(app: Flask) -> None:
    manager = LoginManager(app, add_context_processor=False)  # Pages does it, lazily.
    manager.session_protection = None
    manager.unauthorized_handler(returning.ask_to_log_in)
    app.extensions["choose_tenant"] = returning.choose_tenant
    identity.init_app(manager)
    declare(app, PERMISSIONS)
    app.before_request(identity.enter_tenant_of_url)
    views.init_app(app)
