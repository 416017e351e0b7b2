"""Events: told once they are true, to each listener once, again and again if one fails."""

from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select, text

from app import audit, events, queue
from app.actor import act_for
from app.audit import AuditRow
from app.db import db, now
from app.events import ATTEMPTS, KEPT, LISTENERS, InboxRow, OutboxRow, on, publish
from app.tenancy import current_tenant
from tests.jobs.work import said


@pytest.fixture(autouse=True)
def listeners(monkeypatch):
    """Listeners of the tests leave with the test."""
    monkeypatch.setattr(events, "LISTENERS", dict(LISTENERS))


class Listener:
    """Notes what it hears; fails as often as it's told to, after having written."""

    def __init__(self, failures: int = 0, name: str = "listener") -> None:
        self.failures = failures
        self.heard: list[str] = []
        self.__qualname__ = name
        on("door opened")(self)

    def __call__(self, event) -> None:
        self.heard.append(current_tenant().slug)
        audit.note("said", event.facts["door"])
        if len(self.heard) <= self.failures:
            raise ConnectionError("Not now.")


def open_door(company, door="front"):
    with company.serving():
        publish("door opened", door=door)
        db.session.commit()


def what_was_written(company) -> list[str]:
    with company.app.app_context():
        return said()


def the_event(company) -> OutboxRow:
    with company.serving():
        return db.session.scalars(select(OutboxRow)).one()


def let_time_pass(company, attempts: int) -> None:
    """Deliver as often as that, with the pauses between."""
    with time_machine.travel(now(), tick=False) as clock:
        for _ in range(attempts):
            queue.sweep(company.app)
            company.work()
            clock.shift(timedelta(hours=1, minutes=1))  # Longer than any pause.


def test_an_event_is_heard_after_the_commit_in_its_tenant(acme, initech):
    listener = Listener()

    with acme.serving():
        publish("door opened", door="front")
        acme.work()
        assert listener.heard == []
        db.session.commit()
    open_door(initech)
    acme.work()

    assert listener.heard == ["acme", "initech"]
    assert what_was_written(acme) == ["front", "front"]


def test_what_a_listener_does_is_done_by_the_person_of_the_event(acme):
    Listener()
    with acme.serving():
        act_for(acme.user_id)
        publish("door opened", door="front")
        db.session.commit()

    acme.work()

    with acme.serving():
        assert db.session.scalars(select(AuditRow.actor_id)).all() == [acme.user_id]


def test_an_event_that_was_rolled_back_is_never_heard(acme):
    listener = Listener()

    with acme.serving():
        publish("door opened", door="front")
        db.session.rollback()
        db.session.commit()
    let_time_pass(acme, 1)

    assert listener.heard == []


def test_an_event_in_a_savepoint_waits_for_the_whole_transaction(acme):
    listener = Listener()

    with acme.serving():
        with db.session.begin_nested():
            publish("door opened", door="front")
        db.session.rollback()
    let_time_pass(acme, 1)

    assert listener.heard == []


def test_a_listener_that_fails_once_is_told_again_and_counts_once(acme):
    listener = Listener(failures=1)
    open_door(acme)

    let_time_pass(acme, 3)

    assert len(listener.heard) == 2
    assert what_was_written(acme) == ["front"]
    assert the_event(acme).state == "delivered"


def test_two_workers_that_tell_at_once_count_once_and_without_alarm(acme):
    """The second worker comes in before the first one has written anything."""
    open_door(acme)
    event_id = str(the_event(acme).id)

    @on("door opened")
    def note(event) -> None:
        if not others:
            others.append("came")
            with acme.app.app_context():
                events.deliver(event_id)
        audit.note("said", event.facts["door"])

    others: list[str] = []
    acme.work()

    assert what_was_written(acme) == ["front"]
    event = the_event(acme)
    assert (event.state, event.attempts, event.error) == ("delivered", 0, "")


def test_a_listener_that_has_heard_is_not_told_again_because_another_failed(acme):
    good = Listener(name="good")
    bad = Listener(name="bad", failures=2)
    open_door(acme)

    let_time_pass(acme, 4)

    assert len(good.heard) == 1
    assert len(bad.heard) == 3
    assert what_was_written(acme) == ["front", "front"]


