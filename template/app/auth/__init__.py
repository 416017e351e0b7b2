"""Auth owns who people are, which tenants they belong to, and what they may do there."""

from flask import Flask
from flask_login import LoginManager, current_user

from app.access import Permission, declare, login_required, public, requires
from app.auth import identity, models, panels, returning, roles, sessions, views
from app.auth.api import api
from app.auth.calls import all_tenants, find_tenant, headcount, names_of, owners, tenant_with_id
from app.auth.joining import before_joining
from app.auth.riding import rides_along, rode_along
from app.pages import NavEntry, add_entry

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
    "rides_along",
    "rode_along",
    "tenant_with_id",
]

PERMISSIONS = {
    "members:read": Permission("See who belongs to the workspace", member=True),
    "members:write": Permission("Invite and remove people, and change roles"),
    "workspace:read": Permission("See the workspace's settings", member=True),
    "workspace:write": Permission("Change the workspace's name and address"),
    "tokens:write": Permission("Make API tokens for oneself", member=True),
    "audit:read": Permission("See the audit trail"),
}
NAV = (
    NavEntry(
        "Members",
        "auth.members",
        "members:read",
        icon="people",
        order=80,
        covers=("auth.invite",),
    ),
    NavEntry(
        "Settings",
        "auth.settings",
        "workspace:read",
        icon="settings",
        order=90,
        covers=("auth.change_settings", "auth.tokens", "auth.make_token", "auth.audit"),
    ),
)


def init_app(app: Flask) -> None:
    manager = LoginManager(app, add_context_processor=False)  # Pages does it, lazily.
    manager.session_protection = None
    manager.unauthorized_handler(returning.ask_to_log_in)
    app.extensions["choose_tenant"] = returning.choose_tenant
    identity.init_app(app, manager)
    sessions.init_app(app)
    panels.init_app(app)
    roles.init_app(app)
    declare(app, PERMISSIONS)
    app.before_request(identity.enter_tenant_of_url)
    views.init_app(app)
    app.register_blueprint(api)
    for entry in NAV:
        add_entry(app, entry)
