"""Asking for a move from a page or the API: it's begun at once, and auth's worker does it."""

from collections.abc import Callable
from uuid import UUID

import structlog
from flask import current_app

from app.db import db
from app.errors import Refused
from app.jobs import job, later, patient
from app.stages.hardened.catalog import api as catalog
from app.stages.hardened.catalog.places import SILOED, Placement
from app.stages.hardened.lifecycle.finding import find
from app.stages.hardened.lifecycle.placement.wishes import refuse_one_process
from app.stages.hardened.moving import ledger, moves
from app.stages.hardened.moving.errors import CannotMove
from app.stages.hardened.moving.ledger import AtIt
from app.stages.hardened.moving.models import Move
from app.tenancy import Tenant

log = structlog.get_logger()

GOALS = ("silo", "pool")
# What can be done to an open move, and in which of its states.
MAY: dict[str, tuple[str, ...]] = {
    "back": ("soaking", "returning"),
    "finish": ("soaking", "returned"),
    "abandon": ("moving",),
}
WAYS = (*GOALS, *MAY)


def ask(slug: str, service: str, what: str, operator: str) -> Move:
    """Begin a move to the `silo` or the `pool`, or take an open one `back`, `finish` or `abandon`
    it; a worker does it after the commit. Raises `Refused`."""
    if service not in SILOED or what not in WAYS:
        raise CannotMove(f"{what!r} of {service!r} is nothing that can be done.")
    tenant = find(slug).as_tenant()
    if what in GOALS:
        refuse_one_process()
        move = moves.begin(tenant, service, what, operator)
        refuse_state(move, what, ("moving", "soaking"))
    else:
        move = moves.the_open_one(tenant, service)
        refuse_state(move, what, MAY[what])
        with ledger.alone_at(move):  # Else the worker would leave it to whoever is at it.
            pass
    move_id = move.id
    later(run_move, move_id, what, operator)
    db.session.commit()
    return ledger.find(move_id)


def refuse_state(move: Move, what: str, states: tuple[str, ...]) -> None:
    if move.state not in states:
        raise CannotMove(
            f"The move of {move.service} of {move.slug} is “{move.state}”: {what!r} isn't possible "
            "now."
        )


@job
@patient(attempts=10)
def run_move(move_id: str, what: str, operator: str) -> None:
    """Do what was asked for. A move that a command is at already is left to that; what a server
    that went away has interrupted is tried again."""
    move = ledger.find(UUID(move_id))
    if not move.is_open:
        return
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    try:
        tenant = find(str(move.tenant_id)).as_tenant()
        DEEDS[what](moves.Wish(app, tenant, move.service, operator))
    except AtIt:
        if what in MAY:  # Somebody took it up in between. To go on with it is what they do.
            raise
    except Refused as refusal:
        log.warning("move stopped", move=move_id, reason=str(refusal))
        db.session.rollback()
        ledger.note_refusal(UUID(move_id), str(refusal))


DEEDS: dict[str, Callable[[moves.Wish], object]] = {
    "silo": lambda wish: moves.move(wish, "silo"),
    "pool": lambda wish: moves.move(wish, "pool"),
    "back": moves.go_back,
    "finish": moves.finish,
    "abandon": moves.abandon,
}


def homes(tenant: Tenant) -> list[tuple[str, Placement, Move | None]]:
    """For each service where a tenant's rows are, and the move that isn't at its end."""
    entry = catalog.entry_of(tenant.id)
    return [
        (service, entry.place_of(service), ledger.open_move(tenant.id, service))
        for service in SILOED
    ]
