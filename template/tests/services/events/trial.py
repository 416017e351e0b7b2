"""The trial: events flow from one service to another whose worker is killed again and again.

Real processes, real databases and a real Redis. Afterwards every event is counted: each one heard
once, and in the order of its tenant. The tests run a small one; the benchmark a big one.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from uuid import UUID

from flask import Flask
from sqlalchemy import func, select

from app import create_app, events, migrate
from app.audit import AuditRow
from app.db import close_connections, db
from app.events import OutboxRow
from app.stages.services.settings import SERVICES
from app.tenancy import Tenant, serving
from tests.databases import owner_of
from tests.services.events.worker import TRIAL

ROOT = Path(__file__).parents[3]
TENANTS = [Tenant(UUID(int=number), f"tenant-{number}", "Tenant") for number in range(1, 25)]
IN_ONE_COMMIT = 100


@dataclass(frozen=True, slots=True)
class Counted:
    """What became of the events."""

    published: int
    heard: int
    different: int
    out_of_order: int
    seconds: float
    delays: list[float]

    @property
    def lost(self) -> int:
        return self.published - self.different

    @property
    def twice(self) -> int:
        return self.heard - self.different

    @property
    def rate(self) -> float:
        """Events a second, from the first commit to the last one heard."""
        return self.heard / self.seconds

    def delay(self, share: float) -> float:
        """The delay in seconds that this share of the events stayed below."""
        return sorted(self.delays)[int(share * (len(self.delays) - 1))]


class Trial:
    """Two services on databases of their own: features tells, billing hears."""

    def __init__(self, folder: Path, redis_url: str, databases: dict[str, str]) -> None:
        self.folder = folder
        self.log = (folder / "workers.log").open("ab")
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.settings = {
            service: {
                "app_env": "development",
                "serves": service,
                "database_url": url,
                "migrations_database_url": owner_of(url),
                "redis_url": redis_url,
                **{f"{name}_url": "http://127.0.0.1:9" for name in SERVICES},
            }
            for service, url in databases.items()
        }
        self.apps: dict[str, Flask] = {}
        for service, given in self.settings.items():
            self.apps[service] = create_app(given | {"app_env": "testing"})
            migrate.upgrade(self.apps[service])

    def start(self, service: str) -> None:
        command = [sys.executable, "-m", "tests.services.events.worker", str(self.folder)]
        env = {name.upper(): value for name, value in self.settings[service].items()}
        self.running[service] = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | env, stdout=self.log, stderr=self.log
        )

    def kill(self, service: str) -> None:
        self.running[service].send_signal(signal.SIGKILL)
        self.running[service].wait()

    def stop(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()
        self.log.close()
        for app in self.apps.values():
            close_connections(app)

    # --- Telling and counting --------------------------------------------------------------------

    def publish(self, steps: range, phase: str) -> None:
        """Publish an event for each step, many in one commit, of all tenants in turn."""
        for number, first in enumerate(range(steps.start, steps.stop, IN_ONE_COMMIT)):
            some = range(first, min(first + IN_ONE_COMMIT, steps.stop))
            self.publish_at_once(some, phase, TENANTS[number % len(TENANTS)])

    def publish_at_once(self, steps: range, phase: str, tenant: Tenant) -> None:
        with self.apps["features"].app_context(), serving(tenant):
            for step in steps:
                events.publish(TRIAL, step=step, phase=phase)
            db.session.commit()

    def heard(self, phase: str) -> int:
        with self.apps["billing"].app_context():
            rows = select(func.count()).select_from(AuditRow).where(AuditRow.request_id == phase)
            return db.session.scalar(rows) or 0

    def wait_for(self, phase: str, count: int, patience: float) -> None:
        """Wait until so many were heard; give up when none came for so long."""
        before, since = -1, time.monotonic()
        while (heard := self.heard(phase)) < count:
            if heard != before:
                before, since = heard, time.monotonic()
            if time.monotonic() - since > patience:
                raise TimeoutError(
                    f"{heard} of {count} were heard, and no more for {patience} s:\n"
                    + (self.folder / "workers.log").read_text()[-4000:]
                )
            time.sleep(0.05)

    def count(self, phase: str, published: int, seconds: float) -> Counted:
        with self.apps["billing"].app_context():
            told = select(AuditRow.tenant_id, AuditRow.target, AuditRow.details)
            told = told.where(AuditRow.request_id == phase).order_by(AuditRow.id)
            rows = db.session.execute(told).all()
        steps: dict[UUID | None, list[int]] = {}
        for tenant_id, target, _ in rows:
            steps.setdefault(tenant_id, []).append(int(target))
        wrong = sum(a >= b for those in steps.values() for a, b in pairwise(those))
        different = len({target for _, target, _ in rows})
        delays = [float(details) for *_, details in rows]
        return Counted(published, len(rows), different, wrong, seconds, delays)

    def left_in_outbox(self) -> int:
        with self.apps["features"].app_context():
            waiting = select(func.count()).select_from(OutboxRow)
            return db.session.scalar(waiting.where(OutboxRow.state == "pending")) or 0

    # --- The trials ------------------------------------------------------------------------------

    def with_kills(self, steps: int, kills: int, *, patience: float = 60) -> Counted:
        """Publish while the hearing worker is killed; relay's too, every third time."""
        started = time.monotonic()
        part = steps // (kills + 1)
        for number in range(kills):
            self.publish(range(number * part, (number + 1) * part), "kills")
            self.wait_for("kills", part * number + part // 2, patience)
            self.kill("billing")
            self.start("billing")
            if number % 3 == 2:
                self.kill("features")
                self.start("features")
        self.publish(range(kills * part, steps), "kills")
        self.wait_for("kills", steps, patience)
        seconds = time.monotonic() - started
        time.sleep(1)  # One that came twice would come now.
        return self.count("kills", steps, seconds)

    def flood(self, steps: int, *, patience: float = 60) -> Counted:
        """Publish all at once, and see how fast they are heard."""
        started = time.monotonic()
        self.publish(range(steps), "flood")
        self.wait_for("flood", steps, patience)
        return self.count("flood", steps, time.monotonic() - started)

    def trickle(self, steps: int, pause: float, *, patience: float = 60) -> Counted:
        """Publish one at a time, and see how long each takes."""
        started = time.monotonic()
        for step in range(steps):
            self.publish_at_once(range(step, step + 1), "trickle", TENANTS[step % len(TENANTS)])
            time.sleep(pause)
        self.wait_for("trickle", steps, patience)
        return self.count("trickle", steps, time.monotonic() - started)


@contextmanager
def trial(folder: Path, redis_url: str, databases: dict[str, str]) -> Iterator[Trial]:
    """A trial whose workers run; none outlives it."""
    made = Trial(folder, redis_url, databases)
    try:
        for service in databases:
            made.start(service)
        made.publish(range(1), "warm")
        made.wait_for("warm", 1, 60)
        yield made
    finally:
        made.stop()
