"""Jobs: there exactly if the business is, run in the tenant that asked, tried again, given up."""

from datetime import datetime, timedelta

import orjson
import pytest
import time_machine
from huey.serializer import SignedSerializer
from sqlalchemy import func, select, update

from app import jobs, queue
from app.actor import act_for
from app.audit import AuditRow
from app.db import db, now, reading
from app.jobs import ATTEMPTS, STALE, Job, later
from tests.jobs import work


def ask(company, what=work.say_where, *args):
    """Ask for a job as a view does, and answer its id."""
    with company.serving():
        job = later(what, *args)
        db.session.commit()
        return job.id


def row_of(company, job_id) -> Job:
    with company.serving():
        return jobs.find(job_id)


def what_was_said(company) -> list[str]:
    with company.app.app_context():
        return work.said()


def test_no_transaction_waits_while_a_job_runs(acme):
    ask(acme, work.say_how_many_transactions_wait)

    acme.work()

    assert what_was_said(acme) == ["0"]


def test_a_sweep_that_breaks_stops_no_other(acme, monkeypatch):
    swept = []
    broken = lambda: 1 / 0  # noqa: E731
    monkeypatch.setitem(acme.app.extensions, "sweeps", [broken, lambda: swept.append("the next")])

    queue.sweep(acme.app)

    assert swept == ["the next"]


def test_a_job_runs_after_the_commit_in_the_tenant_that_asked(acme, initech):
    ask(initech)
    ask(acme)

    acme.work()

    assert what_was_said(acme) == ["initech", "acme"]


def test_what_a_job_does_is_done_by_the_person_who_asked_for_it(acme):
    with acme.serving():
        act_for(acme.user_id)  # As a request of Ada's does by her session.
        later(work.say_where)
        db.session.commit()

    acme.work()

    with acme.serving():
        assert db.session.scalars(select(AuditRow.actor_id)).all() == [acme.user_id]


def test_a_job_that_nobody_committed_does_not_exist(acme):
    with acme.serving():
        later(work.say_where)
        db.session.rollback()

    assert acme.work() == 0
    with acme.serving():
        assert db.session.scalar(select(func.count(Job.id))) == 0


def test_a_job_outside_any_tenant_runs_outside_any_tenant(app, acme):
    with app.app_context():
        later(work.say_where)
        db.session.commit()

    acme.work()

    assert what_was_said(acme) == ["nowhere"]


def test_a_job_is_done_with_its_arguments_forgotten(acme):
    job_id = ask(acme, work.take_steps, 2, 0)

    acme.work()

    row = row_of(acme, job_id)
    assert (row.state, row.done, row.total, row.attempts) == ("done", 2, 2, 1)
    assert row.is_over
    assert row.args == "[]"


def test_what_a_job_wrote_is_committed_for_it(acme):
    ask(acme, work.say_and_leave_it_to_the_worker)

    acme.work()

    assert what_was_said(acme) == ["left to the worker"]


def test_a_function_that_is_no_job_is_refused_when_asked_for(acme):
    with acme.serving(), pytest.raises(TypeError, match="put @job above it"):
        later(print)


def test_another_tenant_does_not_find_the_job(acme, initech):
    job_id = ask(acme)

    assert row_of(initech, job_id) is None


def test_progress_is_visible_from_outside_while_the_job_runs(acme, monkeypatch):
    seen = []
    monkeypatch.setattr(work.time, "sleep", lambda _: seen.append(progress_from_outside()))

    ask(acme, work.take_steps, 3, 0)
    acme.work()

    assert seen == [("running", 1, 3), ("running", 2, 3), ("running", 3, 3)]


def progress_from_outside():
    with reading(None) as connection:
        return tuple(connection.execute(select(Job.state, Job.done, Job.total)).one())


def test_a_failing_job_is_tried_again_after_longer_and_longer_and_then_given_up(acme):
    job_id = ask(acme, work.fail)
    pauses = []

    with time_machine.travel(now(), tick=False) as clock:
        acme.work()
        while not (row := row_of(acme, job_id)).is_over:
            pauses.append((row.due_at - now()).total_seconds())
            clock.shift(pauses[-1] + 60)
            queue.sweep(acme.app)
            acme.work()

    assert pauses == [2, 4, 8, 16]
    assert (row.state, row.attempts, row.error) == ("failed", ATTEMPTS, "The printer is on fire.")
    assert what_was_said(acme) == []


