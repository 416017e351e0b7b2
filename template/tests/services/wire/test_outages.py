"""When a neighbour is away, slow or talks nonsense: `Unavailable`, and soon."""

import time

import pytest
import time_machine

from app import auth
from app.errors import Unavailable
from app.stages.services import breaker, client, deadline, keys
from app.stages.services.breaker import Breaker


class Neighbour:
    """Answers what it's told to, and counts."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, bytes]] = []
        self.asked = 0
        self.slowness = 0.0
        self.time_left: list[int] = []

    def __call__(self, environ, start_response):
        self.asked += 1
        self.time_left.append(int(environ["HTTP_X_TIME_LEFT_MS"]))
        environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        time.sleep(self.slowness)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        start_response(answer[0], [("Content-Type", "application/json")])
        return [answer[1]]


GOOD = ("200 OK", b"null")


@pytest.fixture
def neighbour():
    return Neighbour()


@pytest.fixture
def features(service, answering, neighbour):
    return service("features", auth_url=answering(neighbour))


def find(app):
    with app.app_context():
        return auth.find_tenant("acme")


@pytest.mark.parametrize(
    ("answer", "times", "words"),
    [
        (("500 INTERNAL SERVER ERROR", b"oops"), 1, "it answered 500"),
        (("503 SERVICE UNAVAILABLE", b'{"detail": "Our database."}'), 3, "503: Our database."),
        (("401 UNAUTHORIZED", b'{"detail": "Too old."}'), 1, "it answered 401: Too old."),
        (("302 FOUND", b""), 1, "it answered 302"),
        (("200 OK", b"<html>"), 1, "answer not understood"),
        (("200 OK", b'{"id": 5}'), 1, "answer not understood"),
        (("200 OK", b""), 1, "answer not understood"),
    ],
)
def test_what_is_no_answer_is_unavailable(features, neighbour, capsys, answer, times, words):
    neighbour.answers = [answer]

    with pytest.raises(Unavailable):
        find(features)

    assert neighbour.asked == times
    assert words in capsys.readouterr().err


def test_a_short_trouble_is_not_noticed(features, neighbour):
    neighbour.answers = [("503 SERVICE UNAVAILABLE", b""), GOOD]

    assert find(features) is None
    assert neighbour.asked == 2


def test_a_slow_neighbour_is_not_waited_for(features, neighbour, monkeypatch):
    monkeypatch.setattr(client, "READ_SECONDS", 0.1)
    monkeypatch.setattr(deadline, "PATIENCE", 0.5)
    neighbour.answers, neighbour.slowness = [GOOD], 1.0
    begun = time.monotonic()

    with pytest.raises(Unavailable):
        find(features)

    assert time.monotonic() - begun < 0.9
    assert neighbour.asked == 3


def test_a_neighbour_that_is_stopped_is_left_alone(service, capsys):
    app = service("features")
    for _ in range(3):
        with pytest.raises(Unavailable):
            find(app)

    assert "neighbour left alone" in capsys.readouterr().err
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="The service auth doesn't answer"):
        find(app)
    assert time.monotonic() - begun < 0.05
    assert "left alone for a moment" in capsys.readouterr().err


def test_that_our_keys_have_expired_is_said_in_the_log_and_not_to_people(service, capsys):
    app = service("features", signing_keys=[f"{keys.new_key()}@2100-01-01"])

    with (
        time_machine.travel("2100-01-02"),
        pytest.raises(Unavailable, match=r"^The service auth doesn't answer right now\.$"),
    ):
        find(app)

    assert "Every key in SIGNING_KEYS has expired" in capsys.readouterr().err


def test_a_neighbour_that_is_back_is_asked_again(features, neighbour, capsys):
    neighbour.answers = [("500 INTERNAL SERVER ERROR", b"")]
    for _ in range(breaker.FAILURES + 3):
        with pytest.raises(Unavailable):
            find(features)
    assert neighbour.asked == breaker.FAILURES

    neighbour.answers = [GOOD]
    features.extensions["breakers"]["auth"].rests_until = 0

    assert find(features) is None
    assert "neighbour is back" in capsys.readouterr().err
    assert find(features) is None


def test_a_neighbour_that_refuses_a_question_is_back(features, neighbour):
    """One bad question after the rest doesn't keep the good ones waiting for another."""
    neighbour.answers = [("500 INTERNAL SERVER ERROR", b"")] * breaker.FAILURES + [
        ("422 UNPROCESSABLE ENTITY", b""),
        GOOD,
    ]
    for _ in range(breaker.FAILURES):
        with pytest.raises(Unavailable):
            find(features)
    features.extensions["breakers"]["auth"].rests_until = 0
    with pytest.raises(Unavailable):
        find(features)

    find(features)

    assert neighbour.asked == breaker.FAILURES + 2


def test_a_question_that_is_wrong_does_not_count_against_the_neighbour(features, neighbour):
    neighbour.answers = [("422 UNPROCESSABLE ENTITY", b"")]
    for _ in range(breaker.FAILURES + 1):
        with pytest.raises(Unavailable):
            find(features)

    assert neighbour.asked == breaker.FAILURES + 1


def test_after_a_rest_one_question_tries_it():
    of_auth = Breaker()
    for _ in range(breaker.FAILURES):
        of_auth.failed()
    assert not of_auth.may_ask()

    of_auth.rests_until = 0

    assert of_auth.may_ask()
    assert not of_auth.may_ask()  # The others wait for the first one's answer.


def test_what_was_asked_with_little_time_asks_with_what_is_left(features, neighbour):
    neighbour.answers = [GOOD]
    with features.test_request_context(headers={deadline.HEADER: "700"}):
        deadline.begin()
        auth.find_tenant("acme")

    assert 0 < neighbour.time_left[0] <= 700


def test_when_the_time_is_up_nobody_is_asked(features, neighbour):
    with features.test_request_context(headers={deadline.HEADER: "0"}):
        assert not deadline.begin()
        with pytest.raises(Unavailable):
            auth.find_tenant("acme")

    assert neighbour.asked == 0


def test_no_neighbour_can_make_us_wait_longer_than_we_would(features):
    with features.test_request_context(headers={deadline.HEADER: "3600000"}):
        deadline.begin()

        assert deadline.left() <= deadline.PATIENCE
