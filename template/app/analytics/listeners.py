"""What analytics hears: the facts it is told, and what happens in auth and billing."""

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from app.analytics.calls import BACKFILLED, RECORDED, Happened, keep_all
from app.analytics.keeping import keep
from app.analytics.models import Fact
from app.db import db
from app.events import Event, on
from app.tenancy import current_tenant


@on(RECORDED)
def keep_what_was_recorded(event: Event) -> None:
    """Keep a fact that a package or a feature recorded."""
    keep_once(event, event.facts["what"], event.facts["facts"])


@on(BACKFILLED)
def keep_what_happened_before(event: Event) -> None:
    """Keep a part of a history that another service handed in."""
    keep_all(happened(one) for one in event.facts["history"])


def happened(told: dict[str, Any]) -> Happened:
    actor_id = UUID(told["actor_id"]) if told["actor_id"] else None
    return Happened(told["name"], datetime.fromisoformat(told["at"]), actor_id, told["facts"])


# What auth and billing say happened, and the words it's counted under. They are neighbours,
# not callers: they don't know that anybody listens.
HAPPENINGS = {
    "auth.signed_in": "signed in",
    "auth.member_invited": "member invited",
    "auth.member_joined": "member joined",
    "auth.member_left": "member left",
    "billing.plan_changed": "plan changed",
}


def keep_what_happened(event: Event) -> None:
    """Keep what they say, where it happened in a tenant."""
    if event.tenant:
        keep_once(event, HAPPENINGS[event.name], event.facts)


for name in HAPPENINGS:
    on(name)(keep_what_happened)


def keep_once(event: Event, name: str, facts: dict[str, object]) -> None:
    """Keep a fact under its event's id.

    The inbox already stops a second delivery while analytics shares a database with it. In a
    database of its own, analytics may have committed just before a crash: then the id stops it.
    """
    if db.session.get(Fact, (current_tenant().id, event.id)) is None:
        told = orjson.dumps(facts).decode()
        keep([Fact(id=event.id, name=name, facts=told, at=event.at, actor_id=event.actor_id)])
