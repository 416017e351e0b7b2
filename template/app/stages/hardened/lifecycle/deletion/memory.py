"""What Redis knows of a tenant: keys that name it, and values that do, of every type.

Entries of streams go, too: an event of a tenant that is gone has nobody to be told to.
"""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from flask import current_app

from app.stages.services.events.streams import connect

AT_ONCE = 500


def client() -> Any:
    """The installation's Redis, if it has one."""
    url = current_app.config["SETTINGS"].redis_url
    return client_at(url) if url else None


def client_at(url: str) -> Any:
    return connect(url)


def names_of(tenant_id: UUID) -> tuple[bytes, ...]:
    """The ways in which an id may be written."""
    return str(tenant_id).encode(), tenant_id.hex.encode(), tenant_id.bytes


def found(redis: Any, needles: tuple[bytes, ...]) -> Iterator[tuple[bytes, str]]:
    """Each key in which one of these stands, in its name or in its values, and where."""
    for key, kind in keys(redis):
        if has(key, needles):
            yield key, "its name"
        elif any(has(part, needles) for _, part in parts(redis, key, kind)):
            yield key, f"a value ({kind})"


def keys(redis: Any) -> Iterator[tuple[bytes, str]]:
    for key in redis.scan_iter(count=AT_ONCE):
        yield key, redis.type(key).decode()


def has(text: bytes, needles: tuple[bytes, ...]) -> bool:
    lower = text.lower()
    return any(needle in text or needle.lower() in lower for needle in needles)


def parts(redis: Any, key: bytes, kind: str) -> Iterator[tuple[Any, bytes]]:
    """What a key holds, bit by bit, each with the handle by which it's removed."""
    if kind == "string":
        yield None, redis.get(key) or b""
    elif kind == "hash":
        for name, value in redis.hscan_iter(key, count=AT_ONCE):
            yield name, name + b" " + value
    elif kind == "list":
        yield from ((value, value) for value in redis.lrange(key, 0, -1))
    elif kind == "set":
        yield from ((value, value) for value in redis.sscan_iter(key, count=AT_ONCE))
    elif kind == "zset":
        yield from ((value, value) for value, _ in redis.zscan_iter(key, count=AT_ONCE))
    elif kind == "stream":
        yield from entries(redis, key)


def entries(redis: Any, key: bytes) -> Iterator[tuple[Any, bytes]]:
    after = b"-"
    while page := redis.xrange(key, min=after, count=AT_ONCE):
        for number, fields in page:
            yield number, b" ".join(part for pair in fields.items() for part in pair)
        after = b"(" + page[-1][0]


REMOVE: dict[str, Callable[[Any, bytes, Any], Any]] = {
    "string": lambda redis, key, _: redis.delete(key),
    "hash": lambda redis, key, name: redis.hdel(key, name),
    "list": lambda redis, key, value: redis.lrem(key, 0, value),
    "set": lambda redis, key, value: redis.srem(key, value),
    "zset": lambda redis, key, value: redis.zrem(key, value),
    "stream": lambda redis, key, number: remove_entry(redis, key, number),
}


def remove_entry(redis: Any, key: bytes, number: bytes) -> int:
    """Take an entry out of a stream, also from those who were told of it and aren't done."""
    for group in redis.xinfo_groups(key):
        redis.xack(key, group["name"], number)
    return int(redis.xdel(key, number))


def forget(redis: Any, needles: tuple[bytes, ...]) -> int:
    """Remove everything in which one of these stands; answers how much that was."""
    removed = 0
    for key, kind in keys(redis):
        if has(key, needles):
            removed += bool(redis.delete(key))
            continue
        for handle, part in list(parts(redis, key, kind)):
            if has(part, needles):
                REMOVE[kind](redis, key, handle)
                removed += 1
    return removed
