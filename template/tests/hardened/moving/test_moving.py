"""A tenant moves while people write: nothing is lost, nothing is wrong, others notice nothing."""

import copy
import sys

import psycopg
import pytest

from app.db import db
from app.events import OutboxRow
from app.jobs import Job
from app.stages.hardened.moving import ending
from app.stages.hardened.moving.errors import NotTheSame, StillBusy, Undecided
from app.stages.hardened.moving.ledger import Lost
from app.tenancy import serving
from tests.hardened.moving.world import wait_for
from tests.hardened.moving.writers import NOTHING, Writer, wrong

pytestmark = [pytest.mark.postgres, pytest.mark.processes]


def start(place, count=8):
    return [Writer(place.app, place.acme, slow=n == 0, pause=0.02).start() for n in range(count)]


def stop(writers):
    for writer in writers:
        writer.stop()


def test_a_tenant_at_rest_moves(place):
    for tenant in (place.acme, *place.others):
        place.fill(tenant, 3000)
    mine, others = place.counted("pool"), place.counted("pool", mine=False)

    place.mover().run()

    assert place.counted("silo") == mine
    assert place.counted("silo", mine=False)[0] == 0
    assert place.counted("pool", mine=False) == others
    assert place.placement("silo") == ("active", 1)
    assert place.placement("pool") == ("gone", 1)


def test_a_tenant_moves_while_it_works(place, capsys):
    for tenant in (place.acme, *place.others):
        place.fill(tenant, 3000)
    others = place.counted("pool", mine=False)
    writers = start(place)

    mover = place.mover()
    mover.run()
    stop(writers)

    with capsys.disabled():
        figures = mover.notes.evidence["switch"]
        longest = max(writer.longest for writer in writers)
        sys.stdout.write(f"\nread-only: {figures}, longest write {longest:.2f} s\n")
    assert wrong(writers, place.names("silo")) == NOTHING
    assert place.counted("pool", mine=False) == others
    assert sum(writer.count for writer in writers) > 100


def test_a_tenant_goes_back_while_it_works(place):
    for tenant in (place.acme, *place.others):
        place.fill(tenant, 1000)
    others = place.counted("pool", mine=False)
    place.mover().run()
    writers = start(place)
    wait_for(lambda: sum(writer.count for writer in writers) > 50)

    place.mover("silo", "pool", back=True).run()
    stop(writers)

    assert place.served == "pool"
    assert place.placement("pool") == ("active", 2)
    assert place.placement("silo") == ("gone", 2)
    assert wrong(writers, place.names("pool")) == NOTHING
    assert place.counted("pool", mine=False) == others
    assert place.slots() == []


def test_a_tenant_moves_there_and_back_and_there_again(place):
    place.fill(place.acme, 500)
    writers = start(place, 4)
    place.mover().run()
    back = place.mover("silo", "pool", back=True)
    back.run()
    ending.finish(back, lambda: empty_silo(place))

    place.mover().run()
    stop(writers)

    assert place.placement("silo") == ("active", 3)
    assert wrong(writers, place.names("silo")) == NOTHING


def test_from_a_silo_into_the_pool(place):
    """What a tenant that moved long ago does: its own rows go among everybody's."""
    for tenant in (place.acme, *place.others):
        place.fill(tenant, 1000)
    others = place.counted("pool", mine=False)
    there = place.mover()
    there.run()
    ending.finish(there, lambda: None)
    writers = start(place)

    place.mover("silo", "pool").run()
    stop(writers)

    assert place.placement("pool") == ("active", 2)
    assert wrong(writers, place.names("pool")) == NOTHING
    assert place.counted("pool", mine=False) == others


def test_finishing_deletes_what_nobody_serves_and_nothing_else(place):
    for tenant in (place.acme, *place.others):
        place.fill(tenant, 12_000)
    mine, others = place.counted("pool"), place.counted("pool", mine=False)
    mover = place.mover()
    mover.run()

    gone = ending.finish(mover, lambda: None)

    assert gone["purged"]["projects"] == 12_000
    assert place.counted("pool")[0] == 0
    assert place.counted("pool", mine=False) == others
    assert place.counted("silo") == mine
    assert place.slots() == []


def test_a_purge_that_would_reach_others_deletes_nothing(place):
    for tenant in (place.acme, *place.others):
        place.fill(tenant, 10)
    mover = place.mover()
    mover.run()
    with place.opened("pool") as connection:
        connection.execute(
            "CREATE FUNCTION too_far() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "DELETE FROM projects WHERE tenant_id <> old.tenant_id; RETURN NULL; END $$"
        )
        connection.execute(
            "CREATE TRIGGER reaches AFTER DELETE ON projects FOR EACH ROW "
            "WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION too_far()"
        )
    others = place.counted("pool", mine=False)

    with pytest.raises(NotTheSame, match="others' rows"):
        ending.finish(mover, lambda: None)

    assert place.counted("pool", mine=False) == others
    assert place.counted("pool")[0] == 10


