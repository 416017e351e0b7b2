"""Attacks where nobody is signed in: jobs, events, messages, and the names of what is kept."""

import inspect as looking
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from huey.exceptions import HueyException
from huey.registry import Message
from sqlalchemy import select

from app import events, jobs, queue
from app.auth.identity import Identity, Kind
from app.columns import new_id
from app.db import METADATA, db
from app.events import LISTENERS, Event
from app.jobs import KNOWN
from app.stages.hardened.attack.record import Attack
from app.stages.services import identity_store, identity_token, keys
from app.stages.services.identity_token import Credential
from app.stages.services.published import Published
from app.tenancy import context, tenant_or_none
from tests.hardened.attack.attacks import attack
from tests.hardened.attack.field import Field
from tests.isolation.rows import ids_in

SEEN: list[UUID | None] = []


@jobs.job
def whose_turn() -> None:
    """A job that notes whom it serves."""
    SEEN.append(here())


@jobs.job
def fall_over() -> None:
    """A job that dies in the middle of its tenant's work."""
    SEEN.append(here())
    raise RuntimeError("it fell over")


def here() -> UUID | None:
    tenant = tenant_or_none()
    return tenant.id if tenant else None


@attack("jobs in turn")
def jobs_in_turn(field: Field, record: Attack) -> None:
    """A job of ours, one that falls over, then one of theirs, in one worker: each serves its own,
    and what comes after serves nobody."""
    SEEN.clear()
    with field.app.app_context():
        field.app.extensions["queue"].flush()
    turns = [(field.ours, whose_turn), (field.ours, fall_over), (field.theirs, whose_turn)]
    for company, work in [*turns, *reversed(turns)]:
        with company.serving():
            jobs.later(work)
            db.session.commit()
        queue.run_pending(field.app)
        field.app.extensions["queue"].flush()  # Nothing is tried again meanwhile.
        record.judge(
            "" if SEEN[-1:] == [company.tenant.id] else f"{company.tenant.slug}: served {SEEN[-1:]}"
        )
        with field.app.app_context():
            record.judge("the tenant outlived its job" if here() else "")


@attack("jobs with foreign ids")
def jobs_with_foreign_ids(field: Field, record: Attack) -> None:
    """Every job there is, in our workspace, with each id of theirs as its arguments."""
    for name, work in list(KNOWN.items()):
        if work in {whose_turn, fall_over} or not name.startswith("app."):
            continue
        count = len(looking.signature(work).parameters)
        for an_id in ids_in(field.rows):
            with field.ours.serving():
                try:
                    work(*[str(an_id)] * count)
                    db.session.commit()
                except (Exception, SystemExit):
                    db.session.rollback()
            record.tried()
            if not count:
                break
        if harm := field.harm() or field.loot():
            record.breaches.append(f"{name} {harm}")


class Facts(dict[str, Any]):
    """Facts that answer every question with an id of theirs."""

    def __init__(self, an_id: UUID) -> None:
        self.an_id = str(an_id)

    def __missing__(self, _name: str) -> str:
        return self.an_id

    def get(self, _name: str, _default: Any = None) -> str:
        return self.an_id


@attack("events with foreign ids")
def events_with_foreign_ids(field: Field, record: Attack) -> None:
    """Every listener, told an event of ours whose facts are ids of theirs, their tenant's first."""
    for name, listeners in list(LISTENERS.items()):
        for listener in listeners:
            if not listener.__module__.startswith("app."):
                continue
            for an_id in (field.theirs.tenant.id, *ids_in(field.rows)):
                told = Event(
                    new_id(), name, Facts(an_id), datetime.now(UTC), None, field.ours.tenant
                )
                with field.app.app_context():
                    try:
                        events.hand_over(told, listener)
                    except (Exception, SystemExit):
                        db.session.rollback()
                record.tried()
            if harm := field.harm():
                record.breaches.append(f"{events.name_of(listener)} on {name} {harm}")


@attack("events in turn")
def events_in_turn(field: Field, record: Attack) -> None:
    """An event of ours, then one of theirs, then one of nobody: each is heard where it belongs."""
    heard: list[UUID | None] = []

    def listen(_event: Event) -> None:
        heard.append(here())

    for tenant in (field.ours.tenant, field.theirs.tenant, None, field.ours.tenant):
        told = Event(uuid4(), "attack.told", {}, datetime.now(UTC), None, tenant)
        with field.app.app_context():
            error = events.hand_over(told, listen)
        expected = tenant.id if tenant else None
        record.judge("" if heard[-1:] == [expected] else f"heard by {heard[-1:]}: {error!r}")


