"""The streams that events travel in: their names, what an entry holds, and who reads them.

A tenant's events all go into one of a few streams, the partitions, so they keep their order. Each
service reads them as one consumer group; an entry stays until every group is done with it.
"""

from datetime import datetime
from typing import Any
from uuid import UUID
from zlib import crc32

import orjson
from flask import Flask, current_app
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.events import Event, OutboxRow
from app.stages.services.observe import traces
from app.stages.services.settings import SERVICES
from app.tenancy import Tenant

PARTITIONS = 8
# One name for all workers of a service: a lease says which one of them reads.
CONSUMER = "one"
# What publishers wait at most for a Redis that is away; the relay looks by itself soon after.
HURRY_SECONDS = 0.5
PATIENCE_SECONDS = 5


def stream_of(partition: int) -> str:
    return f"events:{partition}"


def partition_of(tenant_id: UUID | None) -> int:
    """The partition of a tenant's events; what belongs to no tenant has one of its own choice."""
    return crc32(tenant_id.bytes if tenant_id else b"") % PARTITIONS


def connect(url: str, seconds: float = PATIENCE_SECONDS) -> Redis:
    """A client that gives up soon: whoever uses it tries again in a way of its own."""
    return Redis.from_url(
        url,
        socket_connect_timeout=min(seconds, 2),
        socket_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=30,
    )


def redis() -> Redis:
    """The process's client."""
    client: Redis = current_app.extensions["events_redis"]
    return client


def init_app(app: Flask) -> None:
    app.extensions["events_redis"] = connect(app.config["SETTINGS"].redis_url)


def make_groups(client: Redis) -> None:
    """Let each service have its group in each partition, before anything is shipped.

    So a service that hasn't run yet loses nothing: nothing is trimmed that a group hasn't read.
    """
    call = client.pipeline(transaction=False)
    for partition in range(PARTITIONS):
        for service in SERVICES:
            call.xgroup_create(stream_of(partition), service, id="0", mkstream=True)
    for error in call.execute(raise_on_error=False):
        if isinstance(error, Exception) and not str(error).startswith("BUSYGROUP"):
            raise error


def packed(row: OutboxRow) -> dict[Any, Any]:
    """An outbox row as a stream's entry."""
    head = {
        "id": row.id,
        "name": row.name,
        "at": row.at,
        "actor": row.actor_id,
        "tenant": [row.tenant_id, row.tenant_slug, row.tenant_name] if row.tenant_id else None,
    }
    facts, trace = traces.apart(row.facts)
    return {"event": orjson.dumps(head), "facts": facts} | ({"trace": trace} if trace else {})


def unpacked(fields: dict[bytes, bytes]) -> Event:
    """The event of an entry. Raises `ValueError`, `KeyError` or `TypeError` if it is none."""
    head = orjson.loads(fields[b"event"])
    facts: Any = orjson.loads(fields[b"facts"])
    if not isinstance(facts, dict):
        raise TypeError(f"facts are {type(facts).__name__}, not an object")
    if not isinstance(head["name"], str):
        raise TypeError(f"the name is {head['name']!r}")
    tenant = head["tenant"]
    return Event(
        UUID(head["id"]),
        head["name"],
        facts,
        datetime.fromisoformat(head["at"]),
        UUID(head["actor"]) if head["actor"] else None,
        Tenant(UUID(tenant[0]), tenant[1], tenant[2]) if tenant else None,
    )


def only_for(fields: dict[bytes, bytes]) -> str | None:
    """The one listener that a replayed dead letter is for; None for everybody."""
    listener = fields.get(b"only")
    return listener.decode() if listener else None


def trim(client: Redis) -> None:
    """Drop what every group is done with, and nothing else."""
    for partition in range(PARTITIONS):
        if done_before := first_needed(client, partition):
            client.xtrim(stream_of(partition), minid=done_before, approximate=True)


def first_needed(client: Redis, partition: int) -> str | None:
    """The id of the first entry that some group still needs; None if that can't be said."""
    stream = stream_of(partition)
    groups: Any = client.xinfo_groups(stream) if client.exists(stream) else []
    if not {group["name"].decode() for group in groups} >= set(SERVICES):
        return None
    needed = [group["last-delivered-id"].decode() for group in groups]
    for group in groups:
        if group["pending"]:
            pending: Any = client.xpending(stream, group["name"])
            needed.append(pending["min"].decode())
    return min(needed, key=as_numbers)


def as_numbers(entry_id: str) -> tuple[int, int]:
    """What entry ids are ordered by."""
    moment, _, number = entry_id.partition("-")
    return int(moment), int(number)
