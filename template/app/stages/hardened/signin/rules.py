"""A workspace's rules of signing in: who belongs there may still have to show more.

They're looked at whenever auth looks a session up, so they count in every service. A session that
lacks something is that of somebody without a workspace there, who is told what to do.
"""

from dataclasses import replace
from typing import Any
from uuid import UUID

from flask import Flask, redirect
from flask.typing import ResponseReturnValue
from sqlalchemy import bindparam, select

from app import audit
from app.access import is_api
from app.auth.identity import Identity
from app.auth.panels import Panel, add_panel
from app.db import db, reading
from app.errors import Refused, problem
from app.stages.hardened.signin.models import Rules
from app.stages.services import identity_changes
from app.tenancy import current_tenant, root_url, slug_in_url

SECOND_FACTOR = "second factor"
OF_TENANT: Any = select(Rules.strong_only).where(Rules.tenant_id == bindparam("tenant_id"))


class LocksOneselfOut(Refused):
    """Whoever makes the rule doesn't keep it yet."""

    title = "You'd lock yourself out"
    link = ("Turn on your second factor", "signin.second_factor")


def init_app(app: Flask) -> None:
    app.extensions["ask_for_what_lacks"] = ask_for_what_lacks
    add_panel(
        app,
        "settings",
        Panel(
            "Signing in",
            "What people must show before they're let into this workspace.",
            "Rules of signing in",
            "signin.rules",
            icon="shield",
            permission="workspace:write",
        ),
    )
    from app.stages.hardened.signin import rule_views  # noqa: F401


def apply(who: Identity, *, strong: bool) -> Identity:
    """Let a session into the tenant in the URL, or say what it lacks."""
    if who.tenant is None or strong or not strong_only(who.tenant.id):
        return who
    return replace(who, tenant=None, role=None, grants=None, lacks=SECOND_FACTOR)


def strong_only(tenant_id: UUID) -> bool:
    """Whether a tenant lets in only whoever has shown more than a password."""
    with reading("auth") as connection:
        return bool(connection.execute(OF_TENANT, {"tenant_id": tenant_id}).scalar())


def ask_for_what_lacks(_who: Identity) -> ResponseReturnValue:
    """Answer somebody whose session isn't enough for the workspace that they belong to."""
    if is_api():
        return problem(403, "One more step", "This workspace asks for a second factor.")
    return redirect(root_url("signin.needed", workspace=slug_in_url()))


def change(*, strong_only: bool, strong: bool) -> None:
    """Set the current tenant's rules; raises `LocksOneselfOut`."""
    if strong_only and not strong:
        raise LocksOneselfOut("Log in with a second factor yourself, then ask others for it.")
    tenant_id = current_tenant().id
    rules = db.session.get(Rules, tenant_id)
    if rules is None:
        rules = Rules(tenant_id=tenant_id)
        db.session.add(rules)
    rules.strong_only = strong_only
    identity_changes.note("tenant", tenant_id)
    audit.note("workspace.sign_in_rules", tenant_id, strong_only=strong_only)
