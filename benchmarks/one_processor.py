"""Keeps a client and the servers that answer it on one processor, where a round trip is measured.

Each waits for the other anyway. With two, an idle one has to be woken for each message, which on a
virtual machine takes longer than a statement, or not, depending on how long it has slept.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SERVERS = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"


@contextmanager
def on_one_processor() -> Iterator[None]:
    """This process is on the last of its processors meanwhile. Linux only; elsewhere it roams."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def pin_servers(admin: Any) -> None:
    """Put the server's side of each connection where this process is."""
    if not hasattr(os, "sched_setaffinity"):
        return
    for (process,) in admin.execute(SERVERS).fetchall():
        os.sched_setaffinity(process, os.sched_getaffinity(0))
