"""One partition, as the worker that holds it sees it: what it was given and who still waits.

Each listener hears a tenant's events in their order. One that fails is tried again after a pause;
until then that tenant's later events wait for that listener, in a line, while other tenants and
other listeners go on.
"""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from redis import Redis

from app import events, queue
from app.events import Event, Listener
from app.stages.services.events import letters
from app.stages.services.events.streams import CONSUMER, only_for, stream_of, unpacked
from app.stages.services.observe import traces, work

log = structlog.get_logger()

# So many may wait in one partition; then it rests until the lines are shorter.
MOST_WAITING = 10_000
PAGE = 500
# How many events of a line are told in one turn, so that a long one doesn't keep the others.
TURN = 100
# An event that kills its worker each time is given up sooner than one that fails.
DEATHS = 5


@dataclass(slots=True)
class Entry:
    """An entry of the stream that isn't done yet, and the listeners it still waits for."""

    id: str
    fields: dict[bytes, bytes]
    event: Event
    waits_for: set[str] = field(default_factory=set)
    marks: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Line:
    """A tenant's events that wait for one listener, and when its first one is tried again."""

    listener: Listener
    entries: deque[Entry] = field(default_factory=deque)
    attempts: int = 0
    due: float = 0.0


class Partition:
    """A partition's events on their way to the listeners of this service."""

    def __init__(
        self, client: Redis, group: str, number: int, listeners: dict[str, list[Listener]]
    ) -> None:
        self.client = client
        self.group = group
        self.number = number
        self.listeners = listeners
        self.stream = stream_of(number)
        self.marks_key = f"events:tries:{group}:{number}"
        self.entries: dict[str, Entry] = {}
        self.lines: dict[tuple[UUID | None, str], Line] = {}
        self.done: list[str] = []
        self.marks_of_done: list[str] = []
        self.last = "0-0"
        self.marks: dict[str, str] = {}

    # --- What comes in ---------------------------------------------------------------------------

    def load(self) -> None:
        """Take up what another worker, or this one before, was given and didn't end."""
        for group in self.client.xinfo_groups(self.stream):
            if group["name"].decode() == self.group:
                self.last = group["last-delivered-id"].decode()
        marks: Any = self.client.hgetall(self.marks_key)
        self.marks = {key.decode(): value.decode() for key, value in marks.items()}
        after = "0"
        while page := self.given_before(after):
            for entry_id, fields in page:
                self.take(entry_id.decode(), fields, again=True)
            after = page[-1][0].decode()
            self.acknowledge()

    def given_before(self, after: str) -> list[Any]:
        """Entries that were given to this group and not acknowledged."""
        found: Any = self.client.xreadgroup(self.group, CONSUMER, {self.stream: after}, count=PAGE)
        pages = found.values() if isinstance(found, dict) else [pair[1] for pair in found or []]
        return next(iter(pages), [])

    def take(self, entry_id: str, fields: dict[bytes, bytes] | None, *, again: bool) -> None:
        """Tell an entry to each listener here, or put it at the end of a line."""
        if not fields:  # It was deleted by hand meanwhile.
            self.done.append(entry_id)
            return
        try:
            entry, only = Entry(entry_id, fields, unpacked(fields)), only_for(fields)
        except Exception as error:
            log.error("event can't be read", entry=entry_id, error=repr(error))
            self.bury(fields, f"It can't be read: {error!r}", attempts=0)
            self.done.append(entry_id)
            return
        told = [
            listener
            for listener in self.listeners.get(entry.event.name, [])
            if only in (None, events.name_of(listener))
        ]
        entry.waits_for = {events.name_of(listener) for listener in told}
        self.entries[entry_id] = entry
        for listener in told:
            self.tell_in_turn(entry, listener, again=again)
        self.end_if_done(entry)

    def tell_in_turn(self, entry: Entry, listener: Listener, *, again: bool) -> None:
        name = events.name_of(listener)
        key = (entry.event.tenant.id if entry.event.tenant else None, name)
        line = self.lines.get(key)
        if line is not None:
            if any(before.event.id == entry.event.id for before in line.entries):
                entry.waits_for.discard(name)  # It was shipped twice.
            else:
                line.entries.append(entry)
            return
        line = Line(listener, deque([entry]))
        pauses = again and self.remembers(entry, name, line)
        if pauses or (name in entry.waits_for and not self.tell_first(line, again=again)):
            self.lines[key] = line

    # --- Telling ---------------------------------------------------------------------------------

    def tell_first(self, line: Line, *, again: bool) -> bool:
        """Tell the first of a line; answers whether that one is done with, one way or the other.

        Raises what the database raises when it is away: that isn't the event's fault.
        """
        entry, name = line.entries[0], events.name_of(line.listener)
        if again:
            self.mark_start(entry, name)
        try:
            error = traces.hand_over(entry.fields, entry.event, line.listener)
        finally:
            if again:
                self.client.hdel(self.marks_key, start_mark(entry, name))
        if error is None:
            entry.waits_for.discard(name)
            work.told(entry.event, "ok")
            return True
        return self.put_off(line, error)

    def put_off(self, line: Line, error: Exception) -> bool:
        """Note a failure; after the last one the event becomes a dead letter and is done with."""
        entry, name = line.entries[0], events.name_of(line.listener)
        line.attempts += 1
        log.warning(
            "event not delivered",
            event_name=entry.event.name,
            listener=name,
            attempts=line.attempts,
            error=repr(error),
            exc_info=error,
        )
        if line.attempts >= events.ATTEMPTS:
            self.give_up(entry, name, repr(error), line.attempts)
            return True
        work.told(entry.event, "again")
        line.due = time.time() + queue.pause_after(line.attempts)
        self.mark(entry, name, f"{line.attempts} {line.due}")
        return False

    def give_up(self, entry: Entry, name: str, error: str, attempts: int) -> None:
        log.error("event given up", event_name=entry.event.name, listener=name, error=error)
        work.told(entry.event, "dead")
        self.bury(entry.fields, error, attempts=attempts, listener=name)
        self.mark(entry, name, "over")
        entry.waits_for.discard(name)

    def bury(
        self, fields: dict[bytes, bytes], error: str, *, attempts: int, listener: str = ""
    ) -> None:
        letters.bury(
            self.client,
            fields,
            group=self.group,
            partition=self.number,
            error=error,
            attempts=attempts,
            listener=listener,
        )

    def go_on_with_lines(self) -> None:
        """Try again what is due, and go on with the tenant's next events if that went well."""
        for key, line in list(self.lines.items()):
            for _ in range(TURN):
                if not line.entries or line.due > time.time():
                    break
                entry = line.entries[0]
                if not self.tell_first(line, again=False):
                    break
                line.entries.popleft()
                line.attempts, line.due = 0, 0.0
                self.end_if_done(entry)
            if not line.entries:
                del self.lines[key]

    def next_due(self) -> float | None:
        """When the next one is to be tried again, in seconds since 1970."""
        return min((line.due for line in self.lines.values()), default=None)

    # --- What is remembered beyond this process --------------------------------------------------

    def remembers(self, entry: Entry, name: str, line: Line) -> bool:
        """Whether this one failed before and isn't due yet; one that is over isn't told again."""
        entry.marks |= {mark for mark in marks_of(entry, name) if mark in self.marks}
        if int(self.marks.get(start_mark(entry, name), 0)) >= DEATHS:
            self.give_up(entry, name, f"Its worker died {DEATHS} times while it ran.", DEATHS)
            return False
        known = self.marks.get(try_mark(entry, name))
        if known == "over":
            entry.waits_for.discard(name)
        elif known:
            attempts, due = known.split()
            line.attempts, line.due = int(attempts), float(due)
        return line.due > time.time()

    def mark(self, entry: Entry, name: str, value: str) -> None:
        entry.marks.add(try_mark(entry, name))
        self.client.hset(self.marks_key, try_mark(entry, name), value)

    def mark_start(self, entry: Entry, name: str) -> None:
        """Count that this one begins, in case the process doesn't live to see its end."""
        self.client.hincrby(self.marks_key, start_mark(entry, name), 1)

    def end_if_done(self, entry: Entry) -> None:
        if not entry.waits_for and entry.id in self.entries:
            del self.entries[entry.id]
            self.done.append(entry.id)
            self.marks_of_done += entry.marks

    def acknowledge(self) -> None:
        """Tell Redis what is done."""
        if not self.done:
            return
        pipeline = self.client.pipeline(transaction=True)
        pipeline.xack(self.stream, self.group, *self.done)
        if self.marks_of_done:
            pipeline.hdel(self.marks_key, *self.marks_of_done)
        pipeline.execute()
        self.done, self.marks_of_done = [], []

    @property
    def is_full(self) -> bool:
        """Whether so many wait that no more are taken for now."""
        return len(self.entries) >= MOST_WAITING


def try_mark(entry: Entry, name: str) -> str:
    return f"{entry.id} {name}"


def start_mark(entry: Entry, name: str) -> str:
    return f"{entry.id} {name} started"


def marks_of(entry: Entry, name: str) -> tuple[str, str]:
    return try_mark(entry, name), start_mark(entry, name)