def test_a_job_is_not_tried_again_before_its_pause_is_over(acme):
    job_id = ask(acme, work.fail)
    acme.work()

    with acme.app.app_context():
        jobs.run(str(job_id))

    assert row_of(acme, job_id).attempts == 1


def test_a_job_whose_message_was_lost_is_found_by_the_sweep(acme):
    job_id = ask(acme)
    acme.app.extensions["queue"].flush()
    assert acme.work() == 0

    with time_machine.travel(now() + timedelta(minutes=1)):
        queue.sweep(acme.app)
        acme.work()

    assert row_of(acme, job_id).state == "done"


def test_a_job_is_asked_for_even_when_the_queue_is_away(acme, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setitem(acme.app.extensions["tasks"], "run_job", queue_is_away)
        job_id = ask(acme)

    with time_machine.travel(now() + timedelta(minutes=1)):
        queue.sweep(acme.app)
        acme.work()

    assert row_of(acme, job_id).state == "done"


def queue_is_away(*_):
    raise ConnectionError("nobody listens")


def test_a_job_that_two_workers_hear_of_runs_once(acme):
    job_id = ask(acme)

    with acme.app.app_context():
        jobs.run(str(job_id))
        jobs.run(str(job_id))

    assert what_was_said(acme) == ["acme"]


def test_a_job_that_another_worker_is_busy_with_is_left_alone(acme):
    job_id = ask(acme)
    pretend(job_id, acme, state="running", heartbeat_at=now())

    acme.work()

    assert what_was_said(acme) == []


def test_a_job_whose_worker_died_is_taken_up_by_another(acme):
    job_id = ask(acme)
    acme.app.extensions["queue"].flush()
    pretend(job_id, acme, state="running", heartbeat_at=now() - 2 * STALE)

    queue.sweep(acme.app)
    acme.work()

    assert row_of(acme, job_id).state == "done"


def test_a_job_that_kills_every_worker_is_given_up(acme):
    job_id = ask(acme)
    acme.app.extensions["queue"].flush()
    died = {"state": "running", "heartbeat_at": now() - 2 * STALE, "attempts": ATTEMPTS}
    pretend(job_id, acme, **died)

    queue.sweep(acme.app)
    acme.work()

    row = row_of(acme, job_id)
    assert row.state == "failed"
    assert "worker" in row.error
    assert what_was_said(acme) == []


def pretend(job_id, company, **values):
    """Let the row say what a worker elsewhere would have written."""
    with company.serving():
        db.session.execute(update(Job).where(Job.id == job_id).values(**values))
        db.session.commit()


class Bomb:
    """What runs code of its own choice when it's unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return open, (self.file, "w")


def test_a_message_runs_no_code_but_a_task_of_ours(app, tmp_path):
    """Services share the key and the Redis, so one that was broken into must not reach the rest."""
    queue, file = app.extensions["queue"], tmp_path / "exploded"
    key = app.config["SETTINGS"].secret_key
    queue.storage.enqueue(SignedSerializer(secret=key).serialize(Bomb(str(file))))

    with pytest.raises(orjson.JSONDecodeError):
        queue.dequeue()

    assert not file.exists()


def test_a_message_for_later_arrives_as_it_was(app):
    made, at = app.extensions["queue"], datetime(2026, 1, 31, 12, 0, 0, 1)  # noqa: DTZ001  # Huey's own.
    task = made.task(name="a_task")(print).s("a", eta=at, retries=3, retry_delay=1.5, priority=2)

    arrived = made.deserialize_task(made.serialize_task(task))

    assert (arrived.id, arrived.args, arrived.kwargs) == (task.id, ("a",), {})
    assert (arrived.eta, arrived.retries, arrived.retry_delay) == (task.eta, 3, 1.5)
    assert arrived.priority == 2
