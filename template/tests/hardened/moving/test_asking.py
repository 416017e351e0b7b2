"""Moves that operators ask for on the API and on their page: auth's worker does them."""

import socket

import pytest

from app import queue
from app.db import db
from app.stages.hardened.catalog import api as catalog
from app.stages.hardened.catalog.places import Target
from app.stages.hardened.lifecycle import operators
from app.stages.hardened.lifecycle.placement import operations as placing
from app.stages.hardened.lifecycle.placement import wishes
from app.stages.hardened.moving import asking, ledger, moves
from app.stages.hardened.silos.names import database_of
from tests.world import sign_in, take_seat

pytestmark = [pytest.mark.postgres, pytest.mark.processes]
OLGA = "olga@product.test"
API = "/api/v1/me/operator"


class Operator:
    """Somebody with a token for the operators' API."""

    def __init__(self, place) -> None:
        self.place, self.app = place, place.admin
        seat = take_seat(self.app, place.acme, OLGA, "Olga", "member")
        self.browser = sign_in(self.app, seat).client
        self.client = self.app.test_client()
        with self.app.app_context():
            token = operators.token(OLGA, 600)
        self.headers = {"Authorization": f"Bearer {token}"}

    def ask(self, what: str, slug: str = "acme", **more):
        asked = {"what": what, **more}
        url = f"{API}/tenants/{slug}/moves"
        return self.client.post(url, json=asked, headers=self.headers)

    def latest(self) -> dict:
        answer = self.client.get(f"{API}/tenants/acme/moves", headers=self.headers)
        return answer.json["items"][0]

    def work(self) -> int:
        return queue.run_pending(self.app)


@pytest.fixture
def operator(system) -> Operator:
    return Operator(system[0])


def test_a_worker_moves_it_there_and_back_and_ends_it(operator):
    place = operator.place
    place.fill(place.acme, 50)

    begun = operator.ask("silo")
    assert (begun.status_code, begun.json["state"]) == (202, "moving")
    operator.work()

    assert operator.latest()["state"] == "soaking"
    assert operator.latest()["found"]["rows"] >= 50
    assert place.homes() == ["silo"]

    assert operator.ask("back").status_code == 202
    operator.work()
    assert (operator.latest()["state"], place.homes()) == ("returned", ["pool"])

    assert operator.ask("finish").status_code == 202
    operator.work()
    assert operator.latest()["state"] == "done"
    assert place.counted("pool")[0] == 50
    assert place.slots() == []


def test_to_ask_twice_is_one_move(operator):
    first, second = operator.ask("silo"), operator.ask("silo")

    operator.work()

    assert first.json["id"] == second.json["id"]
    with operator.app.app_context():
        assert len(ledger.recent()) == 1
    assert operator.latest()["state"] == "soaking"


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("pool", "are in the pool already"),
        ("back", "is being moved"),
        ("finish", "is being moved"),
    ],
)
def test_what_cannot_be_is_refused_at_once(operator, what, said):
    answer = operator.ask(what)

    assert answer.status_code == 409
    assert said in answer.json["detail"]
    assert operator.work() == 0


def test_what_is_no_way_and_who_is_nobody(operator):
    assert operator.ask("moon").status_code == 422
    assert operator.ask("silo", service="auth").status_code == 422
    assert operator.ask("silo", slug="nobody").status_code == 404
    unknown = operator.client.get(f"{API}/moves/{operator.place.acme.id}", headers=operator.headers)
    assert unknown.status_code == 404


def test_nobody_but_operators_moves_anything(operator):
    url, page = f"{API}/tenants/acme/moves", "/workspaces/operators/acme/moves"
    seat = take_seat(operator.app, operator.place.acme, "max@acme.test", "Max", "owner")
    max_ = sign_in(operator.app, seat).client

    assert operator.client.post(url, json={"what": "silo"}).status_code == 401
    assert max_.post(url, json={"what": "silo"}).status_code == 403
    assert max_.post(page, data={"service": "features", "what": "silo"}).status_code == 403
    assert operator.work() == 0


def test_what_stops_a_worker_is_said_and_it_can_be_given_up(operator, monkeypatch):
    def refuse(*_):
        raise moves.CannotMove("There is no server for silos.")

    monkeypatch.setattr(asking.moves.places, "make_silo", refuse)
    operator.ask("silo")
    operator.work()
    assert operator.latest()["error"] == "There is no server for silos."
    assert operator.place.homes() == ["pool"]

    operator.ask("abandon")
    operator.work()

    assert operator.latest()["state"] == "abandoned", operator.latest()


def test_a_move_that_somebody_is_at_isnt_given_up_from_outside(operator):
    """Else the worker would leave it to whoever is at it, and that goes on."""
    operator.ask("silo")
    with operator.app.app_context():
        move = ledger.recent()[0]
        with ledger.alone_at(move):
            answer = operator.ask("abandon")

    assert answer.status_code == 409
    assert "Another process moves acme" in answer.json["detail"]


def test_whoever_shall_have_a_server_of_their_own_gets_no_silo_on_everybodys(operator):
    acme = operator.place.acme
    with operator.app.app_context():
        wish = wishes.wish(acme.id, "server", services=("features",), region="eu-central-1")
        placing.place("acme", wish, OLGA)

    answer = operator.ask("silo")

    assert answer.status_code == 409
    assert "nobody entered yet what Terraform made" in answer.json["detail"]


def test_no_other_server_is_told_the_administrators_password(operator, elsewhere):
    """Somebody entered a listener of their own: it hears of nobody."""
    place = operator.place
    with operator.app.app_context():
        catalog.add_target(elsewhere.target)
        db.session.commit()
    operator.ask("silo")
    operator.work()
    assert "names 127.0.0.1" in operator.latest()["error"]

    shown = operator.app.test_cli_runner().invoke(args=["tenant", "moves"])
    operator.ask("abandon")
    operator.work()

    assert "a server doesn't answer" in shown.output
    assert operator.latest()["state"] == "abandoned"
    assert elsewhere.calls() == 0
    assert place.homes() == ["pool"]
    with operator.app.app_context():  # What somebody entered isn't taken out by giving up.
        assert catalog.target(elsewhere.target.name) == elsewhere.target


class Elsewhere:
    """A listener, and a target that names it."""

    def __init__(self, place) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        name = database_of("features", place.acme.id)
        port = self.listener.getsockname()[1]
        self.target = Target(
            name, "features", "silo", "127.0.0.1", port, name, name, f"{name}_owner", "derived:1"
        )

    def calls(self) -> int:
        self.listener.settimeout(0.5)
        try:
            self.listener.accept()
        except TimeoutError:
            return 0
        return 1


@pytest.fixture
def elsewhere(operator):
    made = Elsewhere(operator.place)
    yield made
    made.listener.close()


def test_the_page_has_a_button_for_what_can_be_done(operator):
    browser, page = operator.browser, "/workspaces/operators/acme"
    assert "Move to a silo" in browser.get(page).text

    answer = browser.post(f"{page}/moves", data={"service": "features", "what": "silo"})
    assert answer.status_code == 302
    assert "Give it up" in browser.get(page).text
    operator.work()

    shown = browser.get(page).text
    assert "Take it back" in shown
    assert "End the move" in shown
