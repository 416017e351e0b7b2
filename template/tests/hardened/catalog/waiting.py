"""Waiting for what becomes true by itself."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 30


def wait_for(is_so: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> float:
    """Ask until it is so; answers how many seconds that took."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < seconds, f"Not so after {seconds} s."
        time.sleep(0.05)
    return time.monotonic() - began
