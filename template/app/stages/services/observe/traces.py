"""Traces: one from the click, through what it asks of neighbours, to whoever hears of it.

Without OTEL_EXPORTER_OTLP_ENDPOINT no tracer is made or imported, and what stands here does
nothing. What it does otherwise is in `tracing.py`.

A trace goes on where a neighbour signed the question, and in an event; what a client says of
traces counts for nothing.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import orjson
from flask import Flask, current_app
from sqlalchemy import event
from sqlalchemy.orm import Mapper

from app import events
from app.events import Event, Listener, OutboxRow

# Among an event's facts, while it waits in the outbox: no fact that is given by name has this one.
KEY = "~trace"
FIELD = b"trace"
Nothing: AbstractContextManager[None] = nullcontext()


def init_app(app: Flask) -> None:
    if app.config["SETTINGS"].otel_exporter_otlp_endpoint:
        from app.stages.services.observe.tracing import Tracing  # Slow to import.

        app.extensions["tracing"] = Tracing(app)


def tracing() -> Any:
    """What traces, or None."""
    return current_app.extensions.get("tracing")


def here() -> str:
    """Where we are, as neighbours are told (W3C traceparent); empty without a trace."""
    found = tracing()
    return found.here() if found else ""


def asking(service: str, path: str) -> AbstractContextManager[None]:
    """While a neighbour is asked."""
    found = tracing()
    return found.asking(service, path) if found else Nothing


def answer(parent: str) -> None:
    """Let this request belong to the trace that a neighbour signed its question with."""
    if found := tracing():
        found.begin(parent)


def hand_over(fields: dict[bytes, bytes], told: Event, listener: Listener) -> Exception | None:
    """`events.hand_over`, as a part of the trace that published the event."""
    if found := tracing():
        return found.hand_over(fields.get(FIELD, b"").decode(errors="replace"), told, listener)
    return events.hand_over(told, listener)


# --- Events: from the row in the outbox to the entry of a stream ----------------------------------


@event.listens_for(OutboxRow, "before_insert")
def note_where_it_was_published(_mapper: Mapper[Any], _connection: Any, row: OutboxRow) -> None:
    """Put the trace beside the facts: the prototype's table has no column for it."""
    if parent := here():
        row.facts = orjson.dumps({**orjson.loads(row.facts), KEY: parent}).decode()


def apart(facts: str) -> tuple[str, str]:
    """Facts as they were published, and the trace they were published in."""
    if f'"{KEY}"' not in facts:
        return facts, ""
    both = orjson.loads(facts)
    parent = both.pop(KEY, "")
    return orjson.dumps(both).decode(), str(parent)
