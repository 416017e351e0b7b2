"""The edge: who goes on although refused is turned away by the gateway for a few seconds.

A refusal costs a worker a fraction of a millisecond, and a client that ignores it asks again at
once: a thousand refusals a second are felt by everybody. So Caddy takes them away from the
workers. It looks whether a file with the workspace's name is in a folder, as it does for releases
(decision 0025), and sends what it finds to the waiting room; `flask throttle follow` beside each
gateway keeps the folder as Redis says, and is the waiting room.
"""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from redis.exceptions import RedisError

from app.stages.services.rollout.pins import pin_exactly

log = structlog.get_logger()

BANNED = "throttle:turned-away"
AFTER = 20  # Refusals by one process within a second,
FOR_SECONDS = 2.0  # and so long the gateway refuses by itself; each time again twice as long,
AT_MOST_SECONDS = 60.0  # up to a minute,
FORGOTTEN_SECONDS = 120  # until somebody has behaved for so long.
SLUG = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
RULE = """\
# Workspaces that go on although refused, for some seconds. Made by `flask throttle rule`.
@turned-away {{
	{whose}
	file {{
		root {folder}
		try_files /{{{workspace}}}
	}}
}}
handle @turned-away {{
	reverse_proxy {waiting_room} {{
		header_up -Cookie
		header_up -Authorization
	}}
}}
"""


class Edge:
    """Tells the gateways, by Redis, who goes on although refused."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.counts: dict[str, int] = {}
        self.second = 0

    def note(self, slug: str) -> None:
        """Somebody was refused once more."""
        if self.store is None or not SLUG.fullmatch(slug):
            return
        second = int(time.time())
        if second != self.second:
            self.counts, self.second = {}, second
        count = self.counts[slug] = self.counts.get(slug, 0) + 1
        if count == AFTER:
            self.turn_away(slug)

    def turn_away(self, slug: str) -> None:
        try:
            if not self.store.zadd(BANNED, {slug: time.time() + FOR_SECONDS}, nx=True):
                return  # Another process was faster.
            times = self.store.incr(f"throttle:strikes:{slug}")
            self.store.expire(f"throttle:strikes:{slug}", FORGOTTEN_SECONDS)
            seconds = min(FOR_SECONDS * 2 ** min(times - 1, 10), AT_MOST_SECONDS)
            self.store.zadd(BANNED, {slug: time.time() + seconds}, xx=True)
        except RedisError as error:
            log.warning("redis away", command="throttle", error=repr(error))
            return
        log.warning("turned away at the gateway", workspace=slug, seconds=seconds)


def turned_away(store: Any) -> set[str]:
    """The workspaces that the gateways refuse right now; those whose time is over are forgotten."""
    store.zremrangebyscore(BANNED, "-inf", time.time())
    return {slug.decode() for slug in store.zrange(BANNED, 0, -1)}


def follow(store: Any, folder: Path, every: float, over: Callable[[], bool]) -> None:
    """Keep a gateway's folder as Redis says; without Redis nobody is turned away for long."""
    folder.mkdir(parents=True, exist_ok=True)
    heard_at = time.monotonic()
    while not over():
        try:
            pin_exactly(folder, turned_away(store))
            heard_at = time.monotonic()
        except RedisError as error:
            if time.monotonic() - heard_at > FOR_SECONDS:
                log.warning("redis away", command="follow", error=repr(error))
                pin_exactly(folder, set())
        folder.mkdir(exist_ok=True)  # Without anybody in it, it's taken away at once.
        time.sleep(every)
    pin_exactly(folder, set())


def rule(folder: Path, waiting_room: str, domain: str = "") -> str:
    """What the gateway's Caddyfile imports; `waiting_room` is host:port.

    With a domain each workspace is a host below it; Caddy counts a host's labels from its end.
    """
    whose, workspace = "path /t/*", "path.1"
    if domain:
        whose, workspace = f"host *.{domain}", f"labels.{len(domain.split('.'))}"
    return RULE.format(
        whose=whose, workspace=workspace, folder=folder.absolute(), waiting_room=waiting_room
    )
