"""What happens without a request: jobs, and events on their way."""

from typing import Any

from flask import Flask

from app.db import now
from app.events import Event
from app.jobs import Job, ended
from app.stages.services.observe import names


def init_app(_app: Flask) -> None:
    ended.connect(count_job)


def count_job(job: Job, outcome: str, **_: Any) -> None:
    """Note what became of a job."""
    ours = names.ours()
    names.JOBS.labels(*ours, outcome).inc()
    if job.heartbeat_at:  # When it was taken up.
        names.JOB_SECONDS.labels(*ours).observe((now() - job.heartbeat_at).total_seconds())


def shipped(count: int) -> None:
    """Note how many events went into the streams."""
    names.EVENTS_SHIPPED.labels(*names.ours()).inc(count)


def told(event: Event, outcome: str) -> None:
    """Note what became of telling an event to a listener: ok, again or dead."""
    ours = names.ours()
    names.EVENTS_HEARD.labels(*ours, outcome).inc()
    if outcome == "ok":
        names.EVENT_DELAY.labels(*ours).observe(max(0.0, (now() - event.at).total_seconds()))
