"""The first pass, while the product runs: every table, batch by batch in the order of its key."""

from collections.abc import Callable
from dataclasses import dataclass

from app.stages.services.promote.ledger import Ledger, Progress
from app.stages.services.promote.places import Place
from app.stages.services.promote.shapes import Shape
from app.stages.services.promote.side import Side

BATCH = 20_000
Watch = Callable[[int, str], None]


@dataclass(frozen=True, slots=True)
class Trip:
    """A place's rows, with the shape that they travel in and the database they go to."""

    place: Place
    shape: Shape
    target: Side


def copy_table(source: Side, trip: Trip, watch: Watch, size: int = BATCH) -> None:
    """Copy what isn't copied yet. A batch and the note about it are one transaction."""
    ledger = Ledger(trip.target)
    if not trip.shape.keys:
        copy_whole(source, trip, watch, size)
        return
    reached = ledger.progress(trip.shape.name)
    while not reached.complete:
        lines = source.batch(trip.shape, trip.place.where, reached.key, size)
        key = trip.shape.key_of(lines[-1]) if lines else reached.key
        reached = Progress(key, reached.rows + len(lines), complete=len(lines) < size)
        with trip.target.transaction():
            if lines:
                trip.target.insert(trip.shape, lines)
            ledger.reached(trip.shape.name, reached)
        watch(len(lines), trip.shape.name)


def copy_whole(source: Side, trip: Trip, watch: Watch, size: int = BATCH) -> None:
    """Copy a table without a key in one transaction: no row tells where to go on."""
    rows, lines = 0, []
    with trip.target.transaction():
        trip.target.empty([trip.shape.name])
        for line in source.stream(trip.shape, trip.place.where):
            lines.append(line)
            if len(lines) == size:
                trip.target.insert(trip.shape, lines)
                watch(len(lines), trip.shape.name)
                rows, lines = rows + len(lines), []
        if lines:
            trip.target.insert(trip.shape, lines)
        watch(len(lines), trip.shape.name)
        done = Progress(None, rows + len(lines), complete=True)
        Ledger(trip.target).reached(trip.shape.name, done)
