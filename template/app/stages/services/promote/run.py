"""A promote from end to end: `plan_of`, `copy`, `finish`, or all of it at once with `promote`."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from app.stages.services.promote.comparing import Comparison, refuse_differences, second_pass
from app.stages.services.promote.copying import BATCH, Trip, copy_table
from app.stages.services.promote.errors import Refused
from app.stages.services.promote.ledger import (
    COPIED,
    COPYING,
    FINISHED,
    LAST,
    PREPARING,
    SOON,
    Ledger,
)
from app.stages.services.promote.places import places_of
from app.stages.services.promote.plan import Plan, plan_of
from app.stages.services.promote.prepare import bare_again, prepare
from app.stages.services.promote.progress import Bar
from app.stages.services.promote.shapes import Shape, Table, shape_of
from app.stages.services.promote.side import Side, opened

__all__ = ["Copied", "Finished", "Refused", "abandon", "copy", "finish", "plan_of", "promote"]

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Copied:
    """The first pass: how many rows there are now, and how long this run took for how many."""

    rows: int
    rows_now: int
    seconds: float


@dataclass(slots=True)
class Finished:
    """The second pass: every table as it was compared, and how long the source had to stand."""

    comparisons: list[Comparison] = field(default_factory=list)
    window_seconds: float = 0.0

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.comparisons)

    @property
    def carried(self) -> int:
        return sum(one.added + one.changed + one.removed for one in self.comparisons)

    def tenants(self) -> dict[str, tuple[int, str]]:
        """Each tenant's rows and checksum over all services: equal on both sides."""
        found: dict[str, tuple[int, int]] = {}
        for one in self.comparisons:
            for tenant, its in one.source.by_tenant.items():
                rows, checksum = found.get(tenant, (0, 0))
                found[tenant] = rows + its.rows, (checksum + its.checksum) % (1 << 64)
        return {tenant: (rows, f"{its:016x}") for tenant, (rows, its) in sorted(found.items())}


@contextmanager
def sides(source_url: str, targets: dict[str, str]) -> Iterator[tuple[Side, dict[str, Side]]]:
    """Both sides, open: the source for reading only, the targets for us alone."""
    open_ones: list[Side] = []
    try:
        source = opened(source_url, writing=False)
        open_ones.append(source)
        theirs = {}
        for service, url in targets.items():
            theirs[service] = opened(url, writing=True)
            open_ones.append(theirs[service])
            theirs[service].claim()
        yield source, theirs
    finally:
        for side in open_ones:
            side.close()


def promote(
    source_url: str, targets: dict[str, str], *, say: Say | None = None, leave: tuple[str, ...] = ()
) -> Finished:
    """Move a pooled database into those of the services and verify them; goes on where a run that
    was interrupted ended. Raises `Refused` with what stands in the way. The source stays as it is.

    `targets` has a URL for auth, billing, analytics and features; SQLite URLs are absolute.
    """
    copy(source_url, targets, say=say or ignore, leave=leave)
    return finish(source_url, targets, say=say or ignore, leave=leave)


def ignore(_text: str) -> None:
    """Say nothing."""


def copy(
    source_url: str,
    targets: dict[str, str],
    *,
    say: Say | None = None,
    leave: tuple[str, ...] = (),
    size: int = BATCH,
) -> Copied:
    """The first pass; the product may run meanwhile."""
    plan = plan_of(source_url, targets, leave)
    plan.refuse()
    with sides(source_url, targets) as (source, theirs):
        for service, target in theirs.items():
            prepare(target, service, source.shown)
        already = sum(Ledger(target).rows_done() for target in theirs.values())
        bar = Bar(plan.rows, already, say)
        for trip in trips(source, theirs, leave):
            copy_table(source, trip, bar, size)
        for target in theirs.values():
            ledger = Ledger(target)
            ledger.put_back(SOON)
            target.analyse()
            ledger.enter(COPIED)
        bar.close()
        return Copied(bar.done, bar.done - already, time.monotonic() - bar.started)


