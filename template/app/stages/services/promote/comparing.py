"""The second pass: both sides streamed side by side, what differs carried, all of it counted."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from app.stages.services.promote.copying import Trip, Watch, copy_whole
from app.stages.services.promote.errors import Refused
from app.stages.services.promote.shapes import Key, Shape
from app.stages.services.promote.side import Side

AT_ONCE = 2_000
TOLD_EVERY = 10_000
MODULUS = 1 << 64


@dataclass(slots=True)
class Sum:
    """How many rows, and a checksum of them which doesn't depend on their order."""

    rows: int = 0
    checksum: int = 0


@dataclass(slots=True)
class Sums:
    """The sums of one side, tenant by tenant; '' has the rows that are nobody's."""

    by_tenant: dict[str, Sum] = field(default_factory=dict)

    def add(self, shape: Shape, line: bytes, digest: int) -> None:
        self.join(shape.tenant_named(shape.tenant_of(line)), Sum(1, digest))

    def join(self, tenant: str, more: Sum) -> None:
        found = self.by_tenant.setdefault(tenant, Sum())
        found.rows += more.rows
        found.checksum = (found.checksum + more.checksum) % MODULUS

    def without_nobody(self) -> dict[str, Sum]:
        return {tenant: found for tenant, found in self.by_tenant.items() if found.rows}


@dataclass(slots=True)
class Comparison:
    """A table after the second pass: both sides' sums, and what had to be carried."""

    service: str
    table: str
    source: Sums = field(default_factory=Sums)
    target: Sums = field(default_factory=Sums)
    added: int = 0
    changed: int = 0
    removed: int = 0

    @property
    def rows(self) -> int:
        return sum(found.rows for found in self.source.by_tenant.values())

    @property
    def checksum(self) -> str:
        total = sum(found.checksum for found in self.source.by_tenant.values()) % MODULUS
        return f"{total:016x}"

    @property
    def is_equal(self) -> bool:
        return self.source.without_nobody() == self.target.without_nobody()

    def differences(self) -> list[str]:
        """Each tenant that isn't the same on both sides, in words."""
        mine, theirs = self.source.without_nobody(), self.target.without_nobody()
        return [
            f"{self.table}, tenant {tenant or '(none)'}: {told(mine.get(tenant))} in the source, "
            f"{told(theirs.get(tenant))} in {self.service}'s database"
            for tenant in sorted(mine.keys() | theirs.keys())
            if mine.get(tenant) != theirs.get(tenant)
        ]


def told(found: Sum | None) -> str:
    return f"{found.rows:,} rows ({found.checksum:016x})" if found else "no rows"


def digest_of(line: bytes) -> int:
    return int.from_bytes(hashlib.md5(line, usedforsecurity=False).digest()[:8], "big")


def second_pass(source: Side, trip: Trip, watch: Watch) -> Comparison:
    """Make the target's table the source's, and sum both."""
    if not trip.shape.keys:
        return second_copy(source, trip, watch)
    pass_ = SecondPass(source, trip, watch)
    pass_.run()
    return pass_.comparison


