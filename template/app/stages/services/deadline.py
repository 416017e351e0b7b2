"""The deadline: how long whoever asked will wait; what is asked on the way has what is left."""

import time

from flask import has_request_context, request

HEADER = "X-Time-Left-Ms"  # What is left, not a time of day: clocks differ.
PATIENCE = 4.0  # Seconds that a question may take, with its retries.
UNTIL = "app.deadline"


def begin() -> bool:
    """Note what a neighbour's request says. False if its time is up already."""
    given = request.headers.get(HEADER, "")
    seconds = min(int(given) / 1000, PATIENCE) if given.isdecimal() else PATIENCE
    request.environ[UNTIL] = time.monotonic() + seconds
    return seconds > 0


def left() -> float:
    """How many seconds a question that begins now may take."""
    until: float | None = request.environ.get(UNTIL) if has_request_context() else None
    return PATIENCE if until is None else min(PATIENCE, until - time.monotonic())