def finish(
    source_url: str,
    targets: dict[str, str],
    *,
    say: Say | None = None,
    leave: tuple[str, ...] = (),
) -> Finished:
    """The second pass, while nobody writes to the source: carry what is new, and verify."""
    plan = plan_of_finish(source_url, targets, leave)
    with sides(source_url, targets) as (source, theirs):
        refuse_what_is_not_copied(theirs)
        for target in theirs.values():
            bare_again(target)
        names = [name for name in sorted(source.tables()) if name not in leave]
        bar = Bar(plan.rows, 0, say)
        began = time.monotonic()
        finished = Finished()
        with source.standing_still(names):
            for trip in trips(source, theirs, leave):
                finished.comparisons.append(second_pass(source, trip, bar))
            bar.close()
            refuse_differences(finished.comparisons)
            refuse_wrong_totals(source, names, finished)
            counted = source.counted()
            for target in theirs.values():
                Ledger(target).put_back(LAST)
                target.settle(counted)
        finished.window_seconds = time.monotonic() - began
        note = f"{finished.rows:,} rows verified, window {finished.window_seconds:.1f} s"
        for target in theirs.values():
            Ledger(target).enter(FINISHED, note)
    return finished


def plan_of_finish(source_url: str, targets: dict[str, str], leave: tuple[str, ...]) -> Plan:
    plan = plan_of(source_url, targets, leave)
    plan.refuse()
    return plan


def refuse_what_is_not_copied(targets: dict[str, Side]) -> None:
    for service, target in targets.items():
        run = Ledger(target).run()
        if run is None or run.phase in {PREPARING, COPYING}:
            raise Refused(
                f"{service}: the first pass isn't complete. Run it, or let it go on: "
                "flask promote copy"
            )


def refuse_wrong_totals(source: Side, tables: list[str], finished: Finished) -> None:
    """Each table's parts are as many rows as the table: no row fell between two services."""
    for table in tables:
        parts = sum(one.rows for one in finished.comparisons if one.table == table)
        if parts != source.count(table):
            raise Refused(f"{table} has {source.count(table):,} rows, and {parts:,} have a place.")


def trips(source: Side, targets: dict[str, Side], leave: tuple[str, ...]) -> list[Trip]:
    """Every place with the shape of its rows. A table that gets none of the source's rows is
    compared too: it must be empty."""
    tables = {name: table for name, table in source.tables().items() if name not in leave}
    there = {service: target.tables() for service, target in targets.items()}
    found = []
    for place in places_of(source, sorted(tables)):
        theirs = there[place.service].get(place.table)
        if theirs is None:
            raise Refused(f"{place.service}'s database has no table {place.table}.")
        target = targets[place.service]
        shape = shape_between(source, tables[place.table], target, theirs)
        found.append(Trip(place, shape, target))
    return found


def shape_between(source: Side, mine: Table, target: Side, theirs: Table) -> Shape:
    typed = mine if source.dialect == "postgresql" else theirs
    both_files = source.dialect == target.dialect == "sqlite"
    return shape_of(
        mine.name,
        mine,
        typed,
        kind="raw" if both_files else None,
        converted=source.dialect != target.dialect,
    )


def abandon(targets: dict[str, str], *, finished: bool = False) -> list[str]:
    """Empty the targets of a promote again; those that were finished only if it's said so."""
    emptied = []
    for service, url in targets.items():
        target = opened(url, writing=True)
        try:
            target.claim()
            ledger = Ledger(target)
            run = ledger.run()
            if run is None:
                continue
            if run.phase == FINISHED and not finished:
                raise Refused(
                    f"{service}: {target.shown} is finished, and the product may have written to "
                    "it since. If it's really to be emptied: flask promote abandon --finished"
                )
            target.empty(sorted(target.tables()))
            ledger.put_back(LAST)
            ledger.forget()
            emptied.append(service)
        finally:
            target.close()
    return emptied
