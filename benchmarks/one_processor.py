"""Keeps a client and the servers that answer it on one processor, where a round trip is measured.

Each waits for the other anyway. With two, an idle one has to be woken for each message, which on a
virtual machine takes longer than a statement, or not, depending on how long it has slept.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def on_one_processor() -> Iterator[None]:
    """This process, and what it starts meanwhile, stays on the last of its processors.

    Linux only; elsewhere they roam.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
