"""The worker as a process of its own: killed in the middle of a job, and stopped politely."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from app.db import close_connections, db
from app.jobs import Job, later
from tests.jobs import work

ROOT = Path(__file__).parents[2]
PATIENCE = 60


@pytest.fixture
def web(app, database_url, tmp_path, monkeypatch) -> Iterator[Flask]:
    """The application as a web process has it, with its queue in a file."""
    monkeypatch.setattr(Flask, "auto_find_instance_path", lambda _app: str(tmp_path))
    web = create_app({"app_env": "development", "database_url": database_url})
    yield web
    web.extensions["queue"].storage.close()
    close_connections(web)


@pytest.fixture
def start_worker(web, database_url, tmp_path) -> Iterator[Callable[[], subprocess.Popen]]:
    """Starts real worker processes; none outlives the test."""
    started = []
    log = (tmp_path / "worker.log").open("ab")

    def start() -> subprocess.Popen:
        command = [sys.executable, "-m", "tests.jobs.worker", str(tmp_path)]
        settings = os.environ | {"DATABASE_URL": database_url, "WORKER": "separate"}
        started.append(subprocess.Popen(command, cwd=ROOT, env=settings, stdout=log, stderr=log))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
    log.close()


def ask(web, *args):
    with web.app_context():
        job = later(work.take_steps, *args)
        db.session.commit()
        return job.id


def row_of(web, job_id) -> Job:
    with web.app_context():
        return db.session.get(Job, job_id)


def wait_until(web, job_id, is_so: Callable[[Job], bool]) -> Job:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if is_so(row := row_of(web, job_id)):
            return row
        time.sleep(0.05)
    pytest.fail(f"Waited {PATIENCE} seconds; the job is {row.state} at {row.done} of {row.total}.")


def test_a_job_survives_the_sudden_death_of_its_worker(web, start_worker):
    job_id = ask(web, 5, 0.2)
    first = start_worker()
    wait_until(web, job_id, lambda job: job.done >= 2)

    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    at_death = row_of(web, job_id)
    time.sleep(work.STALE.total_seconds())
    start_worker()
    after = wait_until(web, job_id, lambda job: job.is_over)

    assert at_death.state == "running"
    assert (after.state, after.attempts, after.done) == ("done", 2, 5)
    with web.app_context():
        assert Counter(work.steps_taken()) == Counter(map(str, range(5)))


def test_a_busy_worker_is_not_taken_for_dead(web, start_worker):
    """Two workers; the job takes longer than a dead worker is waited for."""
    job_id = ask(web, 1, 2 * work.STALE.total_seconds())
    start_worker()
    wait_until(web, job_id, lambda job: job.state == "running")
    time.sleep(1.5 * work.STALE.total_seconds())
    start_worker()

    after = wait_until(web, job_id, lambda job: job.is_over)

    assert (after.state, after.attempts) == ("done", 1)


def test_a_worker_that_is_stopped_finishes_its_job_first(web, start_worker):
    job_id = ask(web, 3, 0.2)
    worker = start_worker()
    wait_until(web, job_id, lambda job: job.state == "running")

    worker.terminate()

    assert worker.wait(PATIENCE) == 0
    assert row_of(web, job_id).state == "done"
