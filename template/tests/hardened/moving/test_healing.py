"""A mover that dies in its switch: auth's worker decides it, and nobody has to come."""

import copy
import time

import pytest
from sqlalchemy import make_url

from app.columns import now
from app.db import db
from app.jobs import Job
from app.stages.hardened.moving import healing
from app.stages.hardened.moving.errors import Undecided
from app.stages.hardened.moving.healing import Healer
from app.stages.hardened.moving.sides import Side
from app.tenancy import serving
from tests.databases import owner_of
from tests.hardened.moving.world import wait_for
from tests.hardened.moving.writers import NOTHING, Writer, wrong

pytestmark = [pytest.mark.postgres, pytest.mark.processes]
# Where a mover dies, and who serves afterwards.
POINTS = {
    "fenced": "pool",
    "carried": "pool",
    "before activation": "pool",
    "activated": "silo",
    "placed": "silo",
}


@pytest.fixture
def healer(system):
    """The worker's own, which looks every few seconds."""
    place, _ = system
    healer = Healer(place.admin)
    healer.start()
    yield healer
    healer.stop()


def test_wherever_a_mover_dies_the_workspace_is_served_again_by_itself(system, healer):
    place, move = system
    place.fill(place.acme, 200)
    writers = [Writer(place.app, place.acme, pause=0.05, patience=120).start() for _ in range(3)]
    fenced_for = {}

    for point in [one for one, home in POINTS.items() if home == "pool"]:
        code, said = move(slug="acme", goal="silo", die_at=point)
        assert code == -9, (point, said)
        died = time.monotonic()
        wait_for(lambda: place.homes() == ["pool"])
        fenced_for[point] = time.monotonic() - died
    code, said = move(slug="acme", goal="silo", die_at="activated")
    assert code == -9, said
    wait_for(lambda: place.look()[0] == "silo")
    wait_for(lambda: place.placement("pool")[0] == "gone")
    # Nobody came until here; now the operator does, and the way back is armed.
    code, said = move(slug="acme", goal="silo")
    assert code == 0, said
    for writer in writers:
        writer.stop()

    assert place.homes() == ["silo"]
    assert wrong(writers, place.names("silo")) == NOTHING
    assert max(fenced_for.values()) < 60, fenced_for


def test_the_operator_is_told_what_was_decided(system):
    place, move = system
    place.fill(place.acme, 10)
    assert move(slug="acme", goal="silo", die_at="fenced")[0] == -9

    assert heal(place) == 1
    assert heal(place) == 0

    with place.side("auth").connect() as connection:
        ((state, doing, error),) = connection.execute("SELECT state, doing, error FROM auth_moves")
    assert (state, doing) == ("moving", "switch")
    assert "is served where it was" in error
    assert "--abandon" in error
    assert move(slug="acme", do="abandon")[0] == 0


def heal(place) -> int:
    with place.admin.app_context():
        return healing.heal()


def test_a_mover_that_lives_is_left_alone_and_a_stuck_one_is_put_out(system):
    place, move = system
    place.fill(place.acme, 10)
    assert move(slug="acme", goal="silo", die_at="fenced")[0] == -9
    auth = Side("auth", make_url(owner_of(place.auth)))  # As a mover, which is no superuser.
    with auth.connect() as mover, auth.connect() as other:
        mover.execute("SELECT pg_advisory_lock(hashtextextended('move ' || id, 0)) FROM auth_moves")
        assert heal(place) == 0
        assert place.homes() == []

        long_ago = (now() - healing.STUCK).replace(year=2020).isoformat()
        other.execute(
            "UPDATE auth_moves SET evidence = jsonb_build_object('gives_up_at', %s::text)::text",
            (long_ago,),
        )
        wait_for(lambda: heal(place) == 1)

        assert place.homes() == ["pool"]
    assert move(slug="acme", do="abandon")[0] == 0


def test_a_stuck_mover_that_wakes_up_takes_no_jobs_out_of_what_serves(place):
    """It slept after the last look at the clock, and its attempt was given up meanwhile."""
    place.fill(place.acme, 20)
    with place.app.app_context(), serving(place.acme):
        db.session.add(Job(name="a job", args="[]", tenant_id=place.acme.id))
        db.session.commit()
    waiting = place.ids("pool", "shared_jobs")
    sleeper = place.mover()

    def sleep(point):
        if point == "verified":
            healed = place.mover(notes=copy.deepcopy(sleeper.notes))
            healed.settle()

    sleeper.reached = sleep
    with pytest.raises(Undecided, match="gave this attempt up"):
        sleeper.run()

    assert place.placement("pool") == ("active", 0)
    assert place.placement("silo")[0] == "gone"
    assert waiting
    assert place.ids("pool", "shared_jobs", "state = 'queued'") == waiting
