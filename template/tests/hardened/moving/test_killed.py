"""A mover that is killed at any point: nothing is lost, and the tenant has one home."""

import pytest

from app.stages.hardened.silos import create
from tests.hardened.moving.writers import NOTHING, Writer, wrong

pytestmark = [pytest.mark.postgres, pytest.mark.processes, pytest.mark.kills]

# In the order in which a move comes by; "activated" is the last one before which the pool serves.
POINTS = (
    "before check",
    "after prepare",
    "before publish",
    "after publish",
    "slot made",
    "subscribed",
    "after copy",
    "after arm",
    "compared",
    "fenced",
    "given up",
    "caught up",
    "verified",
    "carried",
    "before activation",
    "activated",
    "before turn",
    "unsubscribed",
    "after turn",
)


def test_killed_at_every_point_in_turn(system):
    place, move = system
    for tenant in (place.acme, *place.others):
        place.fill(tenant, 500)
    others = place.counted("pool", mine=False)
    writers = [Writer(place.app, place.acme, pause=0.05, patience=120).start() for _ in range(4)]

    for point in POINTS:
        code, said = move(slug="acme", goal="silo", die_at=point)
        assert code == -9, (point, said)
        assert len(place.homes()) <= 1, point
    code, said = move(slug="acme", goal="silo")
    assert code == 0, said
    for writer in writers:
        writer.stop()

    assert place.homes() == ["silo"]
    assert wrong(writers, place.names("silo")) == NOTHING
    assert place.counted("pool", mine=False) == others


def test_killed_on_the_way_back(system):
    place, move = system
    place.fill(place.acme, 300)
    writers = [Writer(place.app, place.acme, pause=0.05, patience=120).start() for _ in range(3)]
    code, said = move(slug="acme", goal="silo", die_at="placed")
    assert (code, place.homes()) == (-9, ["silo"]), said
    assert move(slug="acme", goal="silo")[0] == 0

    for point in ("before check", "compared", "fenced", "carried", "activated", "after turn"):
        code, said = move(slug="acme", do="go_back", die_at=point)
        assert code == -9, (point, said)
        assert len(place.homes()) <= 1, point
    code, said = move(slug="acme", do="go_back")
    assert code == 0, said
    assert place.homes() == ["pool"]
    assert move(slug="acme", do="finish")[0] == 0
    for writer in writers:
        writer.stop()

    assert wrong(writers, place.names("pool")) == NOTHING
    assert not create.exists(place.server, "features", place.acme.id)
    assert place.slots() == []


def test_two_operators_do_not_move_one_tenant(system):
    place, move = system
    place.fill(place.acme, 10)
    assert move(slug="acme", goal="silo", die_at="after copy")[0] == -9

    with place.side("auth").connect() as connection:
        connection.execute(
            "SELECT pg_advisory_lock(hashtextextended('move ' || id, 0)) FROM auth_moves"
        )
        code, said = move(slug="acme", goal="silo")

    assert (code, "Another process moves acme" in said) == (1, True), said
    assert move(slug="acme", do="go_back")[1].endswith("it's where it was.")
    assert move(slug="acme", do="abandon")[0] == 0
    assert place.homes() == ["pool"]
    assert not create.exists(place.server, "features", place.acme.id)
    assert place.slots() == []
