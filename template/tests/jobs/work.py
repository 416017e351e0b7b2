"""Jobs that exist only for the tests, known to the tests and to the worker process they start."""

import time
from datetime import timedelta

from sqlalchemy import select

from app import audit, jobs
from app.audit import AuditRow
from app.db import db
from app.jobs import job
from app.tenancy import tenant_or_none

# How soon the tests take a silent worker for dead.
HEARTBEAT = timedelta(seconds=0.2)
STALE = timedelta(seconds=1.5)


@job
def say_where() -> None:
    """Note which tenant the job runs in."""
    tenant = tenant_or_none()
    audit.note("said", tenant.slug if tenant else "nowhere")
    db.session.commit()


@job
def say_how_many_transactions_wait() -> None:
    """Note how many connections of this process are in use before the job has asked for one."""
    in_use = db.engine.pool.checkedout()  # type: ignore[attr-defined]
    audit.note("said", str(in_use))


@job
def say_and_leave_it_to_the_worker() -> None:
    """Write, and let the worker commit."""
    audit.note("said", "left to the worker")


@job
def fail() -> None:
    """Write something, then fail: a half-done job must leave nothing."""
    audit.note("said", "half")
    raise ValueError("The printer is on fire.")


@job
def take_steps(total: int, pause: float) -> None:
    """Many steps, each done once even if the job is run again after a crash."""
    for step in range(total):
        if str(step) not in steps_taken():
            audit.note("step", step)
        jobs.progress(step + 1, total)
        time.sleep(pause)


def steps_taken() -> list[str]:
    return list(db.session.scalars(select(AuditRow.target).where(AuditRow.action == "step")))


def said() -> list[str]:
    return list(db.session.scalars(select(AuditRow.target).where(AuditRow.action == "said")))
