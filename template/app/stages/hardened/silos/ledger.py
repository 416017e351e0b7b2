"""The ledger of a run: whose turn it is, who is at it, what came of it.

Several processes may work on one run. A visit is leased: of one that was killed, another takes it
over when its lease has ended. The ledger saves work and keeps the order of the waves; that each
silo is migrated once is the silo's own business, in its own transaction.
"""

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, Engine, exists, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as insert_or_update
from sqlalchemy.sql.elements import ColumnElement

from app.stages.hardened.silos.errors import Refused
from app.stages.hardened.silos.models import Run, Script, Visit
from app.stages.hardened.silos.places import Place
from app.stages.hardened.silos.seen import note_problem, note_seen

LEASE_SECONDS = 10
CANARIES = 0
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Claim:
    """A visit that is ours to make."""

    place: str
    wave: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a run is."""

    state: str
    why: str
    waves: dict[int, Counter[str]]

    def count(self, *states: str) -> int:
        return sum(found[state] for found in self.waves.values() for state in states)

    @property
    def total(self) -> int:
        return sum(found.total() for found in self.waves.values())

    @property
    def wave(self) -> int:
        """The wave that is open; the last one when all are done."""
        waiting = [number for number, found in self.waves.items() if found["waiting"]]
        return min(waiting, default=max(self.waves, default=0))


class Ledger:
    """The ledger of one run, as one worker uses it. Its threads share it."""

    def __init__(self, engine: Engine, run_id: UUID, holder: str) -> None:
        self.engine = engine
        self.run_id = run_id
        self.holder = holder
        self.in_run = Visit.run_id == run_id

    def claim(self) -> Claim | None:
        """Take a visit of the open wave that nobody is at; None, if there is none right now."""
        open_wave = (
            select(func.min(Visit.wave)).where(self.in_run, Visit.state == "waiting")
        ).scalar_subquery()
        running = exists().where(Run.id == self.run_id, Run.state == "running")
        free = (Visit.leased_until.is_(None)) | (Visit.leased_until < func.clock_timestamp())
        chosen = (
            select(Visit.place)
            .where(self.in_run, Visit.state == "waiting", Visit.wave == open_wave, free, running)
            .order_by(Visit.attempts, Visit.place)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).scalar_subquery()
        taken = (
            update(Visit)
            .where(self.in_run, Visit.place == chosen)
            .values(holder=self.holder, leased_until=lease(), attempts=Visit.attempts + 1)
            .returning(Visit.place, Visit.wave, Visit.attempts)
        )
        with self.engine.begin() as connection:
            row = connection.execute(taken).one_or_none()
        return Claim(row.place, row.wave, row.attempts) if row else None

    def renew(self) -> None:
        """Say that this worker is still at all that it has claimed."""
        mine = (Visit.holder == self.holder) & (Visit.state == "waiting")
        with self.engine.begin() as connection:
            connection.execute(
                update(Visit)
                .where(self.in_run, mine, Visit.leased_until > func.clock_timestamp())
                .values(leased_until=lease())
            )

    def done(self, place: Place, outcome: str, version: str) -> None:
        """Note what came of a visit, and which migrations the silo has."""
        with self.engine.begin() as connection:
            self.finish(connection, place.name, state="done", outcome=outcome, error="")
            if version:
                note_seen(connection, place, version, "")

    def gone(self, claim: Claim) -> None:
        """Note that there is no such silo any more."""
        with self.engine.begin() as connection:
            self.finish(connection, claim.place, state="done", outcome="gone", error="")

    def failed(self, claim: Claim, place: Place, error: str) -> None:
        """Set a silo apart. The run stops when these are too many; one canary is too many."""
        with self.engine.begin() as connection:
            self.finish(connection, place.name, state="failed", outcome="failed", error=error)
            note_problem(connection, place, error)
            run = connection.execute(
                select(Run.stops_after, Run.state).filter_by(id=self.run_id).with_for_update()
            ).one()
            count = connection.execute(
                select(func.count()).where(self.in_run, Visit.state == "failed")
            ).scalar_one()
            if run.state == "running" and (claim.wave == CANARIES or count >= run.stops_after):
                why = f"the canary {place.name}" if claim.wave == CANARIES else f"{count} silos"
                connection.execute(
                    update(Run)
                    .where(Run.id == self.run_id)
                    .values(state="stopped", why=f"{why} failed: {error}")
                )

    def put_off(self, claim: Claim, error: str, seconds: float) -> None:
        """Try a silo again in a while."""
        with self.engine.begin() as connection:
            connection.execute(
                update(Visit)
                .where(self.in_run, Visit.place == claim.place, Visit.holder == self.holder)
                .values(holder="", leased_until=in_seconds(seconds), error=error)
            )

    def finish(self, connection: Connection, place: str, **values: str) -> None:
        connection.execute(
            update(Visit)
            .where(self.in_run, Visit.place == place)
            .values(finished_at=func.now(), holder="", leased_until=None, **values)
        )

    def agree(self, service: str, version: str, digest: str, sql: str) -> None:
        """Keep what is done to silos of a version; refuse to do something else in the same run."""
        key = {"run_id": self.run_id, "service": service, "version": version}
        with self.engine.begin() as connection:
            connection.execute(
                insert_or_update(Script)
                .values(**key, digest=digest, sql=sql)
                .on_conflict_do_nothing()
            )
            kept = connection.scalar(select(Script.digest).filter_by(**key))
        if kept != digest:
            raise Refused(
                f"The migrations of {service} are others than when this run began, under the same "
                "names. If that is meant: flask silos migrate --anew"
            )

    def standing(self) -> Standing:
        with self.engine.connect() as connection:
            run = connection.execute(select(Run.state, Run.why).filter_by(id=self.run_id)).one()
            rows = connection.execute(
                select(Visit.wave, Visit.state, func.count())
                .where(self.in_run)
                .group_by(Visit.wave, Visit.state)
                .order_by(Visit.wave)
            )
            waves: dict[int, Counter[str]] = {}
            for wave, state, count in rows:
                waves.setdefault(wave, Counter())[state] = count
        return Standing(run.state, run.why, waves)

    def end(self) -> None:
        """Note that nothing waits any more."""
        waiting = exists().where(self.in_run, Visit.state == "waiting")
        with self.engine.begin() as connection:
            connection.execute(
                update(Run)
                .where(Run.id == self.run_id, Run.state == "running", ~waiting)
                .values(state="done", finished_at=func.now())
            )


def lease() -> ColumnElement[object]:
    return in_seconds(LEASE_SECONDS)


def in_seconds(seconds: float) -> ColumnElement[object]:
    """A moment by the database's clock, which all workers share."""
    return func.clock_timestamp() + text(f"interval '{seconds:.3f} seconds'")
