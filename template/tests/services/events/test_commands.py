"""`flask events`: what an operator sees and does; and the lag as a metric."""

from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from app import events
from app.db import db, now
from app.events import OutboxRow, on
from app.stages.services.events import streams
from tests.services.events.conftest import publish
from tests.services.events.turns import Worker, ship


@pytest.fixture
def features(make_service):
    return make_service("features")


@pytest.fixture
def billing(make_service):
    return make_service("billing")


def run(app, *arguments: str):
    return app.test_cli_runner().invoke(args=["events", *arguments])


class Door:
    """Refuses what it hears until it's mended."""

    def __init__(self) -> None:
        self.__qualname__ = "a door"
        self.heard: list[str] = []
        self.broken = True
        on("door opened")(self)

    def __call__(self, event) -> None:
        if self.broken:
            raise ValueError("No such door.")
        self.heard.append(event.name)


def let_it_die(app, monkeypatch) -> Worker:
    """Give up at the first attempt."""
    monkeypatch.setattr(events, "ATTEMPTS", 1)
    worker = Worker(app)
    worker.turn()
    return worker


@pytest.mark.parametrize("command", [[], ["list"], ["replay"], ["lag"]])
def test_every_command_says_what_it_does(features, command):
    result = run(features, *command, "--help")

    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_the_outbox_is_listed_by_name_and_workspace(features, acme_there, initech_there):
    publish(features, acme_there, "door opened")
    publish(features, initech_there, "window opened")

    everything = run(features, "list").output
    by_name = run(features, "list", "--name", "door opened").output
    by_tenant = run(features, "list", "--tenant", "initech").output

    assert ["door opened" in line for line in everything.splitlines()] == [True, False]
    assert "pending" in by_name
    assert "window" not in by_name
    assert "window opened  initech" in by_tenant
    assert "door" not in by_tenant


def test_dead_letters_are_listed_with_their_error(features, billing, acme_there, monkeypatch):
    Door()
    publish(features, acme_there, "door opened")
    ship(features)
    let_it_die(billing, monkeypatch)

    listed = run(features, "list", "--dead").output
    elsewhere = run(features, "list", "--dead", "--tenant", "initech").output

    assert "No such door." in listed
    assert "for tests.services.events.test_commands.a door, attempts: 1" in listed
    assert listed.endswith("1 dead.\n")
    assert elsewhere == "None is dead.\n"


def test_one_dead_letter_is_replayed_by_the_events_id(features, billing, acme_there, monkeypatch):
    door = Door()
    publish(features, acme_there, "door opened")
    ship(features)
    worker = let_it_die(billing, monkeypatch)
    with features.app_context():
        event_id = str(db.session.scalars(select(OutboxRow.id)).one())
    door.broken = False

    result = run(features, "replay", event_id)
    worker.turn()

    assert result.output == "1 will be delivered again.\n"
    assert door.heard == ["door opened"]
    assert run(features, "list", "--dead").output == "None is dead.\n"


def test_what_died_in_the_prototype_is_listed_and_replayed_too(features, acme_there):
    """Promote brings it in the outbox."""
    publish(features, acme_there, "door opened")
    with features.app_context():
        row = db.session.scalars(select(OutboxRow)).one()
        row.state, row.error = "dead", "No such door."
        db.session.commit()

    listed = run(features, "list", "--dead").output
    replayed = run(features, "replay", "--all-dead").output

    assert listed.endswith("door opened  acme\n    No such door.\n1 dead.\n")
    assert replayed == "1 will be delivered again.\n"
    assert ship(features) == 1


def test_what_was_published_since_a_moment_is_shipped_again(features, acme_there):
    with time_machine.travel(now() - timedelta(hours=3)):
        publish(features, acme_there, "door opened")
    publish(features, acme_there, "window opened")
    ship(features)

    result = run(features, "replay", "--since", "2h")

    assert result.output == "1 will be delivered again.\n"
    assert ship(features) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["replay"], "Say which: an ID, --all-dead, or --since WHEN."),
        (["replay", "--all-dead", "--since", "2h"], "Say which"),
        (["replay", "--since", "yesterday"], "'yesterday' is no moment. Say 2h"),
        (["replay", "x-1"], "There is no dead letter x-1, and it's no event's id either"),
        (["replay", "0190163d-8694-739b-aea5-966c26f8ad91"], "There is no event or dead letter"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_in_plain_words(features, arguments, words):
    result = run(features, *arguments)

    assert result.exit_code != 0
    assert words in result.output
    assert "Traceback" not in result.output


def test_a_redis_that_is_away_is_named(make_service):
    away = make_service("features", redis_url="redis://127.0.0.1:9/0")

    result = run(away, "lag")

    assert result.exit_code == 1
    assert "Redis doesn't answer (REDIS_URL)" in result.output


def test_lag_says_what_is_not_shipped_and_not_heard(features, billing, acme_there):
    streams.make_groups(features.extensions["events_redis"])
    publish(features, acme_there, "door opened")
    before = run(features, "lag").output
    ship(features)
    shipped = run(features, "lag").output
    Worker(billing).turn()
    heard = run(features, "lag").output

    assert "1 to ship" in before
    assert "0 to ship" in shipped
    assert "billing           1 unread    0 unfinished" in shipped
    assert "billing" not in heard
    assert "analytics" in heard


def test_lag_is_a_metric_of_each_service(features, billing, acme_there):
    partition = streams.partition_of(acme_there.id)
    streams.make_groups(features.extensions["events_redis"])
    publish(features, acme_there, "door opened")
    ship(features)
    publish(features, acme_there, "door opened")

    of_billing = billing.test_client().get("/metrics")
    of_features = features.test_client().get("/metrics").text

    assert of_billing.content_type.startswith("text/plain")
    assert f'events_lag{{group="billing",partition="{partition}"}} 1.0' in of_billing.text
    assert 'events_outbox_pending{service="billing"} 0.0' in of_billing.text
    assert 'events_outbox_pending{service="features"} 1.0' in of_features
    assert "events_dead 0.0" in of_features
    assert 'group="billing"' not in of_features


def test_in_one_process_the_commands_speak_of_the_outbox(make_app, acme):
    whole = make_app()
    with acme.serving():
        events.publish("door opened")
        db.session.commit()

    assert "door opened" in run(whole, "list").output
    assert run(whole, "lag").output.startswith("outbox            1 to ship")
    assert run(whole, "replay", "--all-dead").output == "0 will be delivered again.\n"
    assert whole.test_client().get("/metrics").status_code == 404