@attack("messages")
def messages(field: Field, record: Attack) -> None:
    """Messages in the queue that somebody else signed, or nobody: none is taken for ours."""
    ours = queue.Messages(secret=field.app.config["SETTINGS"].secret_key)
    forger = queue.Messages(secret="somebody else's key, of the same length")
    message = Message("1", "run_job", None, 0, 0, (str(new_id()),), {}, None, None, None, 0, None)
    signed = forger.serialize(message)
    for forged in (signed, signed[:-1], signed.partition(b":")[2], b"{}", b""):
        try:
            record.judge(f"took {ours.deserialize(forged)!r}")
        except (HueyException, ValueError, TypeError, KeyError):
            record.judge("")


NASTY = ("", ":", "a", "a:b", "b", "%3A", "a%3Ab", "::", "t", "t:x", "\n", "ä", "a b", "%", "%25")


@attack("names of what is kept")
def names(field: Field, record: Attack) -> None:
    """Names of cache entries, files and locks: no two of (tenant, kind, parts) make one name."""
    made: dict[str, tuple[Any, ...]] = {}
    for company in (field.ours, field.theirs):
        with company.serving():
            for parts in many_parts(str(field.theirs.tenant.id)):
                what = company.tenant.id, *parts
                name = context.key(*parts)
                record.judge(
                    f"{what} and {made[name]} are both {name}"
                    if made.setdefault(name, what) != what
                    else ""
                )


def many_parts(foreign: str) -> list[tuple[str, ...]]:
    words = (*NASTY, foreign, f"x:{foreign}")
    return [
        *((kind,) for kind in words),
        *((kind, part) for kind in words for part in words),
        *((kind, part, "b") for kind in words for part in words),
    ]


@attack("names of identities")
def names_of_identities(field: Field, record: Attack) -> None:
    """Names under which identities are kept: no two credentials or addresses have one."""
    made: dict[str, Credential] = {}
    slugs = (None, "", "/", field.ours.tenant.slug, field.theirs.tenant.slug, "a/b", ":", "None")
    for kind in KINDS:
        for text in ("one", "two", ":one", "token:one"):
            for slug in slugs:
                asked = Credential(kind, text, slug)
                other = made.setdefault(identity_store.key_of(asked), asked)
                record.judge("" if other == asked else f"{other} and {asked} are one")


@attack("identity tokens")
def identity_tokens(field: Field, record: Attack) -> None:
    """What auth signed about one credential at one address, put where another is looked up."""
    auth, features = field.make("auth"), field.make("features")
    with auth.app_context():
        published = {key.name: key.published() for key in keys.own_keys()}
    known = Published(published, fetched_at=time.monotonic())
    features.extensions["published_keys"]["auth"] = known
    ada = Identity(new_id(), "Ada", "ada@acme.test", "stamp", field.ours.tenant, "owner")
    slugs = (None, field.ours.tenant.slug, field.theirs.tenant.slug)
    asked = [Credential(kind, text, s) for kind in KINDS for text in ("one", "two") for s in slugs]
    for mine in asked:
        with auth.app_context():
            token = identity_token.issue(mine, ada, {}, time.time())
        with features.app_context():
            for other in asked:
                record.judge(taken(token, mine, other))


KINDS: tuple[Kind, ...] = ("session", "token")


def taken(token: str, mine: Credential, other: Credential) -> str:
    """What is wrong with how a token about one credential is taken for another."""
    try:
        identity_token.read(token, other)
    except keys.BadToken:
        return "a good token is refused" if other == mine else ""
    return "" if other == mine else f"{mine} is taken for {other}"


@attack("rows that others keep", layers=("all", "database"), postgres=True)
def rows_that_others_keep(field: Field, record: Attack) -> None:
    """The tables that a process keeps for all (jobs, outbox, audit, keys), in our transaction: of
    theirs nothing is read, written or taken."""
    for table in METADATA["shared"].sorted_tables:
        if "tenant_id" not in table.c:
            continue
        theirs = table.c.tenant_id == field.theirs.tenant.id
        with field.ours.serving(), db.writer(None).connect() as connection:
            found = connection.execute(select(table).where(theirs)).all()
            record.judge(f"read {table.name}" if found else "")
            for change in (
                table.update().where(theirs).values(tenant_id=field.ours.tenant.id),
                table.delete().where(theirs),
                table.insert().values({**field.rows[table.name], **fresh(table)}),
            ):
                try:
                    done = connection.execute(change)
                    connection.commit()
                    record.judge(f"{change} did {done.rowcount} rows" if done.rowcount else "")
                except Exception:
                    connection.rollback()
                    record.judge("")


def fresh(table: Any) -> dict[str, Any]:
    """Another primary key, so that nothing but the wall says no."""
    return {
        column.name: new_id() if column.type.python_type is UUID else new_id().hex
        for column in table.primary_key
        if column.name != "tenant_id"
    }
