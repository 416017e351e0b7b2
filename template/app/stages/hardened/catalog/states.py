"""Tenants that aren't served: suspended, being made, being deleted. People are told which.

Other services learn a tenant's state with whoever asks. Here, where auth's tables are at hand, the
few tenants that aren't served are looked up every 0.8 seconds, for all requests together: so a
request costs the same however many tenants there are.
"""

from threading import Lock
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from flask import Flask, current_app, request
from sqlalchemy.exc import SQLAlchemyError

from app import errors
from app.errors import Refused
from app.stages.hardened.catalog import api, knowing
from app.stages.hardened.catalog.places import SERVED
from app.tenancy import Tenant, serving, slug_in_url, tenant_or_none

log = structlog.get_logger()

LOOK_SECONDS = 0.8
RETRY_AFTER_SECONDS = 5
State = tuple[str, str]
ACTIVE: State = "active", ""


class NotServed(Refused):
    """The tenant isn't served now."""

    status = 403
    title = "This workspace isn't open"


class Suspended(NotServed):
    """Operators have suspended the tenant."""

    title = "This workspace is suspended"


class BeingDeleted(NotServed):
    """The tenant is on its way out."""

    title = "This workspace is being deleted"


class BeingMade(NotServed):
    """The tenant isn't ready yet."""

    status = 503
    title = "This workspace isn't ready yet"


class NotServedNow:
    """The tenants that aren't served, as of a moment ago."""

    def __init__(self) -> None:
        self.found: dict[UUID, State] = {}
        self.looked_at = float("-inf")
        self.lock = Lock()

    def state_of(self, tenant_id: UUID) -> State:
        # One thread looks; the others meanwhile go by what was found before.
        if monotonic() - self.looked_at > LOOK_SECONDS and self.lock.acquire(blocking=False):
            try:
                self.look()
            finally:
                self.lock.release()
        return self.found.get(tenant_id, ACTIVE)

    def look(self) -> None:
        try:
            with serving(None):
                self.found = api.not_served()
        except SQLAlchemyError as error:
            log.error("states of workspaces not read", error=repr(error))
        self.looked_at = monotonic()


def init_app(app: Flask) -> None:
    app.extensions["not_served"] = NotServedNow()
    app.extensions["may_work"] = may_work
    app.before_request(refuse_who_is_not_served)
    app.register_error_handler(BeingMade, answer_soon)


def state_of(tenant: Tenant) -> State:
    """A tenant's state, and why."""
    known = current_app.extensions
    if "placements" in known:
        entry = knowing.entry_here(tenant)
        return entry.state, entry.reason
    found: State = known["not_served"].state_of(tenant.id)
    return found


def may_work(tenant: Tenant) -> bool:
    """Whether a tenant's jobs may run."""
    return state_of(tenant)[0] in SERVED


def refuse_who_is_not_served() -> None:
    """Let nobody into a tenant that isn't served. What services ask each other is answered."""
    tenant = tenant_or_none()
    if tenant is None or slug_in_url() is None:
        return
    state, reason = state_of(tenant)
    if state not in SERVED and not is_static():
        raise refusal_of(tenant, state, reason)


def is_static() -> bool:
    return (request.endpoint or "").rpartition(".")[2] == "static"


def refusal_of(tenant: Tenant, state: str, reason: str) -> NotServed:
    """What people are told."""
    if state == "provisioning":
        return BeingMade(f"“{tenant.name}” is being set up.", hint="Come back in a moment.")
    if state == "suspended":
        return Suspended(
            ended(f"“{tenant.name}” is suspended{f': {reason}' if reason else ''}"),
            hint=f"Nothing in it is lost. Ask {whom_to_ask()} to have it opened again.",
        )
    return BeingDeleted(
        f"“{tenant.name}” is being deleted.", hint=f"If that's a mistake, ask {whom_to_ask()}."
    )


def ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def whom_to_ask() -> str:
    settings = current_app.config["SETTINGS"]
    address: str = settings.support_address or settings.mail_from
    return address


def answer_soon(refusal: BeingMade) -> Any:
    response = errors.refuse(refusal)
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response
