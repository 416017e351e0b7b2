"""Events between services: in order, once, past one that fails, and past a Redis that was away."""

import sys
import time
from collections import Counter

import pytest
import time_machine
from sqlalchemy import func, select, update

from app import audit, events
from app.audit import AuditRow
from app.db import db, new_id, now
from app.events import OutboxRow, on
from app.stages.services.events import lag, letters, relay, streams
from app.tenancy import serving
from tests.services.events.conftest import publish
from tests.services.events.turns import Worker, ship, wait_until

HEAD = (
    '{"id": "00000000-0000-0000-0000-000000000001", "name": "door opened", '
    '"at": "2026-01-01T00:00:00+00:00", "actor": null, "tenant": null}'
)


class Listener:
    """Notes the doors it hears of; fails for some as often as it's told to."""

    def __init__(self, name: str = "listener", **failures: int) -> None:
        self.__qualname__ = name
        self.failures = Counter(failures)
        self.heard: list[str] = []
        on("door opened")(self)

    def __call__(self, event) -> None:
        door = event.facts["door"]
        if self.failures[door] > 0:
            self.failures[door] -= 1
            raise ConnectionError("Not now.")
        self.heard.append(door)


def open_doors(app, tenant, *doors: str) -> None:
    for door in doors:
        publish(app, tenant, "door opened", door=door)


def outbox(app) -> Counter:
    with app.app_context():
        return Counter(db.session.scalars(select(OutboxRow.state)))


def client_of(app):
    return app.extensions["events_redis"]


def waiting(app) -> int:
    return sum(one.events for one in lag.of_all(client_of(app)) if one.group == "billing")


def test_an_event_travels_from_one_service_to_another(make_service, acme_there):
    features, billing = make_service("features"), make_service("billing")
    heard = []

    @on("door opened")
    def listen(event) -> None:
        heard.append((event.facts, event.tenant, event.actor_id))

    open_doors(features, acme_there, "front")
    ship(features)
    Worker(billing).turn()

    assert heard == [({"door": "front"}, acme_there, None)]
    assert outbox(features) == {"delivered": 1}


def test_only_the_listeners_of_the_packages_served_here_are_told(make_service, acme_there):
    features, billing = make_service("features"), make_service("billing")
    listener = Listener()
    listener.package = "analytics"

    open_doors(features, acme_there, "front")
    ship(features)
    Worker(billing).turn()
    assert listener.heard == []
    Worker(make_service("analytics")).turn()

    assert listener.heard == ["front"]


def test_what_was_rolled_back_is_never_shipped(make_service, acme_there):
    features = make_service("features")

    with features.app_context(), serving(acme_there):
        events.publish("door opened", door="front")
        db.session.rollback()

    assert ship(features) == 0


def test_a_row_with_a_smaller_id_that_is_committed_later_is_not_lost(make_service, acme_there):
    features, billing = make_service("features"), make_service("billing")
    listener = Listener()
    early = new_id()
    open_doors(features, acme_there, "second")
    ship(features)

    with features.app_context():
        row = OutboxRow(id=early, name="door opened", facts='{"door": "first"}')
        db.session.add(row)
        db.session.commit()
    ship(features)
    Worker(billing).turn()

    assert sorted(listener.heard) == ["first", "second"]


def test_a_tenants_events_are_heard_in_their_order(make_service, acme_there, initech_there):
    features, billing = make_service("features"), make_service("billing")
    listener = Listener()
    doors = [str(number) for number in range(50)]

    for door in doors:
        open_doors(features, acme_there, door)
        open_doors(features, initech_there, f"i{door}")
    ship(features)
    Worker(billing).turn(3)

    assert [door for door in listener.heard if door[0] != "i"] == doors
    assert [door[1:] for door in listener.heard if door[0] == "i"] == doors


