"""Names of people, kept for a minute: nearly every page shows who made something.

It stands before the door `auth.names_of`, and asks auth only for the names that it doesn't know.
Who is renamed or deleted is asked for again at once, as with identities.
"""

from collections.abc import Callable
from time import time
from typing import Any
from uuid import UUID

from flask import Flask, current_app

from app.doors import Door
from app.stages.services import identity_changes
from app.stages.services.identity_token import FRESH_SECONDS

MOST = 50_000  # Names in one process.
Name = tuple[str | None, float]


def init_app(app: Flask) -> None:
    app.extensions["names"] = {}
    ask = app.extensions["ask"]
    app.extensions["ask"] = lambda door, given: answer(ask, door, given)


def answer(ask: Callable[[Door, dict[str, Any]], Any], door: Door, given: dict[str, Any]) -> Any:
    """What the door answers; of names only those are asked for that aren't known."""
    if door.name != "auth.names_of":
        return ask(door, given)
    kept: dict[UUID, Name] = current_app.extensions["names"]
    wanted: set[UUID] = given["user_ids"]
    found = {user_id: name for user_id in wanted if (name := kept.get(user_id))}
    found = {user_id: name for user_id, name in found.items() if is_fresh(user_id, name)}
    if unknown := wanted - found.keys():
        at = time()
        told: dict[UUID, str] = ask(door, {"user_ids": unknown})
        fresh = {user_id: (told.get(user_id), at) for user_id in unknown}
        if len(kept) > MOST:
            kept.clear()
        kept.update(fresh)
        found |= fresh
    return {user_id: name for user_id, (name, _) in found.items() if name is not None}


def is_fresh(user_id: UUID, name: Name) -> bool:
    at = name[1]
    return at + FRESH_SECONDS > time() and not identity_changes.changed_since(
        at, ("person", user_id)
    )
