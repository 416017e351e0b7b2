"""Jobs: work for later, in the tenant that asked for it.

A job is a row, written in the caller's transaction, so it exists exactly if the business does. It
runs at least once: write it so that a second run does no harm.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import orjson
import structlog
from blinker import Signal
from flask import Flask, current_app, g
from sqlalchemy import CheckConstraint, CursorResult, Index, or_, select, update
from sqlalchemy.orm import Mapped, load_only, mapped_column

from app import places, queue
from app.actor import act_for, actor_id
from app.db import CreatedAt, Id, LongText, Moment, SharedModel, db, now
from app.errors import Unavailable
from app.tenancy import Tenant, serving, tenant_or_none

log = structlog.get_logger()

ATTEMPTS = 5
HEARTBEAT = timedelta(seconds=10)
# A worker that has been silent for this long is dead, and its job is taken up again.
STALE = timedelta(seconds=45)
# How long a job waits whose tenant can't be worked for right now.
WAIT_SECONDS = 60.0
AWAY_SECONDS = 10.0

Work = Callable[..., None]
# Sent with each job that ran: `outcome` is done, again or failed. For whoever counts.
ended = Signal()
KNOWN: dict[str, Work] = {}
PATIENT: dict[str, int] = {}


class Job(SharedModel):
    """One piece of work: what, for whom, how far."""

    __tablename__ = "shared_jobs"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'running', 'done', 'failed')", name="state"),
        Index(None, "tenant_id", "id"),
        Index(None, "state", "due_at"),
    )

    id: Mapped[Id]
    tenant_id: Mapped[UUID | None]
    tenant_slug: Mapped[str] = mapped_column(default="")
    tenant_name: Mapped[str] = mapped_column(default="")
    user_id: Mapped[UUID | None]
    name: Mapped[str]
    args: Mapped[LongText]
    state: Mapped[str] = mapped_column(default="queued")
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[LongText] = mapped_column(default="")
    created_at: Mapped[CreatedAt]
    due_at: Mapped[Moment] = mapped_column(default=now)
    heartbeat_at: Mapped[Moment | None]
    finished_at: Mapped[Moment | None]

    @property
    def tenant(self) -> Tenant | None:
        """The tenant that the job serves."""
        if self.tenant_id is None:
            return None
        return Tenant(self.tenant_id, self.tenant_slug, self.tenant_name)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in {"done", "failed"}


WHOSE = Job.id, Job.tenant_id, Job.tenant_slug, Job.tenant_name


def job(work: Work) -> Work:
    """Make a function something that `later` can run. The worker commits what it writes."""
    KNOWN[name_of(work)] = work
    return work


def patient(attempts: int) -> Callable[[Work], Work]:
    """Put under `@job` to try more often: pauses double up to an hour, so 30 times is a day."""

    def be_patient(work: Work) -> Work:
        PATIENT[name_of(work)] = attempts
        return work

    return be_patient


def attempts_of(job: Job) -> int:
    return PATIENT.get(job.name, ATTEMPTS)


def name_of(work: Work) -> str:
    return f"{work.__module__}.{work.__qualname__}"


def later(work: Work, *args: Any) -> Job:
    """Run `work(*args)` after the caller's commit, in the tenant that asked.

    Arguments are JSON (UUIDs too): pass ids, not rows. Answers the row that shows the progress.
    """
    if name_of(work) not in KNOWN:
        raise TypeError(f"{name_of(work)} isn't a job: put @job above it.")
    tenant = tenant_or_none()
    row = Job(
        name=name_of(work),
        args=orjson.dumps(args).decode(),
        tenant_id=tenant.id if tenant else None,
        tenant_slug=tenant.slug if tenant else "",
        tenant_name=tenant.name if tenant else "",
        user_id=actor_id(),
    )
    db.session.add(row)
    queue.after_commit("run_job", str(row.id), *places.here())
    return row


def find(job_id: UUID) -> Job | None:
    """One of the current tenant's jobs, or None."""
    tenant = tenant_or_none()
    mine = select(Job).where(Job.id == job_id, Job.tenant_id == (tenant.id if tenant else None))
    return db.session.scalars(mine).one_or_none()


def progress(done: int, total: int) -> None:
    """Commit what the job has done so far and say how far that is; everybody sees it at once.

    A job that is run again after a crash finds what it committed.
    """
    db.session.commit()
    write(g.job_id, done=done, total=total, heartbeat_at=now())


def init_app(app: Flask) -> None:
    """A later stage may let a tenant's jobs wait: it says so in `may_work`."""
    app.extensions["may_work"] = lambda _tenant: True
    queue.add_task(app, "run_job", run)
    queue.add_sweep(app, ask_for_forgotten_jobs)


