"""What a service knows of the catalog, which auth keeps: from identities, or from asking.

What it knows is good for a minute, ends at once when auth says that something changed, and is
believed on while auth doesn't answer. A tenant of whom nothing is known then is taken to be where
nearly all are, in the pool: if that's wrong its fence says so (SQLSTATE TN001), and nothing is
read or written.
"""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from flask import current_app, g, has_request_context, request

from app.auth.riding import rode_along
from app.errors import Unavailable
from app.stages.hardened.catalog import telling
from app.stages.hardened.catalog.places import Entry, Placement
from app.stages.services import client, identity_changes
from app.tenancy import Tenant

log = structlog.get_logger()

MOST = 10_000  # Tenants in one process: some 10 MB.
FRESH_SECONDS = 60
LONG_AGO = 1.0
PAUSE_SECONDS = 5  # Between tries while auth doesn't answer.


@dataclass(frozen=True, slots=True)
class Known:
    """What the catalog said, as of when by auth's clock, and until when by ours it's fresh."""

    entry: Entry
    at: float
    due: float


class Memory:
    """The tenants that were asked about most recently."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.known: OrderedDict[UUID, Known] = OrderedDict()
        self.lock = Lock()

    def get(self, tenant_id: UUID) -> Known | None:
        with self.lock:
            if tenant_id in self.known:
                self.known.move_to_end(tenant_id)
            return self.known.get(tenant_id)

    def put(self, tenant_id: UUID, known: Known) -> Known:
        with self.lock:
            self.known[tenant_id] = known
            self.known.move_to_end(tenant_id)
            if len(self.known) > self.most:
                self.known.popitem(last=False)
        return known

    def drop(self, tenant_id: UUID) -> None:
        with self.lock:
            self.known.pop(tenant_id, None)


def memory() -> Memory:
    found: Memory = current_app.extensions["placements"]
    return found


def entry_here(tenant: Tenant | UUID) -> Entry:
    """What is known of the tenant; the same for as long as a request or a job lasts.

    So a session never mixes two placements of a tenant.
    """
    tenant_id = tenant if isinstance(tenant, UUID) else tenant.id
    pinned: Entry | None = g.get("catalog_entry")
    if pinned is None or pinned.tenant_id != tenant_id:
        pinned = g.catalog_entry = look_up(tenant_id)
    return pinned


def place_here(tenant: Tenant | UUID) -> Placement:
    """Where the tenant's rows of this service are."""
    return entry_here(tenant).place_of(current_app.config["SETTINGS"].serves)


def look_up(tenant_id: UUID) -> Entry:
    """What is known of a tenant, or what auth says."""
    known = newest(tenant_id)
    if known is not None and known.due > monotonic() and not outdated(known):
        return known.entry
    if is_question() and not g.get("starts_over"):
        return known.entry if known else Entry(tenant_id)
    return ask(tenant_id, known).entry


def is_question() -> bool:
    """Whether a neighbour asks us, which may be auth itself, on a thread that waits for us.

    To ask auth meanwhile could hold all of its threads. What we believe is nearly always right;
    where it isn't, the fence says so, the question starts over, and then we ask.
    """
    return has_request_context() and request.path.startswith("/internal/")


def newest(tenant_id: UUID) -> Known | None:
    """What we remember, or what came with this request if that's newer."""
    known = memory().get(tenant_id)
    told: dict[str, Any] | None = rode_along(telling.RIDER)
    if told and (known is None or told["at"] > known.at):
        known = remember(tenant_id, told)
    return known


def remember(tenant_id: UUID, told: dict[str, Any]) -> Known:
    entry = telling.unpacked(tenant_id, told)
    return memory().put(tenant_id, Known(entry, told["at"], monotonic() + FRESH_SECONDS))


def outdated(known: Known) -> bool:
    return identity_changes.changed_since(known.at, ("tenant", known.entry.tenant_id))


def ask(tenant_id: UUID, known: Known | None = None) -> Known:
    """What auth says; while it doesn't answer, what we know, or that it's as with nearly all."""
    try:
        return remember(tenant_id, client.post("auth", telling.ONE, {"tenant": str(tenant_id)}))
    except Unavailable:
        entry = known.entry if known else Entry(tenant_id)
        at = known.at if known else LONG_AGO  # Whatever anybody says is newer.
        log.warning("auth away: a placement is believed", placement=known is not None)
        return memory().put(tenant_id, Known(entry, at, monotonic() + PAUSE_SECONDS))


def forget(tenant_id: UUID) -> None:
    """Ask about a tenant next time: its rows weren't where we thought."""
    memory().drop(tenant_id)


def look_again(tenant_id: UUID) -> None:
    """Believe nothing of a tenant any more, in this request either."""
    forget(tenant_id)
    g.pop("catalog_entry", None)
    g.pop("rode_along", None)


def placed_outside(service: str) -> list[Tenant]:
    """The tenants whose rows of a service are outside of its pool. Raises `Unavailable`."""
    return telling.tenants_of(client.post("auth", telling.OUTSIDE, {"service": service}))