def test_an_event_that_was_shipped_twice_counts_once(make_service, acme_there):
    """As after a relay that died between Redis and its own commit."""
    features, billing = make_service("features"), make_service("billing")
    listener = Listener()
    open_doors(features, acme_there, "front", "back")
    ship(features)
    with features.app_context():
        db.session.execute(update(OutboxRow).values(state="pending"))
        db.session.commit()
    ship(features)

    Worker(billing).turn(2)

    assert client_of(features).xlen(streams.stream_of(streams.partition_of(acme_there.id))) == 4
    assert listener.heard == ["front", "back"]
    assert waiting(billing) == 0


def test_what_a_dead_worker_was_given_goes_to_the_next_one(make_service, acme_there):
    features, billing = make_service("features"), make_service("billing")
    listener = Listener()
    open_doors(features, acme_there, "front", "back")
    ship(features)
    first = Worker(billing)
    first.consumer.listeners["door opened"] = [dies]
    with pytest.raises(KeyboardInterrupt):
        first.turn()
    first.die()
    open_doors(features, acme_there, "side")
    ship(features)

    Worker(billing).turn()

    assert listener.heard == ["front", "back", "side"]
    assert waiting(billing) == 0


def dies(_event) -> None:
    raise KeyboardInterrupt


def test_an_event_that_kills_its_worker_each_time_is_given_up(make_service, acme_there):
    features, billing = make_service("features"), make_service("billing")
    listener = Listener()
    on("door opened")(dies)
    open_doors(features, acme_there, "front", "back")
    ship(features)

    for _ in range(8):
        worker = Worker(billing)
        mark_instead_of_dying(worker)
        with pytest.raises(KeyboardInterrupt):
            worker.turn()
        worker.die()
        if letters_of(billing):
            break
    found = letters_of(billing)

    assert [letter.event.facts["door"] for letter in found] == ["front"]
    assert "died 5 times" in found[0].error
    assert listener.heard[0] == "front"


def mark_instead_of_dying(worker: Worker) -> None:
    """A process that is killed doesn't take its mark back."""
    client = worker.consumer.client
    take_back = client.hdel
    client.hdel = lambda *marks: None if sys.exc_info()[0] else take_back(*marks)


def letters_of(app) -> list[letters.Letter]:
    return list(letters.every(client_of(app)))


def test_one_tenants_trouble_holds_up_nobody_else(make_service, acme_there, initech_there):
    features, billing = make_service("features"), make_service("billing")
    bad, good = Listener("bad", one=2), Listener("good")
    worker = Worker(billing)
    for number in ("one", "two"):
        open_doors(features, acme_there, number)
        open_doors(features, initech_there, f"i-{number}")
    ship(features)

    with time_machine.travel(now(), tick=False) as clock:
        worker.turn()
        after_a_turn = list(bad.heard)
        clock.shift(2.1)
        worker.turn()
        after_another = list(bad.heard)
        clock.shift(4.1)
        worker.turn()

    assert after_a_turn == after_another == ["i-one", "i-two"]
    assert bad.heard == ["i-one", "i-two", "one", "two"]
    assert good.heard == ["one", "i-one", "two", "i-two"]
    assert waiting(billing) == 0


def test_a_pause_outlives_the_worker(make_service, acme_there):
    features, billing = make_service("features"), make_service("billing")
    listener = Listener(front=1)
    open_doors(features, acme_there, "front", "back")
    ship(features)

    with time_machine.travel(now(), tick=False) as clock:
        first = Worker(billing)
        first.turn()
        first.die()
        second = Worker(billing)
        second.turn()
        before = list(listener.heard)
        clock.shift(2.1)
        second.turn()

    assert before == []
    assert listener.heard == ["front", "back"]


