"""The consumer: hands the events of the streams to the listeners of the packages served here.

The workers of a service share the partitions among them. Whoever holds a partition's lease reads
it; the read itself checks the lease inside Redis, so a worker that was paused and overtaken can't
take an entry away from its successor.
"""

import math
import time
from typing import Any

import structlog
from flask import Flask

from app.doors import owner_of
from app.events import LISTENERS, Listener
from app.stages.services.events.loop import Loop
from app.stages.services.events.partition import Partition
from app.stages.services.events.streams import CONSUMER, PARTITIONS, make_groups, stream_of

log = structlog.get_logger()

COUNT = 100
WAIT_SECONDS = 1.0
BALANCE_SECONDS = 1.0
# A worker that was silent for that long has no share any more.
ALIVE_SECONDS = 5.0

# KEYS: streams, then their leases. ARGV: token, group, consumer, count.
READ = """
local mine = {}
for i = 1, #KEYS / 2 do
  if redis.call('GET', KEYS[#KEYS / 2 + i]) == ARGV[1] then table.insert(mine, KEYS[i]) end
end
if #mine == 0 then return false end
local call = {'XREADGROUP', 'GROUP', ARGV[2], ARGV[3], 'COUNT', ARGV[4], 'STREAMS'}
for _, key in ipairs(mine) do table.insert(call, key) end
for _ = 1, #mine do table.insert(call, '>') end
return redis.call(unpack(call))
"""


class Consumer(Loop):
    """The consumer of this process."""

    name = "consumer"

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self.group = app.config["SETTINGS"].service
        self.alive_key = f"events:alive:{self.group}"
        self.held: dict[int, Partition] = {}
        self.balanced_at = 0.0
        self.ready = False

    def start_connections(self) -> None:
        super().start_connections()
        self.listeners = listeners_of(self.app.extensions["serves"])
        self.read_script = self.client.register_script(READ)

    def turn(self) -> None:
        if not self.ready:
            make_groups(self.client)
            self.ready = True
        self.share()
        read = self.read()
        for partition in list(self.held.values()):
            partition.go_on_with_lines()
            partition.acknowledge()
        if not read:
            self.wait()

    # --- Which partitions ------------------------------------------------------------------------

    def share(self) -> None:
        """Let go what was lost or is too much, and take what is free, up to a fair share."""
        for number in list(self.held):
            if not self.leases.holds(self.lease_of(number)):
                self.let_go(self.held[number])
        if time.monotonic() - self.balanced_at < BALANCE_SECONDS:
            return
        self.balanced_at = time.monotonic()
        fair = math.ceil(PARTITIONS / self.workers_alive())
        for number in sorted(self.held)[fair:]:
            self.let_go(self.held[number])
        for number in range(PARTITIONS):
            if number not in self.held and len(self.held) < fair:
                self.take(number)

    def take(self, number: int) -> None:
        if not self.leases.take(self.lease_of(number)):
            return
        partition = Partition(self.client, self.group, number, self.listeners)
        partition.load()
        self.held[number] = partition

    def let_go(self, partition: Partition) -> None:
        """Give a partition to whoever takes it. What isn't acknowledged, they read again."""
        del self.held[partition.number]
        self.leases.release(self.lease_of(partition.number))

    def workers_alive(self) -> int:
        """How many workers of this service share the partitions, this one included."""
        moment = time.time()
        pipeline = self.client.pipeline()
        pipeline.zadd(self.alive_key, {self.leases.token: moment})
        pipeline.zremrangebyscore(self.alive_key, 0, moment - ALIVE_SECONDS)
        pipeline.zcard(self.alive_key)
        return int(pipeline.execute()[-1]) or 1

    def lease_of(self, number: int) -> str:
        return f"events:lease:{self.group}:{number}"

    # --- Reading ---------------------------------------------------------------------------------

    def read(self) -> bool:
        """Take new entries of the partitions that have room; answers whether there were any."""
        numbers = [number for number, one in self.held.items() if not one.is_full]
        if not numbers:
            return False
        keys = [*map(stream_of, numbers), *map(self.lease_of, numbers)]
        found: Any = self.read_script(keys, [self.leases.token, self.group, CONSUMER, COUNT])
        for stream, entries in found or []:
            partition = self.held[int(stream.rpartition(b":")[2])]
            for entry_id, flat in entries:
                if not self.goes_on_with(partition):
                    self.let_go(partition)  # Who takes over finds the rest among what was given.
                    break
                fields = dict(zip(flat[::2], flat[1::2], strict=True))
                partition.take(entry_id.decode(), fields, again=False)
                partition.last = entry_id.decode()
            partition.acknowledge()
        return bool(found)

    def goes_on_with(self, partition: Partition) -> bool:
        return not self.stopping.is_set() and self.leases.holds(self.lease_of(partition.number))

    def wait(self) -> None:
        """Wait until an entry comes, a pause is over, or a moment has passed."""
        open_ones = [one for one in self.held.values() if not one.is_full]
        dues = [due for one in self.held.values() if (due := one.next_due()) is not None]
        seconds = min([WAIT_SECONDS, *(due - time.time() for due in dues)])
        if seconds <= 0:
            return
        if open_ones:
            seen: Any = {one.stream: one.last for one in open_ones}
            self.client.xread(seen, count=1, block=max(1, int(seconds * 1000)))
        else:
            self.stopping.wait(seconds)

    def begin_again(self) -> None:
        """Give everything back: what was given and not acknowledged is read again."""
        self.leases.release(*map(self.lease_of, self.held))
        self.held.clear()
        self.balanced_at = 0.0
        self.ready = False

    def stop(self) -> None:
        super().stop()
        if self.thread is None:
            return
        try:
            self.client.zrem(self.alive_key, self.leases.token)
        except Exception as error:
            log.info("consumer not signed off", error=repr(error))


def listeners_of(packages: frozenset[str]) -> dict[str, list[Listener]]:
    """The listeners that belong to these packages, by the event they wait for."""
    return {
        name: here
        for name, listeners in LISTENERS.items()
        if (here := [one for one in listeners if package_of(one) in packages])
    }


def package_of(listener: Listener) -> str:
    """The package a listener works for: it says so itself, or its module is that package's."""
    said: str = getattr(listener, "package", "") or owner_of(listener.__module__)
    return said
