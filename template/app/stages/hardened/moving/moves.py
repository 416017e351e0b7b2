"""What an operator does: move there, go back, finish, give up; each goes on where it was left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from flask import Flask

from app.columns import now
from app.db import db
from app.stages.hardened.catalog import api as catalog
from app.stages.hardened.moving import ending, ledger, places
from app.stages.hardened.moving.errors import CannotMove
from app.stages.hardened.moving.ledger import Held
from app.stages.hardened.moving.models import Move
from app.stages.hardened.moving.mover import (
    BACK,
    FORWARD,
    LONGEST_SWITCH_SECONDS,
    PATIENCE_SECONDS,
    Mover,
    Reached,
    Say,
    nothing,
)
from app.stages.hardened.moving.sides import Route
from app.stages.hardened.silos.names import database_of
from app.tenancy import Tenant

Work = Callable[[Held], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """Which rows, and how patient to be with those who use them."""

    app: Flask
    tenant: Tenant
    service: str
    operator: str = ""
    say: Say = nothing
    reached: Reached = nothing
    patience: float = PATIENCE_SECONDS
    longest: float = LONGEST_SWITCH_SECONDS


def move(wish: Wish, goal: str) -> dict[str, Any]:
    """Move to the pool or to a silo, up to where the way back is armed; answers the figures."""
    row = begin(wish.tenant, wish.service, goal, wish.operator)
    with taken_up(wish, row) as notes:
        if notes.state == "moving":
            go_there(wish, notes)
        elif notes.state != "soaking":
            raise CannotMove(
                f"{wish.tenant.slug} went back; this move has to be ended first.",
                hint=f"flask tenant move {wish.tenant.slug} --finish --service {wish.service}",
            )
        return notes.evidence


def begin(tenant: Tenant, service: str, goal: str, operator: str) -> Move:
    """The open move of a tenant's service, or a new one; nothing of it is done yet."""
    if goal == "silo":
        places.refuse_what_is_not_made(tenant, service)
    return ledger.begin(tenant, service, goal, operator, database_of(service, tenant.id))


def go_there(wish: Wish, notes: Held) -> None:
    if notes.goal == "silo":
        places.make_silo(wish.app, wish.service, wish.tenant)
    mark(wish.tenant, "moving", "active")
    mover_of(wish, notes).run()
    mark(wish.tenant, "active", "moving")
    notes.write(state="soaking", doing="", switched_at=now())


def go_back(wish: Wish) -> dict[str, Any]:
    """Take a tenant that soaks back to where it was, with all it wrote meanwhile."""
    with taken_up(wish, the_open_one(wish.tenant, wish.service)) as notes:
        if notes.state == "soaking":
            # The epoch of the switch is the one that the catalog knows now.
            notes.write(state="returning", steps=[], doing="", known_epoch=notes.epoch, error="")
            notes.read()
        if notes.state == "returning":
            mover_of(wish, notes).run()
            notes.write(state="returned", doing="")
        if notes.state != "returned":
            raise CannotMove(
                f"{wish.tenant.slug} hasn't switched: it's where it was.",
                hint="Go on with the move, or give it up with --abandon.",
            )
        return notes.evidence


def finish(wish: Wish) -> dict[str, Any]:
    """End a move: no way back, and no rows where nobody serves them."""
    with taken_up(wish, the_open_one(wish.tenant, wish.service)) as notes:
        if notes.state not in {"soaking", "returned"}:
            raise CannotMove(
                f"{wish.tenant.slug} hasn't switched yet ({notes.state}).",
                hint="Go on with the move, or give it up with --abandon.",
            )
        mover = mover_of(wish, notes)
        gone = ending.finish(mover, dropping(wish, notes))
        notes.evidence["finished"] = gone
        notes.write(evidence=notes.evidence)
        notes.end("done")
        return gone


def abandon(wish: Wish) -> None:
    """Give a move up that hasn't switched."""
    with taken_up(wish, the_open_one(wish.tenant, wish.service)) as notes:
        if notes.state != "moving":
            raise CannotMove(
                f"{wish.tenant.slug} has switched already.", hint="Take it back with --back."
            )
        if notes.done or notes.doing:
            ending.abandon(mover_of(wish, notes), dropping(wish, notes))
        elif notes.goal == "silo":  # Nothing follows anything yet: at most the silo was made.
            dropping(wish, notes)()
        mark(wish.tenant, "active", "moving")
        notes.end("abandoned")


def the_open_one(tenant: Tenant, service: str) -> Move:
    """The open move of a tenant's service; raises `CannotMove` if there is none."""
    found = ledger.open_move(tenant.id, service)
    if found is None:
        raise CannotMove(
            f"Nothing of {tenant.slug} ({service}) is being moved.",
            hint="See flask tenant moves",
        )
    return found


@contextmanager
def taken_up(wish: Wish, row: Move) -> Iterator[Held]:
    """Be the one who is at the move; what stops it is noted."""
    with ledger.held(row, wish.tenant) as notes:
        try:
            yield notes
        except (Exception, KeyboardInterrupt) as error:
            note_error(notes, error)
            raise


def note_error(notes: Held, error: BaseException) -> None:
    try:
        notes.write(error=str(error)[: ledger.LONGEST_ERROR])
    except Exception:  # The error itself is what people must see.
        return


def mover_of(wish: Wish, notes: Held) -> Mover:
    """The mover for the direction that a move goes, or went last."""
    back = notes.state in {"returning", "returned"}
    pool = places.pool_of(wish.app, wish.service)
    silo = places.silo_of(wish.app, notes.silo)
    db.session.rollback()  # Nothing waits for a transaction of ours meanwhile.
    forward = (pool, silo) if notes.goal == "silo" else (silo, pool)
    route = Route(wish.tenant.id, wish.service, *forward)
    return Mover(
        route.turned() if back else route,
        notes,
        BACK if back else FORWARD,
        wish.say,
        wish.reached,
        wish.patience,
        wish.longest,
    )


def dropping(wish: Wish, notes: Held) -> Callable[[], None]:
    return lambda: places.drop_silo(wish.app, wish.service, wish.tenant, notes.silo)


def mark(tenant: Tenant, state: str, before: str) -> None:
    """Say in the catalog that a tenant is on its way. One that is suspended stays so."""
    if catalog.entry_of(tenant).state == before:
        catalog.set_state(tenant, state)
    db.session.commit()


def kept_bytes(app: Flask, row: Move) -> int | None:
    """What the two servers keep for an open move; None if one doesn't answer."""
    from app.stages.hardened.moving.replication import lag_bytes

    try:
        total = 0
        sides = places.pool_of(app, row.service), places.silo_of(app, row.silo)
        for side, other in (sides, sides[::-1]):
            route = Route(row.tenant_id, row.service, side, other)
            with side.connect() as connection:
                total += sum(lag_bytes(connection, name) for name in (route.name, route.checks))
        return total
    except (psycopg.Error, CannotMove):
        return None
