"""Services as applications in this process, and neighbours that answer on a real port."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from app.stages.services.settings import SERVICES

Wsgi = Callable[..., Any]
NOWHERE = "http://127.0.0.1:1"  # Nothing listens there: a connection is refused at once.
URLS = {f"{name}_url": NOWHERE for name in SERVICES} | {"redis_url": "redis://127.0.0.1:1"}


@pytest.fixture
def service(app: Flask, make_app: Callable[..., Flask]) -> Callable[..., Flask]:
    """Makes the application as one service runs it, on the tests' database."""

    def make(serves: str, **config: object) -> Flask:
        return make_app(serves=serves, worker="separate", **URLS | config)

    return make


class KeepsConnections(WSGIRequestHandler):
    """As a real server does."""

    protocol_version = "HTTP/1.1"


@pytest.fixture
def answering() -> Iterator[Callable[[Wsgi], str]]:
    """Lets a WSGI application answer on a port of its own, and says where."""
    servers = []

    def serve(wsgi: Wsgi) -> str:
        server = make_server("127.0.0.1", 0, wsgi, threaded=True, request_handler=KeepsConnections)
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()