def test_a_transaction_that_does_not_end_keeps_a_tenant_where_it_is(place):
    place.fill(place.acme, 100)
    writers = start(place, 3)
    mover = place.mover(patience=2.0)
    with psycopg.connect(place.side("pool").conninfo) as stuck:

        def hold(point):
            if point == "compared":
                stuck.execute("CALL hardened.enter(%s, 0)", (place.acme.id,))

        mover.reached = hold
        with pytest.raises(StillBusy, match="doesn't end"):
            mover.run()
    count = sum(writer.count for writer in writers)
    wait_for(lambda: sum(writer.count for writer in writers) > count + 20)

    mover.reached, mover.patience = (lambda _point: None), 60
    mover.run()
    stop(writers)

    assert place.placement("silo")[0] == "active"
    assert wrong(writers, place.names("silo")) == NOTHING


def test_rows_that_differ_keep_a_tenant_where_it_is(place):
    place.fill(place.acme, 100)

    def spoil(point):
        if point == "before switch":
            with place.opened("silo") as silo:
                silo.execute("DELETE FROM projects WHERE name = 'Project 7'")

    with pytest.raises(NotTheSame, match="1 rows differ, such as projects"):
        place.mover(reached=spoil).run()

    assert place.placement("pool") == ("active", 0)
    assert place.placement("silo") == ("gone", 1)
    assert place.served == "pool"


def test_jobs_and_events_are_carried_once(place):
    """What is open lies in one database only; what is over is there for whoever looks back."""
    with place.app.app_context(), serving(place.acme):
        for n in range(3):
            db.session.add(Job(name=f"job {n}", args="[]", state=("queued", "done", "running")[n]))
            db.session.add(OutboxRow(name=f"event {n}", facts="{}", state=STATES[n]))
        for row in db.session.new:
            row.tenant_id = place.acme.id
        db.session.commit()
    jobs, events = place.ids("pool", "shared_jobs"), place.ids("pool", "shared_outbox")
    late = {}

    def work_on(point):
        """A sweep knows no tenant, so the fence doesn't stop it."""
        if point == "caught up" and not late:
            with place.opened("pool") as connection:
                late["job"] = connection.execute(
                    "UPDATE shared_jobs SET attempts = 7, state = 'running' WHERE name = 'job 0' "
                    "RETURNING id"
                ).fetchone()[0]
                connection.execute(
                    "UPDATE shared_outbox SET state = 'delivered' WHERE name = 'event 2'"
                )

    place.mover(reached=work_on).run()

    assert place.ids("silo", "shared_jobs") == jobs
    assert place.ids("silo", "shared_outbox") == events
    assert place.ids("silo", "shared_jobs", "attempts = 7 AND state = 'running'") == {late["job"]}
    assert len(place.ids("silo", "shared_outbox", "state = 'delivered'")) == 2
    assert place.ids("pool", "shared_jobs", "state IN ('queued', 'running')") == set()
    assert place.ids("pool", "shared_outbox", "state = 'pending'") == set()

    with place.opened("silo") as connection:
        connection.execute("UPDATE shared_jobs SET state = 'done' WHERE name = 'job 0'")
    place.mover("silo", "pool", back=True).run()

    assert place.ids("pool", "shared_jobs") == jobs
    assert place.ids("pool", "shared_outbox") == events
    assert len(place.ids("pool", "shared_jobs", "state = 'done'")) == 2
    assert place.ids("silo", "shared_jobs", "state IN ('queued', 'running')") == set()


def empty_silo(place):
    with place.opened("silo") as connection:
        connection.execute("DELETE FROM projects; DELETE FROM hardened.placements")


STATES = ("pending", "delivered", "pending")


def test_a_mover_that_wakes_up_late_changes_nothing(place):
    """It slept before it would activate; meanwhile another one gave its attempt up and moved."""
    place.fill(place.acme, 50)
    sleeper = place.mover()

    def sleep(point):
        if point == "before activation":
            place.mover(notes=copy.deepcopy(sleeper.notes)).run()
            sleeper.notes.lost = True

    sleeper.reached = sleep
    with pytest.raises(Lost):
        sleeper.run()

    assert place.placement("silo") == ("active", 2)
    assert place.placement("pool") == ("gone", 2)


def test_what_serves_is_never_emptied(place):
    place.fill(place.acme, 50)
    with place.opened("silo") as connection:
        connection.execute(
            "INSERT INTO hardened.placements VALUES (%s, 3, 'active')", (place.acme.id,)
        )

    with pytest.raises(Undecided, match="says that it serves"):
        place.mover().run()

    assert place.counted("pool")[0] == 50
    assert place.placement("silo") == ("active", 3)
