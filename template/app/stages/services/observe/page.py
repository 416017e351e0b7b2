"""`/metrics`, for Prometheus: of the web processes at a route, of a worker at a port of its own.

The gateway lets nobody reach the route.
"""

from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIServer

from flask import Blueprint, Flask, Response, current_app
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    generate_latest,
    start_http_server,
)
from prometheus_client.multiprocess import MultiProcessCollector

from app import queue
from app.access import public
from app.stages.services.observe import processes
from app.stages.services.observe.scraped import Scraped

bp = Blueprint("metrics", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
    address = app.config["SETTINGS"].metrics_address
    if address and processes.folder() is None:  # gunicorn's workers answer at the route.
        queue.add_companion(app, Port(app, address))


@bp.get("/metrics")
@public
def metrics():
    """What Prometheus asks for."""
    return Response(generate_latest(registry_of(current_app)), content_type=CONTENT_TYPE_LATEST)


def registry_of(app: Any) -> CollectorRegistry:
    """All that is known: counted by this process or those beside it, and asked now."""
    registry = CollectorRegistry()
    if processes.folder():
        MultiProcessCollector(registry)
    else:
        registry.register(REGISTRY)
    registry.register(Scraped(app))
    return registry


class CannotListen(SystemExit):
    """The worker's address is somebody else's."""


class Port:
    """Where a worker answers Prometheus."""

    def __init__(self, app: Flask, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.app, self.host, self.port = app, host or "0.0.0.0", int(port)  # noqa: S104
        self.server: WSGIServer | None = None
        self.thread: Thread | None = None

    def start(self) -> None:
        """Answer from now on. Raises `CannotListen`."""
        registry = registry_of(self.app)
        try:
            self.server, self.thread = start_http_server(self.port, self.host, registry)
        except OSError as error:
            raise CannotListen(
                f"METRICS_ADDRESS: can't listen at {self.host}:{self.port}: {error.strerror}. "
                "Choose another port, or leave it empty."
            ) from None

    def stop(self) -> None:
        if self.server is not None and self.thread is not None:
            self.server.shutdown()
            self.server.server_close()
            self.thread.join()
            self.server = None