def test_an_event_that_nobody_can_take_is_set_aside_and_replayed(make_service, acme_there):
    features, billing = make_service("features"), make_service("billing")
    listener, other = Listener(front=1000), Listener("other")
    open_doors(features, acme_there, "front", "back")
    ship(features)
    worker = Worker(billing)

    with time_machine.travel(now(), tick=False) as clock:
        for _ in range(events.ATTEMPTS):
            worker.turn()
            clock.shift(3601)
    listener.failures.clear()
    [letter] = letters_of(billing)
    without = list(listener.heard)
    result = billing.test_cli_runner().invoke(args=["events", "replay", "--all-dead"])
    worker.turn()

    assert (letter.attempts, letter.group) == (events.ATTEMPTS, "billing")
    assert "Not now." in letter.error
    assert without == ["back"]
    assert result.output == "1 will be delivered again.\n"
    assert listener.heard == ["back", "front"]
    assert other.heard == ["front", "back"]
    assert letters_of(billing) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"event": "{", "facts": "{}"},
        {"facts": "{}"},
        {"event": '{"id": "x"}', "facts": "{}"},
        {"event": b"\xff\xfe", "facts": b"\x00"},
        {"event": HEAD.replace("door opened", "x"), "facts": "{}", "only": b"\xff"},
        {"event": HEAD.replace('"door opened"', "[]"), "facts": "{}"},
    ],
)
def test_a_poisoned_event_is_set_aside_at_once(make_service, acme_there, fields):
    features, billing = make_service("features"), make_service("billing")
    listener = Listener()
    stream = streams.stream_of(streams.partition_of(acme_there.id))
    streams.make_groups(client_of(billing))
    client_of(billing).xadd(stream, fields)
    open_doors(features, acme_there, "front")
    ship(features)

    Worker(billing).turn(2)

    [letter] = letters_of(billing)
    assert "can't be read" in letter.error
    assert {key.decode(): value for key, value in letter.fields.items()} == {
        key: value.encode() if isinstance(value, str) else value for key, value in fields.items()
    }
    assert listener.heard == ["front"]
    assert waiting(billing) == 0


def test_a_listener_that_wants_to_end_the_process_only_fails(make_service, acme_there):
    """Some of our own errors are exits, as for settings that are wrong: the worker goes on."""
    features, billing = make_service("features"), make_service("billing")
    heard = []

    @on("door opened")
    def leave(event):
        heard.append(event.facts["door"])
        if heard == ["front"]:
            raise SystemExit("The plans are not right.")

    leave.package = "billing"
    open_doors(features, acme_there, "front", "back")
    ship(features)
    worker = Worker(billing)
    worker.turn()

    with time_machine.travel(time.time() + 60, tick=True):
        worker.turn()

    assert heard == ["front", "front", "back"]
    assert waiting(billing) == 0


def test_a_listener_that_is_new_hears_earlier_events_by_a_replay(make_service, acme_there):
    """Workers of the release before didn't know it, so for them nobody was left to tell."""
    features, billing = make_service("features"), make_service("billing")
    old = Listener("old")
    open_doors(features, acme_there, "front")
    ship(features)
    before = Worker(billing)
    before.turn()
    before.die()
    new = Listener("new")

    result = features.test_cli_runner().invoke(args=["events", "replay", "--since", "1h"])
    ship(features)
    Worker(billing).turn()

    assert result.output == "1 will be delivered again.\n"
    assert (old.heard, new.heard) == (["front"], ["front"])


def test_a_database_that_is_away_costs_no_event_an_attempt(make_service, acme_there, monkeypatch):
    features, billing = make_service("features"), make_service("billing")
    listener = Listener()
    open_doors(features, acme_there, "front")
    ship(features)
    worker = Worker(billing)

    with monkeypatch.context() as patch:
        patch.setattr(events, "has_heard", database_away)
        with pytest.raises(OSError, match="away"):
            worker.turn()
    worker.consumer.begin_again()
    worker.turn()

    assert listener.heard == ["front"]
    assert client_of(billing).hgetall("events:tries:billing:0") == {}


def database_away(*_args: object) -> bool:
    raise OSError("the database is away")


def test_workers_share_the_partitions_and_take_over_at_once_from_one_that_leaves(make_service):
    billing = make_service("billing")
    first, second = Worker(billing), Worker(billing)
    first.turn()
    alone = len(first.consumer.held)

    for _ in range(3):
        for worker in (first, second):
            worker.consumer.balanced_at = 0
            worker.turn()
    shared = [len(worker.consumer.held) for worker in (first, second)]
    second.leave()
    first.consumer.client.zrem(first.consumer.alive_key, second.consumer.leases.token)
    first.consumer.balanced_at = 0
    first.turn()

    assert alone == 8
    assert shared == [4, 4]
    assert len(first.consumer.held) == 8