def run(job_id: str, *place: str) -> None:
    """Run one job, if nobody else does."""
    with places.at(*place):
        try:
            claimed = claim(UUID(job_id))
        except Unavailable as error:
            log.warning("job not taken up", job_id=job_id, reason=str(error))
            raise queue.try_again(AWAY_SECONDS) from error
        if claimed is not None:
            run_claimed(claimed)


def run_claimed(claimed: Job) -> None:
    if claimed.tenant and not current_app.extensions["may_work"](claimed.tenant):
        wait(claimed)
        return
    if claimed.attempts > attempts_of(claimed):
        give_up(claimed, "Every worker that took this job up died over it.")
        return
    with serving(claimed.tenant):
        g.job_id = claimed.id
        act_for(claimed.user_id)
        structlog.contextvars.bind_contextvars(job=claimed.name, job_id=str(claimed.id))
        try:
            with beating(claimed):
                KNOWN[claimed.name](*orjson.loads(claimed.args))
            db.session.commit()
        except Exception as error:
            db.session.rollback()
            fail(claimed, error)
        else:
            # The arguments may hold a link that signs someone in; they are of no use any more.
            write(claimed.id, state="done", finished_at=now(), args="[]")
            ended.send(claimed, outcome="done")
        finally:
            structlog.contextvars.unbind_contextvars("job", "job_id")


def claim(job_id: UUID) -> Job | None:
    """Take a job that is due, or whose worker has died. Only one of several workers gets it."""
    moment = now()
    free = or_(
        (Job.state == "queued") & (Job.due_at <= moment),
        (Job.state == "running") & (Job.heartbeat_at < moment - STALE),
    )
    taken = db.session.execute(
        update(Job)
        .where(Job.id == job_id, free)
        .values(state="running", heartbeat_at=moment, attempts=Job.attempts + 1)
    )
    db.session.commit()
    return look_at(job_id) if cast("CursorResult[Any]", taken).rowcount else None


def look_at(job_id: UUID) -> Job | None:
    """A job as it is now, apart from the session: no transaction waits while it runs."""
    row = db.session.get(Job, job_id)
    if row is not None:
        db.session.expunge(row)
    db.session.rollback()
    return row


def fail(job: Job, error: Exception) -> None:
    """Try again after a while, longer each time; after the last try, say so."""
    log.warning("job failed", attempt=job.attempts, error=repr(error), exc_info=error)
    if job.attempts >= attempts_of(job):
        give_up(job, str(error))
        return
    seconds = queue.pause_after(job.attempts)
    due = now() + timedelta(seconds=seconds)
    write(job.id, state="queued", error=str(error), due_at=due)
    ended.send(job, outcome="again")
    raise queue.try_again(seconds) from error


def wait(job: Job) -> None:
    """Put a job back that may not run now; that was no try. The sweep asks for it again."""
    due = now() + timedelta(seconds=WAIT_SECONDS)
    write(job.id, state="queued", attempts=job.attempts - 1, due_at=due)


def give_up(job: Job, error: str) -> None:
    write(job.id, state="failed", error=error, finished_at=now())
    ended.send(job, outcome="failed")


def ask_for_forgotten_jobs() -> None:
    """Find jobs whose message was lost or whose worker died."""
    moment = now()
    forgotten = or_(
        (Job.state == "queued") & (Job.due_at < moment - HEARTBEAT),
        (Job.state == "running") & (Job.heartbeat_at < moment - STALE),
    )
    # The longest forgotten come first: some may have to wait for long.
    found = select(Job).where(forgotten).order_by(Job.due_at).limit(1000)
    for row in db.session.scalars(found.options(load_only(*WHOSE))):
        queue.ask("run_job", str(row.id), *places.of(row.tenant))


def write(job_id: UUID, **values: Any) -> None:
    """Change a job's row at once, apart from whatever transaction the job has open."""
    with db.writer(None).begin() as connection:
        connection.execute(update(Job).where(Job.id == job_id).values(**values))


@contextmanager
def beating(job: Job) -> Iterator[None]:
    """Say every few seconds that the job is alive, so that nobody else takes it up."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    over = threading.Event()

    def beat() -> None:
        with app.app_context():
            while not over.wait(HEARTBEAT.total_seconds()):
                try:
                    with serving(job.tenant):
                        write(job.id, heartbeat_at=now())
                except Exception as error:
                    log.warning("heartbeat missed", error=repr(error))

    thread = threading.Thread(target=beat, name=f"heartbeat-{job.id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
