"""Asking a neighbour: signed, with a timeout, tried again when that may help, left alone if not."""

import random
import time
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from flask import Flask, current_app
from pydantic import ValidationError
from urllib3 import BaseHTTPResponse, Timeout
from urllib3.exceptions import HTTPError

from app.doors import Door
from app.errors import Unavailable
from app.stages.services import deadline, keys, proof, travel
from app.stages.services.breaker import Breaker
from app.stages.services.observe.questions import watched
from app.stages.services.pools import CONNECT_SECONDS, READ_SECONDS, pool_of

log = structlog.get_logger()

TRIES = 3
PAUSE = 0.05  # Seconds before the second try, up to; doubled before each further one.
PASSING = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}


class Failed(Exception):
    """One try didn't bring an answer. The text says why; `again` whether another might."""

    def __init__(self, reason: str, *, again: bool, away: bool, answered: bool = False) -> None:
        super().__init__(reason)
        self.answered = answered  # It refused the question, so it's there.
        self.again = again
        self.away = away  # It's the neighbour's failure, not that of the question.


def init_app(app: Flask) -> None:
    app.extensions["ask"] = ask
    app.extensions["breakers"] = {}


def ask(door: Door, arguments: dict[str, Any]) -> Any:
    """The answer to a door's question from the service that serves it. Raises `Unavailable`."""
    path = travel.path_of(door)
    body = exchange(door.package, path, travel.question(door, arguments))
    try:
        return travel.given_back(door, travel.answer_of(door).validate_json(body))
    except ValidationError as error:
        log.error("answer not understood", service=door.package, path=path, reason=short(error))
        raise Unavailable(f"{door.package} answered something else than {door.name}.") from None


def post(service: str, path: str, body: dict[str, Any]) -> Any:
    """What a neighbour answers to a question of another kind than a door's, as JSON.

    It may be asked more than once, so it must be a question. Raises `Unavailable`.
    """
    answer = exchange(service, path, orjson.dumps(body))
    try:
        return orjson.loads(answer)
    except orjson.JSONDecodeError:
        log.error("answer not understood", service=service, path=path, reason="not JSON")
        raise Unavailable(f"{service} answered what isn't JSON.") from None


@watched
def exchange(service: str, path: str, body: bytes) -> bytes:
    """Ask until there is an answer, or it makes no more sense to. Raises `Unavailable`."""
    ends_at = time.monotonic() + deadline.left()
    breaker = breaker_of(service)
    for number in range(TRIES):
        if not breaker.may_ask():
            raise failed(service, path, "it failed lately, and is left alone for a moment", number)
        try:
            answer = attempt(service, path, body, ends_at - time.monotonic())
        except Failed as failure:
            note(service, breaker, failure)
            pause = random.uniform(0, PAUSE * 2**number)  # noqa: S311  # Jitter is no secret.
            late = time.monotonic() + pause >= ends_at
            if not failure.again or late or number == TRIES - 1:
                raise failed(service, path, str(failure), number + 1) from failure
            time.sleep(pause)
        else:
            if breaker.succeeded():
                log.info("neighbour is back", service=service)
            return answer
    raise AssertionError("The last try either answers or raises.")


def attempt(service: str, path: str, body: bytes, seconds: float) -> bytes:
    """One try, with a token of its own: a token is good for one request only."""
    if seconds <= 0:
        raise Failed("the time for it is up", again=False, away=False)
    try:
        signed = proof.headers(service, "POST", path, body)
    except keys.NoKey as error:  # It's for whoever runs this, and so for the log alone.
        raise Failed(str(error), again=False, away=False) from error
    headers = {
        "Accept": "application/json",
        "Content-Type": "application/json",
        deadline.HEADER: str(int(seconds * 1000)),
        **signed,
    }
    timeout = Timeout(connect=min(CONNECT_SECONDS, seconds), read=min(READ_SECONDS, seconds))
    try:
        response = pool_of(service).urlopen(
            "POST", path, body=body, headers=headers, timeout=timeout, retries=False, redirect=False
        )
    except HTTPError as error:
        raise Failed(type(error).__name__, again=True, away=True) from error
    return good(response)


def good(response: BaseHTTPResponse) -> bytes:
    """The body of a good answer. Raises `Failed` for any other."""
    if response.status == HTTPStatus.OK:
        return response.data
    raise Failed(
        f"it answered {response.status}{reason_in(response)}",
        again=response.status in PASSING,
        away=response.status >= HTTPStatus.INTERNAL_SERVER_ERROR,
        answered=response.status < HTTPStatus.INTERNAL_SERVER_ERROR,
    )


def reason_in(response: BaseHTTPResponse) -> str:
    """What a problem document gives as the reason."""
    try:
        return f": {orjson.loads(response.data)['detail']}"
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""


def note(service: str, breaker: Breaker, failure: Failed) -> None:
    if failure.away and breaker.failed():
        log.warning("neighbour left alone", service=service, reason=str(failure))
    if failure.answered and breaker.succeeded():
        log.info("neighbour is back", service=service)


def failed(service: str, path: str, reason: str, tries: int) -> Unavailable:
    """Say it once in the log, and to the caller. The request's id is in the line by itself."""
    log.warning("question failed", service=service, path=path, reason=reason, tries=tries)
    return Unavailable(f"The service {service} doesn't answer right now.")


def breaker_of(service: str) -> Breaker:
    breakers: dict[str, Breaker] = current_app.extensions["breakers"]
    return breakers.setdefault(service, Breaker())


def short(error: ValidationError) -> str:
    """What doesn't fit, without the values: those may be people's."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in problems[:3])
