"""Each silo has an outbox and jobs of its own: what is in them gets done as in the pool."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest
from redis import Redis
from sqlalchemy import func, select

from app import events
from app.db import db, new_id, now
from app.dev.postgres import free_port
from app.errors import Unavailable
from app.events import Event, InboxRow, OutboxRow
from app.jobs import Job, find, job, later, progress
from app.stages.hardened.catalog import api, visiting
from app.stages.services.events import streams
from app.tenancy import Tenant, current_tenant, serving
from tests.hardened.catalog.placed import API, World

pytestmark = [pytest.mark.postgres, pytest.mark.processes]
RAN: list[str] = []


@job
def count_to_two() -> None:
    progress(1, 2)
    progress(2, 2)
    RAN.append(current_tenant().slug)


@pytest.fixture
def visitor(world: World) -> Iterator[Callable[[], None]]:
    """Lets the worker's visitor of silos take one turn."""
    one = visiting.Visitor(world.features)
    one.start_connections()
    one.next_round = float("inf")

    def turn(*, whole_round: bool = False) -> None:
        with world.features.app_context():
            if whole_round:
                one.begin_round()
                one.pause, one.next_round = 0.0, float("inf")
            one.client.lpush(visiting.wake_key("features"), "1")
            one.turn()

    yield turn
    one.leases.release(one.lease)
    one.client.close()


def siloed(world: World) -> Tenant:
    tenant = world.company().tenant
    world.in_silo(tenant)
    return tenant


def ask_for_work(world: World, tenant: Tenant) -> str:
    with world.features.app_context(), serving(tenant):
        row = later(count_to_two)
        db.session.commit()
        return str(row.id)


def shipped(redis: Redis, tenant: Tenant) -> list[int]:
    """The numbers of this tenant's test events, in the order of their stream."""
    entries = redis.xrange(streams.stream_of(streams.partition_of(tenant.id)))
    found = [streams.unpacked(fields) for _, fields in entries]
    return [one.facts["number"] for one in found if one.name == "tests.counted"]


def publish(world: World, tenant: Tenant, *numbers: int) -> None:
    for number in numbers:
        with world.features.app_context(), serving(tenant):
            events.publish("tests.counted", number=number)
            db.session.commit()


def test_a_job_lives_runs_and_is_found_in_its_tenants_silo(world: World):
    RAN.clear()
    tenant = siloed(world)
    job_id = ask_for_work(world, tenant)

    world.work()

    assert [tenant.slug] == RAN
    with world.features.app_context(), serving(tenant):
        row = db.session.scalars(select(Job)).one()
        assert (str(row.id), row.state, row.done, row.total) == (job_id, "done", 2, 2)
        assert find(row.id) is not None
    assert world.count_in_pool("shared_jobs", tenant.id) == 0


def test_a_forgotten_job_is_found_by_the_slow_round(world: World, visitor):
    RAN.clear()
    tenant = siloed(world)
    ask_for_work(world, tenant)
    world.features.extensions["queue"].flush()
    with world.features.app_context(), serving(tenant):
        db.session.scalars(select(Job)).one().due_at = now() - timedelta(minutes=1)
        db.session.commit()

    visitor(whole_round=True)
    world.work()

    assert [tenant.slug] == RAN


def test_a_silo_that_called_is_shipped_from_in_order(world: World, visitor, redis: Redis):
    tenant = siloed(world)
    publish(world, tenant, *range(20))
    assert shipped(redis, tenant) == []

    visitor()

    assert shipped(redis, tenant) == list(range(20))
    assert redis.hlen(visiting.called_key("features")) == 0
    with world.features.app_context(), serving(tenant):
        states = select(OutboxRow.state, func.count()).group_by(OutboxRow.state)
        assert [tuple(row) for row in db.session.execute(states)] == [("delivered", 20)]


def test_who_calls_again_meanwhile_is_visited_again(world: World, visitor, redis, monkeypatch):
    tenant = siloed(world)
    publish(world, tenant, 1)
    ship = visiting.ship

    def ship_while_somebody_publishes(place: Tenant) -> int:
        done = ship(place)
        publish(world, tenant, 2)
        return done

    monkeypatch.setattr(visiting, "ship", ship_while_somebody_publishes)
    visitor()
    monkeypatch.undo()
    assert shipped(redis, tenant) == [1]

    visitor()

    assert shipped(redis, tenant) == [1, 2]


def test_a_call_that_was_lost_is_made_up_for_by_the_slow_round(world: World, visitor, redis):
    tenant = siloed(world)
    publish(world, tenant, 1, 2)
    redis.delete(visiting.called_key("features"))

    visitor()
    assert shipped(redis, tenant) == []
    visitor(whole_round=True)

    assert shipped(redis, tenant) == [1, 2]


def test_the_pool_isnt_bothered_and_pooled_tenants_dont_call(world: World, redis: Redis):
    tenant = world.company().tenant

    publish(world, tenant, 1)

    assert redis.hlen(visiting.called_key("features")) == 0
    assert redis.llen("events:wake:features") == 1


def test_what_a_listener_heard_is_noted_in_the_silo(world: World):
    tenant = siloed(world)
    heard = []

    def listen(event: Event) -> None:
        heard.append(event.facts["number"])

    event = Event(new_id(), "tests.counted", {"number": 1}, now(), None, tenant)
    with world.features.app_context():
        answers = [events.hand_over(event, listen) for _ in range(2)]
        in_pool = db.session.get(InboxRow, (event.id, events.name_of(listen)))

    assert (heard, answers, in_pool) == ([1], [None, None], None)
    with world.features.app_context(), serving(tenant):
        assert db.session.get(InboxRow, (event.id, events.name_of(listen))) is not None


@pytest.fixture
def away(world: World) -> Tenant:
    """A tenant whose silo is where nobody answers."""
    company = world.company()
    target = world.in_silo(company.tenant)
    with world.auth.app_context():
        api.add_target(replace(target, name=f"{target.name}-away", port=free_port()))
        api.set_placement(
            company.tenant, "features", f"{target.name}-away", expected_epoch=1, epoch=2
        )
        db.session.commit()
    return company.tenant


def test_a_silo_that_is_away_keeps_no_other(world: World, visitor, redis: Redis, away: Tenant):
    other = siloed(world)
    redis.hset(
        visiting.called_key("features"),
        orjson.dumps([str(away.id), away.slug, away.name]).decode(),
        1,
    )
    publish(world, other, 1)

    visitor()

    assert shipped(redis, other) == [1]
    assert redis.hlen(visiting.called_key("features")) == 1, "it's visited when it's back"


def test_events_for_who_is_away_wait_without_stopping_the_consumer(world: World, away: Tenant):
    event = Event(new_id(), "tests.counted", {"number": 1}, now(), None, away)

    with world.features.app_context():
        error = events.hand_over(event, lambda event: db.session.scalar(select(func.count(Job.id))))

    assert isinstance(error, Unavailable)


def test_api_still_answers_who_has_no_silo(world: World):
    """The server of silos may be whatever it is: who is in the pool doesn't need it."""
    assert world.company().get(API).status_code == 200
