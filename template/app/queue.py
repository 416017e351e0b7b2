"""The queue between "committed" and "done": Huey on a file, or on Redis when REDIS_URL is set.

What must happen is a row in the database, written with the business it follows from. The queue
only says "now", so a lost message costs a minute (the sweep finds the row), never the work.
"""

import logging.config
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import click
import orjson
import structlog
from flask import Flask, current_app
from huey import Huey, MemoryHuey, RedisHuey, SqliteHuey, crontab
from huey.consumer import Consumer
from huey.exceptions import RetryTask
from huey.registry import Message
from huey.serializer import SignedSerializer
from sqlalchemy import event

from app import doors, health, logs
from app.db import db
from app.tenancy.session import TenantSession

log = structlog.get_logger()
POLL_SECONDS = 0.5
GRACE_SECONDS = 8
LONGEST_PAUSE_SECONDS = 3600.0
Task = Callable[..., None]


class Messages(SignedSerializer):
    """Signed JSON in place of Huey's signed pickle, which runs whatever code it names.

    Whoever reaches the queue and has the key can ask for a task of ours, and for nothing else:
    neighbours share both.
    """

    def _serialize(self, message: Message) -> bytes:
        signed: bytes = self._sign(orjson.dumps(message._asdict()))
        return signed

    def _deserialize(self, data: bytes) -> Message:
        found = orjson.loads(self._unsign(data))
        for name in ("eta", "expires", "expires_resolved"):
            if isinstance(found[name], str):
                found[name] = datetime.fromisoformat(found[name])
        return Message(**found | {"args": tuple(found["args"])})


class Companion(Protocol):
    """What runs beside the jobs, in threads of its own."""

    def start(self) -> None:
        """Start, and answer at once."""

    def stop(self) -> None:
        """End what is under way, within the worker's grace."""


def init_app(app: Flask) -> None:
    """Make the queue and the tasks it knows; each runs in an application context of its own."""
    app.extensions["queue"] = queue = make_queue(app)
    app.extensions["tasks"] = {}
    app.extensions["sweeps"] = []
    app.extensions["companions"] = []
    queue.periodic_task(crontab(minute="*"), name="sweep")(lambda: sweep(app))
    app.cli.add_command(worker)


def make_queue(app: Flask) -> Huey:
    settings = app.config["SETTINGS"]
    options: dict[str, Any] = {
        "results": False,
        "serializer": Messages(secret=settings.secret_key),
    }
    name = f"{settings.service}-jobs"  # Neighbours share a Redis, but not their work.
    if settings.app_env == "testing":
        return MemoryHuey(name, **options)
    if settings.redis_url:
        return RedisHuey(name, url=settings.redis_url, **options)
    Path(app.instance_path).mkdir(parents=True, exist_ok=True)
    return SqliteHuey(name, filename=str(Path(app.instance_path) / "queue.db"), **options)


def add_task(app: Flask, name: str, work: Task) -> None:
    """Make `work` something that `after_commit` can ask for by name."""

    def run(*args: str) -> None:
        with app.app_context():
            work(*args)

    app.extensions["tasks"][name] = app.extensions["queue"].task(name=name, context=False)(run)


def add_sweep(app: Flask, find: Callable[[], None]) -> None:
    """`find` asks again, each minute and at start, for work whose message was lost."""
    app.extensions["sweeps"].append(find)


def add_companion(app: Flask, companion: Companion) -> None:
    """`companion` runs where the worker runs: a later stage has more for it to do."""
    app.extensions["companions"].append(companion)


def sweep(app: Flask) -> None:
    """Look for what was forgotten. While the database is away, the next sweep will find it."""
    for find in app.extensions["sweeps"]:
        if doors.owner_of(find.__module__) not in app.extensions["serves"]:
            continue  # Its tables are elsewhere, and so is whoever looks through them.
        with app.app_context():
            try:
                find()
            except Exception as error:
                # The next sweep must run all the same, and so must the process that starts.
                log.warning("sweep failed", error=repr(error))


def pause_after(attempts: int) -> float:
    """Seconds to wait after so many attempts: they double, up to an hour."""
    return min(2.0**attempts, LONGEST_PAUSE_SECONDS)


def try_again(seconds: float) -> RetryTask:
    """What a task raises to be run again later."""
    return RetryTask(delay=seconds)


def ask(name: str, *args: str) -> None:
    """Ask the worker for a task now. Nothing is lost if this fails: the sweep asks again."""
    try:
        current_app.extensions["tasks"][name](*args)
    except Exception as error:
        log.warning("queue away", task=name, error=repr(error))


def after_commit(name: str, *args: str) -> None:
    """Ask the worker for a task once the caller's transaction is committed."""
    db.session().info.setdefault("after_commit", []).append((name, args))


@event.listens_for(TenantSession, "after_commit")
def ask_for_what_was_committed(session: TenantSession) -> None:
    if session.in_nested_transaction():
        return  # A savepoint was released; the transaction may still be rolled back.
    for name, args in session.info.pop("after_commit", []):
        ask(name, *args)


@event.listens_for(TenantSession, "after_rollback")
def forget_what_was_rolled_back(session: TenantSession) -> None:
    if not session.in_nested_transaction():
        session.info.pop("after_commit", None)


class EmbeddedConsumer(Consumer):
    """A consumer in threads of the web process, which keeps its own signal handlers."""

    companions: list[Companion]

    def _set_signal_handlers(self) -> None:
        pass

    def start(self) -> None:
        super().start()
        for companion in self.companions:
            companion.start()

    def stop(self, graceful: bool = False) -> None:
        for companion in self.companions:
            companion.stop()
        super().stop(graceful)


def start_embedded(app: Flask) -> Consumer | None:
    """Start the worker inside this process, unless `WORKER=separate`."""
    if app.config["SETTINGS"].worker != "embedded":
        return None
    consumer = EmbeddedConsumer(
        app.extensions["queue"],
        workers=1,
        max_delay=POLL_SECONDS,
        shutdown_timeout=GRACE_SECONDS,
    )
    consumer.companions = app.extensions["companions"]
    sweep(app)
    consumer.start()
    return consumer


def run_pending(app: Flask) -> int:
    """Do all that is queued, here and now, and return how many tasks that was. For tests."""
    queue: Huey = app.extensions["queue"]
    count = 0
    while (task := queue.dequeue()) is not None:
        queue.execute(task)
        count += 1
    return count


@click.command("worker")
@click.option("--threads", default=2, show_default=True, help="Jobs that run at once.")
def worker(threads: int) -> None:
    """Run jobs and deliver events until stopped."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    settings = app.config["SETTINGS"]
    logging.config.dictConfig(logs.of_libraries(settings))
    health.refuse_to_start(app)
    log.info("worker started", threads=threads, queue="redis" if settings.redis_url else "file")
    sweep(app)
    consumer = Consumer(
        app.extensions["queue"],
        workers=threads,
        max_delay=POLL_SECONDS,
        # What containers are stopped with: a job that is nearly done may end.
        graceful_signal="TERM",
        shutdown_timeout=GRACE_SECONDS,
    )
    for companion in app.extensions["companions"]:
        companion.start()
    try:
        consumer.run()
    finally:
        for companion in app.extensions["companions"]:
            companion.stop()
