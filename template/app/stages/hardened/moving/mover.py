"""Moving a tenant's rows of a service: named steps, each of which may be repeated.

    check     both servers are fit for it
    prepare   the target has the tables, and no rows of the tenant
    publish   the source publishes the tenant's rows
    copy      the target has them and follows
    arm       the way back is published
    switch    compare online, fence, catch up, compare what changed, hand over
    turn      replication runs the other way, so that the tenant may go back

Until the switch decides, the source serves and giving up is free.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

import psycopg

from app.columns import new_id, now
from app.stages.hardened.moving import fence, replication, work
from app.stages.hardened.moving.comparing import compare, differing
from app.stages.hardened.moving.errors import CannotMove, NotTheSame, TooSlow, Undecided
from app.stages.hardened.moving.pgoutput import Changes, Key, Keys, add, size
from app.stages.hardened.moving.purging import purge
from app.stages.hardened.moving.requirements import (
    refuse_a_bare_side,
    refuse_unfit,
    same_tables,
)
from app.stages.hardened.moving.sequences import carry_sequences
from app.stages.hardened.moving.sides import Route
from app.stages.hardened.moving.tables import Table, make_objects, with_tenant

FORWARD = ("check", "prepare", "publish", "copy", "arm", "switch", "turn")
BACK = ("check", "switch", "turn")
PATIENCE_SECONDS = 60.0
# Writers wait for three seconds before they say that the workspace is being moved.
LONGEST_SWITCH_SECONDS = 2.5
# Until when a mover goes on with a switch: one that is there long afterwards is stuck.
GIVES_UP = "gives_up_at"
# The last look before the fence: what changed since the one before is soon looked through.
FEW = 200
ROUNDS = 20

Say = Callable[[str], None]
Reached = Callable[[str], None]


class Notes(Protocol):
    """What is remembered of a move. Each call fails if another process has taken it up."""

    done: list[str]
    epoch: int
    doing: str
    evidence: dict[str, Any]
    known_epoch: int

    def write(self, **values: Any) -> None:
        """Remember at once."""

    def place(self) -> None:
        """Let the catalog say that the target serves at this epoch."""


def nothing(_text: str) -> None:
    """Say nothing."""


@dataclass(slots=True)
class Times:
    """How long each part of a switch took, from when new transactions began to wait."""

    began: float = 0.0
    last: float = 0.0
    parts: dict[str, int] = field(default_factory=dict)

    def note(self, part: str) -> None:
        """A part is over."""
        now = time.monotonic()
        self.parts[part] = ms(now - (self.last or self.began))
        self.last = now


@dataclass(slots=True)
class Mover:
    """One direction of a move, under way."""

    route: Route
    notes: Notes
    steps: tuple[str, ...] = FORWARD
    say: Say = nothing
    reached: Reached = nothing
    patience: float = PATIENCE_SECONDS
    longest: float = LONGEST_SWITCH_SECONDS
    shown: float = field(default=0.0)

    def run(self) -> None:
        """Do what is still to be done, from wherever it was left."""
        self.settle()
        for step in self.steps:
            if step not in self.notes.done:
                self.notes.write(doing=step)
                self.reached(f"before {step}")
                getattr(self, step)()
                self.notes.done.append(step)
                self.notes.write(steps=self.notes.done)
                self.reached(f"after {step}")

    # --- Getting ready -------------------------------------------------------------------------

    def check(self) -> None:
        """Refuse what can't work, before anything is changed."""
        refuse_unfit(self.route)

    def prepare(self) -> None:
        """Make the target ready: the same tables, no rows of this tenant, nobody let in."""
        with self.both() as (source, target):
            for side, connection in ((self.route.source, source), (self.route.target, target)):
                refuse_a_bare_side(side, connection)
                make_objects(connection)
            tables = same_tables(source, target, self.route.service)
            self.close_target(target)
            self.undo_replication(source, target)
            self.empty(target, tables)

    def close_target(self, target: psycopg.Connection) -> None:
        """Let nobody in; and never empty what somebody is served from."""
        state, epoch = fence.placement(target, self.route.tenant_id) or ("gone", 0)
        if state == "active":
            raise Undecided(
                f"{self.route.target.shown} says that it serves this workspace, the catalog that "
                f"{self.route.source.shown} does.",
                hint="Nothing was changed. Find out where it was written to last.",
            )
        fence.put(target, self.route.tenant_id, max(epoch, self.notes.epoch), "gone")

    def empty(self, target: psycopg.Connection, tables: list[Table]) -> None:
        purge(target, tables, self.route.tenant_id, self.seen("emptying the target"))

    def publish(self) -> None:
        with self.both() as (source, target):
            tables = same_tables(source, target, self.route.service)
            replication.publish(source, self.route, tables)

    def copy(self) -> None:
        """Copy what is there and follow what comes. A copy that wasn't begun begins anew."""
        with self.both() as (source, target):
            if not replication.has_subscription(target, self.route.name):
                self.say("Copying begins when the transactions that are open now have ended ...")
                replication.drop_slot(source, self.route.name)
                replication.make_slot(source, self.route.name)
                self.reached("slot made")
                replication.subscribe(target, self.route, copy=True)
                self.reached("subscribed")
            self.wait_for_the_copy(target)

    def wait_for_the_copy(self, target: psycopg.Connection) -> None:
        while True:
            ready, tables, rows = replication.copied(target, self.route.name)
            if tables and ready == tables:
                return
            replication.refuse_failing(target, self.route.name)
            self.show(f"  {ready} of {tables} tables copied; {rows:,} rows of the next")
            time.sleep(0.05)

    def arm(self) -> None:
        """Publish the way back. Its slot is moved to the first of the target's own writes later."""
        with self.both() as (source, target):
            back = self.route.turned()
            tables = same_tables(target, source, self.route.service)
            replication.publish(target, back, tables)
            replication.make_slot(target, back.name)

    # --- The switch ----------------------------------------------------------------------------

    def switch(self) -> None:
        """Hand the tenant over; whatever goes wrong, it is served in exactly one place."""
        try:
            self.hand_over()
        except BaseException:
            # An error here must hide neither the first one nor who serves.
            self.settle()
            if "switch" not in self.notes.done:
                raise

    def hand_over(self) -> None:
        with self.both() as (source, target):
            replication.go_on(target, self.route.name)
            tables = same_tables(source, target, self.route.service)
            changes, suspects = self.compare_online(source, target, tables)
            self.come_near(source, target)
            self.reached("compared")
            self.begin_attempt(source, target)
            self.say("Waiting for the workspace's running transactions ...")
            mark, times = new_id(), Times()
            tries, times.began = fence.fence(
                source, self.route.tenant_id, self.notes.epoch, mark, self.patience
            )
            times.note("waited_for_transactions_ms")
            self.reached("fenced")
            self.catch_up(target, mark, times)
            times.note("caught_up_ms")
            self.reached("caught up")
            count = self.verify(source, target, tables, changes, suspects)
            times.note("compared_ms")
            self.reached("verified")
            carried = self.carry_work(source, target, tables, changes, suspects)
            carry_sequences(source, target, tables)
            self.begin_way_back(target)
            self.refuse_too_slow(times)
            self.reached("carried")
            self.activate(target)
            self.reached("activated")
            self.notes.place()
            times.note("handed_over_ms")
            self.reached("placed")
            self.leave(source)
            self.notes.evidence.pop(GIVES_UP, None)
            self.notes.evidence["switch"] = {
                "read_only_ms": ms(times.last - times.began),
                **times.parts,
                "tries": tries,
                "rows_compared_again": count,
                "jobs_and_events_carried": carried,
            }
            self.notes.write(evidence=self.notes.evidence)

    def come_near(self, source: psycopg.Connection, target: psycopg.Connection) -> None:
        """Wait until the target is close behind, so that the fence stands for a moment only."""
        mark = new_id()
        fence.put_mark(source, self.route.tenant_id, mark)
        until = time.monotonic() + self.patience
        while not fence.has_mark(target, mark, self.route.tenant_id):
            replication.refuse_failing(target, self.route.name)
            behind = replication.lag_bytes(source, self.route.name)
            self.show(f"  the target follows, {behind:,} bytes behind")
            if time.monotonic() > until:
                raise CannotMove(
                    f"The target is {behind:,} bytes behind after {self.patience:g} seconds.",
                    hint="Look at its server's log and load, then run this again.",
                )
            time.sleep(replication.POLL_SECONDS)
        self.begin_way_back(target)

    def begin_way_back(self, target: psycopg.Connection) -> None:
        """Let the way back begin with what the target writes itself."""
        if self.steps is FORWARD:
            replication.advance_slot(target, self.route.turned().name)

    def compare_online(
        self, source: psycopg.Connection, target: psycopg.Connection, tables: list[Table]
    ) -> tuple[Changes, Keys]:
        """Compare all rows while everybody works, and then, again and again, what changed.

        Answers what reads the changes, and the rows that must be looked at under the fence.
        """
        replication.drop_slot(source, self.route.checks)
        replication.make_slot(source, self.route.checks)
        named = with_tenant(tables)
        changes = Changes({table.name: table for table in named}, str(self.route.tenant_id))
        suspects: Keys = {}

        def differs(table: Table, keys: set[Key]) -> None:
            if table.way == "work":
                work.carry_closed(source, target, table, self.route.tenant_id, keys)
            else:
                add(suspects, {table.name: keys})

        seen = self.seen("compared online")
        for table in named:
            compare(source, target, table, self.route.tenant_id, differs, seen)
        for _ in range(ROUNDS):
            fresh = self.changed(source, changes)
            add(suspects, fresh)
            if size(fresh) <= FEW:
                break
            suspects = self.only_differing(source, target, named, suspects)
        return changes, suspects

    def only_differing(
        self,
        source: psycopg.Connection,
        target: psycopg.Connection,
        tables: list[Table],
        keys: Keys,
    ) -> Keys:
        """What must be looked at again: what differs, and all of jobs and events that changed."""
        rows = [table for table in tables if table.way != "work"]
        kept = {table.name: keys.get(table.name, set()) for table in work.of_work(tables)}
        return add(differing(source, target, rows, self.route.tenant_id, keys), kept)

    def changed(self, source: psycopg.Connection, changes: Changes) -> Keys:
        names = ",".join(replication.publications(self.route))
        return changes.read(source, self.route.checks, names)

    def begin_attempt(self, source: psycopg.Connection, target: psycopg.Connection) -> None:
        """Take an epoch that nobody had, and put the target's row up for the decision."""
        tenant = self.route.tenant_id
        known = (self.notes.known_epoch, self.notes.epoch)
        epoch = max(*known, fence.epoch_in(source, tenant), fence.epoch_in(target, tenant)) + 1
        self.notes.epoch = epoch
        until = now() + timedelta(seconds=self.patience + self.longest)
        self.notes.evidence[GIVES_UP] = until.isoformat()
        self.notes.write(epoch=epoch, doing="fencing", evidence=self.notes.evidence)
        fence.put(target, tenant, epoch, "fenced")

    def catch_up(self, target: psycopg.Connection, mark: UUID, times: "Times") -> None:
        """Wait until the target has the mark: it comes after all that the tenant has written."""
        while not fence.has_mark(target, mark, self.route.tenant_id):
            self.refuse_too_slow(times)
            time.sleep(replication.POLL_SECONDS)

    def refuse_too_slow(self, times: "Times") -> None:
        if time.monotonic() - times.began > self.longest:
            raise TooSlow(
                f"The switch wasn't through after {self.longest:g} seconds, longer than people "
                "should wait.",
                hint="The workspace goes on where it was. Run this again in a calmer hour.",
            )

    def verify(
        self,
        source: psycopg.Connection,
        target: psycopg.Connection,
        tables: list[Table],
        changes: Changes,
        suspects: Keys,
    ) -> int:
        """Compare what changed since it was compared online; answers how many rows that is."""
        add(suspects, self.changed(source, changes))
        rows = [table for table in tables if table.way != "work"]
        if odd := differing(source, target, rows, self.route.tenant_id, suspects):
            table, keys = next(iter(odd.items()))
            raise NotTheSame(
                f"{size(odd):,} rows differ, such as {table} {next(iter(keys))}.",
                hint="The workspace goes on where it was. Give up this copy and make a new one: "
                "flask tenant move SLUG --abandon",
            )
        return sum(len(suspects.get(table.name, ())) for table in rows)

    def carry_work(
        self,
        source: psycopg.Connection,
        target: psycopg.Connection,
        tables: list[Table],
        changes: Changes,
        suspects: Keys,
    ) -> int:
        """Park what is open in the source, and make the target's jobs and events like it."""
        tenant = self.route.tenant_id
        replication.stop(target, self.route.name)
        waiting = {
            table.name: work.unsettled(source, target, table, tenant)
            for table in work.of_work(tables)
        }
        with source.transaction():
            # With it, all that sweeps did until now can be read from the slot.
            source.execute("SET LOCAL synchronous_commit = on")
            self.refuse_given_up(source)
            work.park(source, tables, tenant)
        add(suspects, self.changed(source, changes))
        return work.carry(source, target, tables, tenant, add(waiting, suspects))

    def refuse_given_up(self, source: psycopg.Connection) -> None:
        """Raises if the fence isn't ours any more: the source serves, and its jobs are its own."""
        if not fence.is_ours(source, self.route.tenant_id, self.notes.epoch):
            raise Undecided(
                "Somebody gave this attempt up meanwhile; the workspace stays where it was.",
                hint="Run this again.",
            )

    def activate(self, target: psycopg.Connection) -> None:
        """The decision: from here on the target serves."""
        self.notes.write(doing="activating")
        self.reached("before activation")
        with target.transaction():
            target.execute("SET LOCAL synchronous_commit = on")
            tenant, epoch = self.route.tenant_id, self.notes.epoch
            if not fence.change_from_fenced(target, tenant, epoch, "active"):
                raise Undecided(
                    "Somebody gave this attempt up meanwhile; the workspace stays where it was.",
                    hint="Run this again.",
                )

    def leave(self, source: psycopg.Connection) -> None:
        fence.change_from_fenced(source, self.route.tenant_id, self.notes.epoch, "gone")

    # --- Who serves ----------------------------------------------------------------------------

    def settle(self) -> None:
        """Decide a switch that was cut short. The one place where that is decided.

        Asks the target, whose row is the decision. If it serves, finish handing over; if not, see
        to it that it never will, and open the source again.
        """
        if self.notes.doing not in {"fencing", "activating"} or "switch" in self.notes.done:
            return
        # Only who has the move decides; another process may have taken it up meanwhile.
        self.notes.write(doing=self.notes.doing)
        if self.asks_target():
            self.notes.place()
            with self.route.source.connect() as source:
                self.leave(source)
            self.notes.done.append("switch")
            self.notes.write(steps=self.notes.done, doing="turn")
            self.say("The switch had been decided: the workspace is served at its new place.")
            return
        self.reached("given up")
        with self.route.source.connect() as source:
            tables = same_tables(source, source, self.route.service)
            self.open_again(source, tables)
        self.notes.write(doing="switch")
        self.say("The switch wasn't decided: the workspace is served where it was.")

    def asks_target(self) -> bool:
        """Whether the target took over. It can't have before this process said so beforehand."""
        try:
            with self.route.target.connect() as target:
                return fence.target_serves(target, self.route.tenant_id, self.notes.epoch)
        except psycopg.OperationalError as error:
            if self.notes.doing == "fencing":
                # Whoever would activate must note that first, and can't: the attempt is ours.
                return False
            raise Undecided(
                f"{self.route.target.shown} doesn't answer ({str(error).strip()}), and it may "
                "have taken over.",
                hint="Bring it back, then run this again. Until then the workspace is fenced.",
            ) from error

    def open_again(self, source: psycopg.Connection, tables: list[Table]) -> None:
        """Let the source serve as it did, at the epoch that the catalog knows.

        Unless this attempt fenced it, there is nothing to open.
        """
        tenant = self.route.tenant_id
        with source.transaction():
            if fence.change_from_fenced(source, tenant, self.notes.epoch, "active"):
                fence.put(source, tenant, self.notes.known_epoch, "active")
                work.unpark(source, tables, tenant)

    # --- Afterwards ----------------------------------------------------------------------------

    def turn(self) -> None:
        """Stop the way there, and follow the way back."""
        back = self.route.turned()
        with self.both() as (source, target):
            number = replication.unsubscribe(target, self.route.name)
            self.reached("unsubscribed")
            replication.drop_slots(source, self.route, number)
            if self.steps is FORWARD:
                replication.subscribe(source, back, copy=False)

    def undo_replication(self, source: psycopg.Connection, target: psycopg.Connection) -> None:
        """Take away all that was made for replication, both ways."""
        back = self.route.turned()
        there, here = (
            replication.unsubscribe(target, self.route.name),
            replication.unsubscribe(source, back.name),
        )
        replication.drop_slots(source, self.route, there)
        replication.drop_slots(target, back, here)
        for connection, route in ((source, self.route), (target, back)):
            tables = same_tables(connection, connection, self.route.service)
            replication.unpublish(connection, route, tables)

    # --- Small things --------------------------------------------------------------------------

    @contextmanager
    def both(self) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
        """Connections to the two databases."""
        with self.route.source.connect() as source, self.route.target.connect() as target:
            yield source, target

    def show(self, text: str) -> None:
        """Say something, but not too often."""
        if time.monotonic() - self.shown > 1:
            self.shown = time.monotonic()
            self.say(text)

    def seen(self, what: str) -> Callable[[Table, int], None]:
        """Counts rows aloud."""
        total = 0

        def count(table: Table, rows: int) -> None:
            nonlocal total
            total += rows
            self.notes.evidence["rows"] = total
            self.show(f"  {what}: {total:,} rows, at {table.name}")

        return count


def ms(seconds: float) -> int:
    return round(seconds * 1000)