class SecondPass:
    """One table's second pass. Memory doesn't grow with the table."""

    def __init__(self, source: Side, trip: Trip, watch: Watch) -> None:
        self.source = source
        self.trip = trip
        self.shape = trip.shape
        self.watch = watch
        self.comparison = Comparison(trip.place.service, trip.shape.name)
        self.equal: dict[bytes, Sum] = {}
        self.gone: list[Key] = []
        self.new: list[bytes] = []

    def run(self) -> None:
        reader = self.trip.target.reading()
        try:
            mine = self.source.stream(self.shape, self.trip.place.where)
            theirs = reader.stream(self.shape)
            self.merge(mine, theirs)
            self.carry()
            for tenant, found in self.equal.items():
                self.comparison.source.join(self.shape.tenant_named(tenant), found)
                self.comparison.target.join(self.shape.tenant_named(tenant), found)
        finally:
            reader.close()

    def merge(self, mine: Iterator[bytes], theirs: Iterator[bytes]) -> None:
        """Walk through both in the order of their keys."""
        here, there = next(mine, None), next(theirs, None)
        seen = 0
        while here is not None or there is not None:
            seen += 1
            if seen % TOLD_EVERY == 0:
                self.watch(TOLD_EVERY, self.shape.name)
            if here is not None and here == there:
                self.same(here)
                here, there = next(mine, None), next(theirs, None)
                continue
            order = self.compare(here, there)
            if order < 0 and here is not None:
                self.bring(here)
                self.comparison.added += 1
                here = next(mine, None)
            elif order > 0 and there is not None:
                self.take_away(there)
                self.comparison.removed += 1
                there = next(theirs, None)
            elif here is not None and there is not None:
                self.both(here, there)
                here, there = next(mine, None), next(theirs, None)
        self.watch(seen % TOLD_EVERY, self.shape.name)

    def compare(self, here: bytes | None, there: bytes | None) -> int:
        if here is None or there is None:
            return 1 if here is None else -1
        mine = self.shape.place_of(self.shape.key_of(here))
        theirs = self.shape.place_of(self.shape.key_of(there))
        return (mine > theirs) - (mine < theirs)

    def same(self, line: bytes) -> None:
        """Count a row of both sides, once: nearly all rows are such."""
        tenant = self.shape.tenant_of(line)
        found = self.equal.get(tenant)
        if found is None:
            found = self.equal[tenant] = Sum()
        found.rows += 1
        found.checksum += digest_of(self.shape.canon(line))

    def both(self, here: bytes, there: bytes) -> None:
        """One row with two versions, or one version written in two ways."""
        if self.shape.canon(here) == self.shape.canon(there):
            self.same(here)
            return
        self.comparison.changed += 1
        self.take_away(there)
        self.bring(here)

    def take_away(self, line: bytes) -> None:
        self.gone.append(self.shape.key_of(line))
        self.carry_if_many()

    def bring(self, line: bytes) -> None:
        digest = digest_of(self.shape.canon(line))
        self.comparison.source.add(self.shape, line, digest)
        self.new.append(line)
        self.carry_if_many()

    def carry_if_many(self) -> None:
        if len(self.gone) + len(self.new) >= AT_ONCE:
            self.carry()

    def carry(self) -> None:
        """Write what differs, and read it again: the target's sums are of what it really has."""
        if not self.gone and not self.new:
            return
        target = self.trip.target
        with target.transaction():
            target.delete(self.shape, self.gone)
            if self.new:
                target.insert(self.shape, self.new)
        for line in target.fetch(self.shape, [self.shape.key_of(line) for line in self.new]):
            self.comparison.target.add(self.shape, line, digest_of(self.shape.canon(line)))
        self.gone.clear()
        self.new.clear()


def second_copy(source: Side, trip: Trip, watch: Watch) -> Comparison:
    """A table without a key is compared as a whole, and copied again if anything differs."""
    found = sums(source, trip)
    if not found.is_equal:
        carried = found.rows
        copy_whole(source, trip, watch)
        found = sums(source, trip)
        found.changed = carried
    return found


def sums(source: Side, trip: Trip) -> Comparison:
    comparison = Comparison(trip.place.service, trip.shape.name)
    for side, into, where in (
        (source, comparison.source, trip.place.where),
        (trip.target, comparison.target, None),
    ):
        for line in side.stream(trip.shape, where):
            into.add(trip.shape, line, digest_of(trip.shape.canon(line)))
    return comparison


def refuse_differences(comparisons: list[Comparison]) -> None:
    """What isn't equal after all is an error of promote's or of a value that can't be carried."""
    wrong = [line for one in comparisons for line in one.differences()]
    if wrong:
        raise Refused(
            "Not verified: the two sides differ after the second pass.\n  "
            + "\n  ".join(wrong[:20])
        )