def test_a_worker_that_was_overtaken_is_given_nothing_more(make_service, acme_there):
    features, billing = make_service("features"), make_service("billing")
    listener = Listener()
    first = Worker(billing)
    first.turn()
    for name in first.consumer.leases.until:
        client_of(billing).set(name, "somebody else")
    open_doors(features, acme_there, "front")
    ship(features)

    first.turn()

    assert listener.heard == []


def test_nothing_is_trimmed_that_a_group_still_needs(make_service, acme_there):
    features, billing = make_service("features"), make_service("billing")
    stream = streams.stream_of(streams.partition_of(acme_there.id))
    client = client_of(features)
    streams.make_groups(client)
    open_doors(features, acme_there, *map(str, range(300)))
    ship(features)
    Worker(billing).turn(5)
    streams.trim(client)
    before = client.xlen(stream)

    for service in ("auth", "analytics", "features"):
        client.xreadgroup(service, streams.CONSUMER, {stream: ">"}, count=300)
        given = client.xpending_range(stream, service, "-", "+", 300)
        client.xack(stream, service, *[one["message_id"] for one in given])
    streams.trim(client)

    assert before == 300
    assert client.xlen(stream) < 300


def test_relay_and_consumer_run_by_themselves_and_are_woken_at_once(make_service, acme_there):
    features, billing = make_service("features"), make_service("billing")
    listener = Listener()
    features.extensions["companions"][0].start()
    billing.extensions["companions"][1].start()
    open_doors(features, acme_there, "warm")
    wait_until(lambda: listener.heard == ["warm"])
    time.sleep(0.1)

    started = time.monotonic()
    open_doors(features, acme_there, "front")
    wait_until(lambda: "front" in listener.heard)

    assert time.monotonic() - started < 0.5


def test_redis_that_comes_back_empty_loses_nothing_that_is_replayed(make_service, acme_there):
    features, billing = make_service("features"), make_service("billing")
    listener = Listener()
    shipper, consumer = features.extensions["companions"][0], billing.extensions["companions"][1]
    shipper.start()
    consumer.start()
    open_doors(features, acme_there, "before")
    wait_until(lambda: listener.heard == ["before"])
    consumer.stop()
    open_doors(features, acme_there, "lost")
    wait_until(lambda: outbox(features)["pending"] == 0)

    client_of(features).flushdb()
    billing.extensions["companions"][1] = consumer = type(consumer)(billing)
    consumer.start()
    result = features.test_cli_runner().invoke(args=["events", "replay", "--since", "1h"])
    wait_until(lambda: "lost" in listener.heard)
    open_doors(features, acme_there, "after")
    wait_until(lambda: "after" in listener.heard)

    assert result.output == "2 will be delivered again.\n"
    assert listener.heard == ["before", "lost", "after"]


def test_a_deed_of_another_service_is_in_the_trail_of_auth(make_service, acme_there):
    features, auth = make_service("features"), make_service("auth")
    with features.app_context(), serving(acme_there):
        audit.note("project.created", "roof", size=3)
        db.session.commit()
        [mine] = db.session.scalars(select(AuditRow))
    ship(features)

    Worker(auth).turn()
    Worker(features).turn()

    with auth.app_context(), serving(acme_there):
        [row] = audit.recent()
    assert (row.id, row.action, row.target) == (mine.id, "project.created", "roof")
    assert row.details == '{"size":3}'
    with features.app_context():
        assert db.session.scalar(select(func.count()).select_from(AuditRow)) == 1


def test_the_relay_takes_turns_with_no_second_one(make_service, acme_there):
    features = make_service("features")
    first, second = relay.Relay(features), relay.Relay(features)
    for one in (first, second):
        one.start_connections()

    assert first.leases.take(first.lease)
    assert not second.leases.take(second.lease)
    first.leases.stop()
    assert second.leases.take(second.lease)
    second.leases.stop()
