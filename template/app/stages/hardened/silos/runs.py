"""Beginning a run, or going on with the one that was interrupted."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, Engine, func, insert, select, text, update
from sqlalchemy.orm import Session

from app.db import new_id, now
from app.stages.hardened.silos.errors import Refused
from app.stages.hardened.silos.models import Run, Visit
from app.stages.hardened.silos.places import Place
from app.stages.hardened.silos.versions import target

LOCK = 0x57A6EF1EE7
# The rest is the last wave.
SIZES = (5, 45, 200)
STOPS_AFTER = 3


@dataclass(frozen=True, slots=True)
class Wishes:
    """Who goes first, how large the waves are, and how many silos that fail stop the run."""

    canaries: Collection[UUID] = ()
    sizes: Sequence[int] = SIZES
    stops_after: int = STOPS_AFTER
    anew: bool = False


def begin_or_resume(engine: Engine, places: Sequence[Place], wishes: Wishes) -> tuple[UUID, bool]:
    """The run to work on, and whether it's one that was begun before."""
    if engine.dialect.name != "postgresql":
        raise Refused("Silos need PostgreSQL, for auth too: set AUTH_DATABASE_URL to one.")
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        open_runs = select(Run.id, Run.state, Run.target).where(
            Run.state.in_(["running", "stopped"])
        )
        for run in connection.execute(open_runs).all():
            if run.target == target() and not wishes.anew:
                resume(connection, run.id, run.state)
                return run.id, True
            supersede(connection, run.id)
        return begin(connection, places, wishes), False


def resume(connection: Connection, run_id: UUID, state: str) -> None:
    """Go on. What stopped the run is tried again: somebody has mended it, or it stops again."""
    if state == "stopped":
        connection.execute(update(Run).filter_by(id=run_id).values(state="running", why=""))
        connection.execute(
            update(Visit)
            .filter_by(run_id=run_id, state="failed")
            .values(state="waiting", attempts=0, finished_at=None, outcome="")
        )


def supersede(connection: Connection, run_id: UUID) -> None:
    connection.execute(
        update(Run).filter_by(id=run_id).values(state="superseded", finished_at=func.now())
    )


def begin(connection: Connection, places: Sequence[Place], wishes: Wishes) -> UUID:
    refuse_unknown_canaries(places, wishes.canaries)
    run_id = new_id()
    connection.execute(
        insert(Run).values(
            id=run_id,
            target=target(),
            state="running",
            why="",
            stops_after=wishes.stops_after,
            created_at=now(),
        )
    )
    visits = [
        {
            "run_id": run_id,
            "place": place.name,
            "service": place.service,
            "tenant_id": place.tenant_id,
            "wave": wave,
        }
        for wave, members in enumerate(waves_of(places, wishes))
        for place in members
    ]
    if visits:
        connection.execute(insert(Visit), visits)
    return run_id


def refuse_unknown_canaries(places: Sequence[Place], canaries: Collection[UUID]) -> None:
    without = set(canaries) - {place.tenant_id for place in places}
    if without:
        names = ", ".join(sorted(map(str, without)))
        raise Refused(f"These canaries have no silo: {names}. Name workspaces that have one.")


def waves_of(places: Sequence[Place], wishes: Wishes) -> Iterator[Sequence[Place]]:
    """The canaries, or a few others in their stead; then more and more at a time."""
    first = [place for place in places if place.tenant_id in wishes.canaries]
    others = (place for place in places if place.tenant_id not in wishes.canaries)
    # Each target has an order of its own: it shouldn't be the same ones who come first.
    aim = target()
    left = sorted(others, key=lambda one: hashlib.sha256(f"{aim} {one.name}".encode()).digest())
    if first:
        yield first
    for size in wishes.sizes:
        if left:
            yield left[:size]
        left = left[size:]
    if left:
        yield left


def latest(engine: Engine) -> Run | None:
    """The newest run there is."""
    with Session(engine, expire_on_commit=False) as session:
        return session.scalars(select(Run).order_by(Run.id.desc()).limit(1)).one_or_none()
