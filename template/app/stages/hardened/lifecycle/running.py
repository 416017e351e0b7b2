"""Running an operation: its named steps in their order, each noted when it's done.

A step does no harm when it runs again, since a process may be killed between its deed and its
note. A step whose deed is rows of auth leaves the commit to us: then deed and note are one
transaction.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
import structlog

from app import audit
from app.actor import act_for
from app.auth.models import Organisation, User
from app.db import db, now
from app.errors import Refused
from app.stages.hardened.lifecycle.ledger import Hold, find, held
from app.stages.hardened.lifecycle.models import Operation
from app.tenancy import Tenant, enter, serving

log = structlog.get_logger()

Say = Callable[[str], None]
SHOWN_EVERY = 0.5


def ignore(_text: str) -> None:
    """Say nothing."""


@dataclass(slots=True)
class Work:
    """An operation under way, as its steps see it."""

    hold: Hold
    kind: str
    tenant_id: UUID
    slug: str
    operator: str
    asked: dict[str, Any]
    evidence: dict[str, Any]
    say: Say
    shown: float = field(default=0.0)

    def tenant(self) -> Tenant:
        """The tenant; one that is gone has the name of its slug."""
        found = db.session.get(Organisation, self.tenant_id)
        return found.as_tenant() if found else Tenant(self.tenant_id, self.slug, self.slug)

    def progress(self, done: int, total: int, what: str) -> None:
        """Let everybody see how far it is; raises `Lost` if another process took it up."""
        if time.monotonic() - self.shown < SHOWN_EVERY and done < total:
            return
        self.shown = time.monotonic()
        self.hold.write(done=done, total=total)
        share = f" {100 * done // max(total, 1):3}%" if total else ""
        self.say(f"  {what}: {done:,} of {total:,}{share}")

    def keep(self, **found: Any) -> None:
        """Keep what was found, for later steps and for whoever asks."""
        self.evidence.update(found)


Deed = Callable[[Work], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an operation: its name in the ledger, what people read, and what it does."""

    name: str
    title: str
    run: Deed


STEPS: dict[str, tuple[Step, ...]] = {}


def kind(name: str, *steps: Step) -> None:
    """Say what an operation consists of."""
    STEPS[name] = steps


def go_on(operation_id: UUID, say: Say = ignore) -> Operation:
    """Do what is still to be done of an operation; answers its row. An error stops it: the next
    try goes on there."""
    with serving(None), held(operation_id) as hold:
        operation = find(str(operation_id))
        if not operation.is_open:
            return operation
        work = work_of(operation, hold, say)
        steps = STEPS[operation.kind]
        done = operation.steps_done
        hold.write(state="running", error="")
        for step in steps:
            if step.name not in done:
                run_step(work, step, done, last=step is steps[-1])
    return find(str(operation_id))


def work_of(operation: Operation, hold: Hold, say: Say) -> Work:
    work = Work(
        hold,
        operation.kind,
        operation.tenant_id,
        operation.slug,
        operation.operator,
        operation.wishes,
        operation.proof,
        say,
    )
    db.session.rollback()
    return work


def run_step(work: Work, step: Step, done: list[str], *, last: bool) -> None:
    """Run one step, in a session of its own that commits the deed with the note."""
    work.hold.write(doing=step.name, done=0, total=0)
    work.say(f"{step.title} ...")
    try:
        with serving(None):
            act_for(person_of(work.operator))
            step.run(work)
            done.append(step.name)
            end = {"state": "done", "open_key": None, "finished_at": now(), "doing": ""}
            work.hold.write_along(
                steps=orjson.dumps(done).decode(),
                evidence=orjson.dumps(work.evidence).decode(),
                **(end if last else {}),
            )
            db.session.commit()
    except BaseException as error:
        stop(work, step, error)
        raise


def stop(work: Work, step: Step, error: BaseException) -> None:
    text = str(error) if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
    log.warning("operation stopped", operation=str(work.hold.id), step=step.name, error=text)
    try:
        work.hold.write(state="stopped", error=text[:2000])
    except Exception as problem:
        log.warning("operation's error not noted", error=repr(problem))


def person_of(operator: str) -> UUID | None:
    """The account of an operator, where the name is an address."""
    if "@" not in operator:
        return None
    user = User.with_email(operator)
    return user.id if user else None


def note(work: Work, action: str, **details: Any) -> None:
    """Write a deed into the audit trail of the tenant that is served, with the operator's name."""
    audit.note(
        action, work.tenant_id, operator=work.operator, operation=str(work.hold.id), **details
    )


def note_in_tenant(work: Work, action: str, **details: Any) -> None:
    """Write a deed into the tenant's own trail; the step's commit makes it true."""
    enter(work.tenant())
    note(work, action, **details)
