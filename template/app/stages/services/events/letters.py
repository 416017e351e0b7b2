"""Dead letters: events that a listener couldn't take, with the error, until they are replayed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from redis import Redis

from app.events import Event
from app.stages.services.events import streams

STREAM = "events:dead"
PAGE = 500


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter. `event` is None where nobody could read it."""

    id: str
    group: str
    listener: str
    partition: int
    attempts: int
    error: str
    fields: dict[bytes, bytes]
    event: Event | None

    @property
    def at(self) -> float:
        """When it was set aside, in seconds since 1970."""
        return int(self.id.partition("-")[0]) / 1000


def bury(
    client: Redis,
    fields: dict[bytes, bytes],
    *,
    group: str,
    partition: int,
    error: str,
    attempts: int,
    listener: str = "",
) -> None:
    """Set an event aside."""
    about: dict[Any, Any] = {
        "group": group,
        "listener": listener,
        "partition": partition,
        "error": error[:2000],
        "attempts": attempts,
    }
    # What came with the entry is kept as it is, whatever it was.
    as_it_was = {b"was:" + key: value for key, value in fields.items()}
    client.xadd(STREAM, about | as_it_was)


def every(client: Redis) -> Iterator[Letter]:
    """All dead letters, the oldest first."""
    start = "-"
    while page := page_from(client, start):
        for entry_id, found in page:
            yield read(entry_id.decode(), found)
        start = f"({page[-1][0].decode()}"


def page_from(client: Redis, start: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
    found: Any = client.xrange(STREAM, min=start, count=PAGE)
    return list(found)


def read(entry_id: str, found: dict[bytes, bytes]) -> Letter:
    fields = {k.removeprefix(b"was:"): v for k, v in found.items() if k.startswith(b"was:")}
    try:
        event = streams.unpacked(fields)
    except Exception:
        event = None
    return Letter(
        id=entry_id,
        group=found[b"group"].decode(),
        listener=found[b"listener"].decode(),
        partition=int(found[b"partition"]),
        attempts=int(found[b"attempts"]),
        error=found[b"error"].decode(errors="replace"),
        fields=fields,
        event=event,
    )


def replay(client: Redis, letter: Letter) -> None:
    """Put a letter back into its stream, for the listener that couldn't take it."""
    fields: dict[Any, Any] = dict(letter.fields)
    if letter.listener:
        fields[b"only"] = letter.listener.encode()
    pipeline = client.pipeline(transaction=True)
    pipeline.xadd(streams.stream_of(letter.partition), fields)
    pipeline.xdel(STREAM, letter.id)
    pipeline.execute()