def test_a_listener_that_always_fails_does_not_keep_the_event_from_the_next(acme):
    Listener(name="bad", failures=1000)
    good = Listener(name="good")
    open_door(acme)

    acme.work()

    assert good.heard == ["acme"]


def test_an_event_that_is_delivered_again_is_not_heard_again(acme):
    listener = Listener()
    open_door(acme)
    acme.work()

    with acme.serving():
        row = db.session.scalars(select(OutboxRow)).one()
        row.state = "pending"
        db.session.commit()
        events.deliver(str(row.id))

    assert len(listener.heard) == 1


def test_an_event_that_nobody_can_take_is_set_aside_with_its_error(acme):
    listener = Listener(failures=1000)
    open_door(acme)

    let_time_pass(acme, ATTEMPTS + 3)

    event = the_event(acme)
    assert len(listener.heard) == ATTEMPTS
    assert (event.state, event.attempts) == ("dead", ATTEMPTS)
    assert "Not now." in event.error
    assert what_was_written(acme) == []


def test_an_event_outlives_an_outage_of_hours(acme):
    listener = Listener(failures=12)
    open_door(acme)

    let_time_pass(acme, 13)

    assert the_event(acme).state == "delivered"
    assert len(listener.heard) == 13


def test_an_event_whose_message_was_lost_is_found_by_the_sweep(acme):
    listener = Listener()
    open_door(acme)
    acme.app.extensions["queue"].flush()

    let_time_pass(acme, 2)

    assert listener.heard == ["acme"]


def test_an_event_without_listeners_is_done_with(acme):
    open_door(acme)
    acme.work()

    assert the_event(acme).state == "delivered"


def test_delivered_events_are_forgotten_after_a_month(acme):
    Listener()
    open_door(acme, "old")
    acme.work()
    open_door(acme, "waits")
    acme.app.extensions["queue"].flush()

    with time_machine.travel(now() + KEPT + timedelta(hours=1), tick=False) as clock:
        with acme.serving():
            events.forget_what_is_old()
            after_a_month = [row.state for row in db.session.scalars(select(OutboxRow))]
            heard = len(db.session.scalars(select(InboxRow)).all())
        clock.shift(timedelta(days=1))
        with acme.serving():
            events.forget_what_is_old()
            heard_later = len(db.session.scalars(select(InboxRow)).all())

    assert after_a_month == ["pending"]
    assert (heard, heard_later) == (1, 0)


def test_forgetting_takes_short_turns_and_then_rests_for_an_hour(acme, monkeypatch):
    monkeypatch.setattr(events, "AT_ONCE", 2)
    monkeypatch.setattr(events, "TURNS", 2)
    Listener()
    for number in range(5):
        open_door(acme, f"old {number}")
    acme.work()
    acme.app.extensions.pop("forgets_at", None)
    left = []

    with time_machine.travel(now() + KEPT + timedelta(hours=1), tick=False) as clock:
        for pause in (timedelta(0), timedelta(minutes=1), timedelta(minutes=59)):
            clock.shift(pause)
            with acme.serving():
                events.forget_now_and_then()
                left.append(len(db.session.scalars(select(OutboxRow)).all()))
        rests_until = acme.app.extensions.pop("forgets_at")
        assert rests_until == now() + timedelta(minutes=1)

    assert left == [1, 0, 0]


@pytest.mark.parametrize("statement", [events.delivered_before, events.heard_before])
def test_what_is_old_is_found_by_its_primary_key(acme, statement):
    with acme.app.app_context(), db.engine.connect() as connection:
        how = {"dialect": db.engine.dialect, "compile_kwargs": {"literal_binds": True}}
        asked = str(statement(now()).compile(**how))
        if db.engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL enable_seqscan = off"))  # For hardly any rows.
            found = connection.exec_driver_sql(f"EXPLAIN {asked}")
        else:
            found = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}")
        plan = "\n".join(str(row) for row in found)

    key = "event_id" if statement is events.heard_before else "id"
    assert f"({key}<?" in plan or f"Index Cond: ({key} <" in plan, plan
