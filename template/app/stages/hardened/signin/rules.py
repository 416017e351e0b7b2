"""A workspace's rules of signing in: who belongs there may still have to show more.

They're looked at whenever auth looks a session up, so they count in every service. A session that
lacks something is that of somebody without a workspace there, who is told what to do.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from uuid import UUID

from flask import Flask, redirect
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from app import audit
from app.access import is_api
from app.auth.identity import Identity, joined
from app.auth.models import Organisation
from app.auth.panels import Panel, add_panel
from app.db import db, reading
from app.errors import Refused, problem
from app.stages.hardened.signin.models import Rules, Sso
from app.stages.services import identity_changes
from app.tenancy import current_tenant, root_url, slug_in_url

SECOND_FACTOR = "second factor"
SIGN_ON = "single sign-on"
OWN_LOG_IN = "own log-in"
WORDS = {
    SECOND_FACTOR: "This workspace asks for a second factor.",
    SIGN_ON: "This workspace is entered by its single sign-on.",
    OWN_LOG_IN: "Your session was begun by another workspace's single sign-on.",
}
# What is asked of a session, beside the query that finds out whose it is.
COLUMNS = (Rules.strong_only, Sso.enforced)
JOINS = ((Rules, Rules.tenant_id == Organisation.id), (Sso, Sso.tenant_id == Organisation.id))


class Asked(NamedTuple):
    """What a tenant asks of sessions: None where it has no rules, and where it has no provider."""

    strong_only: bool | None
    sso_enforced: bool | None


@dataclass(frozen=True, slots=True)
class Proof:
    """How somebody has shown who they are."""

    how: str = "password"
    strong: bool = False
    sso_tenant_id: UUID | None = None


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


def apply(who: Identity, proof: Proof, asked: Asked) -> Identity:
    """Let a session into the tenant in the URL, or say what it lacks."""
    if who.tenant is None:
        return who
    lacks = lack_of(proof, asked, who.tenant.id, owner=who.role == "owner")
    return replace(who, tenant=None, role=None, grants=None, lacks=lacks) if lacks else who


def lack_of(proof: Proof, asked: Asked, tenant_id: UUID, *, owner: bool) -> str:
    """What a session lacks for a tenant; empty if it's enough.

    One that a tenant's provider began opens that tenant only, and ends with the provider. Where
    single sign-on is the only way, an owner with a second factor gets in, too, or nobody could
    mend it.
    """
    if proof.sso_tenant_id:
        own = proof.sso_tenant_id == tenant_id and asked.sso_enforced is not None
        return "" if own else OWN_LOG_IN
    if asked.sso_enforced and not (owner and proof.strong):
        return SIGN_ON
    return SECOND_FACTOR if asked.strong_only and not proof.strong else ""


def asked_by(tenant_id: UUID) -> Asked:
    """What a tenant asks of sessions."""
    columns: Any = select(*COLUMNS).select_from(Organisation)
    query = joined(columns, JOINS)
    with reading("auth") as connection:
        row = connection.execute(query.where(Organisation.id == tenant_id)).one_or_none()
    return Asked(*row) if row else Asked(None, None)


def strong_only(tenant_id: UUID) -> bool:
    """Whether a tenant lets in only whoever has shown more than a password."""
    rules = db.session.get(Rules, tenant_id)
    return rules is not None and rules.strong_only


def ask_for_what_lacks(who: Identity) -> ResponseReturnValue:
    """Answer somebody whose session isn't enough for the workspace that they belong to."""
    if is_api():
        return problem(403, "One more step", WORDS[who.lacks])
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
