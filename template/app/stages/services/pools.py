"""Connections to the neighbours: a pool for each, kept between requests."""

import os
from http import HTTPStatus
from typing import Any, cast

import orjson
from flask import current_app
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Retry, Timeout, connection_from_url
from urllib3.exceptions import HTTPError

from app.errors import Unavailable

CONNECT_SECONDS = 1.0
READ_SECONDS = 3.0
KEPT = 10  # Connections to a neighbour; more threads than that open one for the moment.


def pool_of(service: str) -> HTTPConnectionPool:
    """The pool of a neighbour: of this process alone, as a socket can't be shared after a fork."""
    pools = current_app.extensions.setdefault("pools", {})
    name = (os.getpid(), service)
    if name not in pools:
        url = current_app.config["SETTINGS"].url_of(service)
        if not url:
            raise Unavailable(f"{service} can't be asked: {service.upper()}_URL isn't set.")
        pools[name] = connection_from_url(url, maxsize=KEPT, retries=False)
    return cast(HTTPConnectionPool, pools[name])


def fetch(service: str, path: str, **how: Any) -> Any:
    """What a neighbour answers to a plain GET, read as JSON. Raises `Unavailable`."""
    timeout = Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    try:
        response = pool_of(service).request(
            "GET", path, timeout=timeout, retries=Retry(1, backoff_factor=0.05), **how
        )
        return body_of(service, response)
    except HTTPError as error:
        raise Unavailable(f"{service} doesn't answer ({type(error).__name__}).") from error


def body_of(service: str, response: BaseHTTPResponse) -> Any:
    """The JSON of a good answer. Raises `Unavailable` for any other."""
    if response.status != HTTPStatus.OK:
        raise Unavailable(f"{service} answered {response.status}.")
    try:
        return orjson.loads(response.data)
    except orjson.JSONDecodeError as error:
        raise Unavailable(f"{service} answered what isn't JSON.") from error
