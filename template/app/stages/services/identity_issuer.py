"""Auth's side of who somebody is: it looks a credential up and signs what it found."""

from time import time
from typing import Any
from uuid import UUID

import structlog
from flask import Flask, current_app, request

from app.auth.identity import Identity, look_up
from app.auth.riding import RIDERS
from app.errors import Unavailable
from app.stages.services import identity_changes, internal
from app.stages.services.identity_token import Credential, issue
from app.tenancy import Tenant, serving

log = structlog.get_logger()

RIDERS_KEPT_SECONDS = 30  # Log-ins must not each ask billing.
MOST_RIDERS = 10_000
Told = tuple[float, dict[str, Any]]


def init_app(app: Flask, path: str) -> None:
    app.extensions["riders"] = {}
    app.add_url_rule(path, "identity.identify", identify, methods=["POST"])


@internal.only_services
def identify():
    """The signed identity of a credential, or none: for services only, who signed the question."""
    body = request.get_json()
    asked = Credential(body["kind"], body["credential"], body["slug"])
    at = time()  # Of before we look: what changes meanwhile outdates the answer.
    try:
        who = look_up(*asked)
    except ValueError:
        who = None  # A session that no stage of ours ever made.
    if who is None:
        return {"token": None}
    riders_at, riders = riders_of(who)
    return {"token": issue(asked, who, riders, min(at, riders_at))}


def riders_of(who: Identity) -> Told:
    """What rides along with somebody, and as of when it's true."""
    if who.tenant is None:
        return time(), {}
    kept: dict[UUID, Told] = current_app.extensions["riders"]
    told = kept.get(who.tenant.id)
    if told is None or told[0] + RIDERS_KEPT_SECONDS < time() or outdated(who.tenant, told[0]):
        told = time(), ask_riders(who.tenant)
        if len(kept) >= MOST_RIDERS:
            kept.clear()
        kept[who.tenant.id] = told
    return told


def outdated(tenant: Tenant, at: float) -> bool:
    return identity_changes.changed_since(at, ("tenant", tenant.id))


def ask_riders(tenant: Tenant) -> dict[str, Any]:
    """Ask the others what they let ride along; what can't be answered is left out."""
    facts = {}
    with serving(tenant):
        for name, ask in RIDERS.items():
            try:
                facts[name] = ask()
            except Unavailable as error:
                log.warning("nothing rides along", rider=name, reason=str(error))
    return facts
