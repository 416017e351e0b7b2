"""Roles of a tenant's own: some permissions under a name, given to members instead of member."""

from importlib import import_module

from flask import Flask

from app import doors
from app.access import Permission, declare
from app.auth.panels import Panel, add_panel
from app.commands import LoadedLater
from app.pages.nav import cover
from app.stages.services import identity_changes

PERMISSIONS = {
    "roles:read": Permission("See the roles, and what each allows", member=True),
    "roles:write": Permission("Make roles, and give them to members"),
}


def init_app(app: Flask) -> None:
    # Auth knows who belongs to a tenant, so its process answers for what they may do.
    doors.ADDED[__name__] = "auth"
    models = import_module(f"{__name__}.models")
    # Who gets or loses a role is looked up again; so is everybody in the tenant if a role changes.
    identity_changes.WATCHED.update(
        {
            models.Role: ("tenant", "tenant_id", ("changed_at",)),
            models.MemberRole: ("person", "user_id", identity_changes.COMES_OR_GOES),
        }
    )
    declare(app, PERMISSIONS)
    app.extensions["identity_facts"].append(import_module(f"{__name__}.granting").FACT)
    app.extensions["roles"] = import_module(f"{__name__}.rules").TenantRoles()
    add_pages(app)
    app.cli.add_command(
        LoadedLater("rbac", f"{__name__}.command:cli", help="Explain who may do what, and why.")
    )


def add_pages(app: Flask) -> None:
    views, api = import_module(f"{__name__}.views"), import_module(f"{__name__}.api")
    app.register_blueprint(views.bp)
    app.register_blueprint(api.api)
    cover(app, "auth.members", *views.COVERED)
    add_panel(
        app,
        "settings",
        Panel(
            "Roles",
            "What each role allows, and roles of your own.",
            "Roles",
            "rbac.roles",
            icon="shield",
            permission="roles:read",
        ),
    )
