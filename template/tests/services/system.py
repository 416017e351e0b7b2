"""The services in one process: each with a database of its own, on a real port, with one Valkey.

    system = System(folder, valkey_url)
    system["features"].asked    # the paths that were asked of it
    system["auth"].stop()       # and start() again

What a browser would see through the gateway, `sign_in(system["features"].app, seat)` sees.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from app import migrate
from app.db import METADATA, PACKAGES, close_connections, db
from app.dev.postgres import free_port
from app.limits import limiter
from app.stages.services.settings import SERVICES
from tests.conftest import build


class Quiet(WSGIRequestHandler):
    """Says nothing on the terminal."""

    def log(self, *_args: Any, **_kwargs: Any) -> None:
        pass


class Service:
    """One service: its application, and the server that its neighbours reach it at."""

    def __init__(self, app: Flask, port: int) -> None:
        self.app = app
        self.port = port
        self.asked: list[str] = []
        self.server: BaseWSGIServer | None = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.asked.append(environ["PATH_INFO"])
        return self.app(environ, start_response)

    def start(self) -> None:
        self.server = make_server(
            "127.0.0.1", self.port, self, threaded=True, request_handler=Quiet
        )
        threading.Thread(target=self.server.serve_forever, args=[0.02], daemon=True).start()

    def stop(self) -> None:
        """Answer no more."""
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def empty(self) -> None:
        """Forget every row, and which requests there were."""
        self.asked.clear()
        self.app.extensions["queue"].flush()
        with self.app.app_context():
            for package in self.app.extensions["serves"]:
                with db.engines[PACKAGES[package]].begin() as connection:
                    for table in reversed(METADATA[package].sorted_tables):
                        connection.execute(table.delete())


class System:
    """All of them, or those that a test needs."""

    def __init__(
        self, folder: Path, redis_url: str, services: tuple[str, ...] = SERVICES, **config: object
    ) -> None:
        self.folder, self.redis_url, self.config = folder, redis_url, config
        self.ports = {name: free_port() for name in SERVICES}
        self.services = {name: Service(self.make(name), self.ports[name]) for name in services}
        for service in self.services.values():
            migrate.upgrade(service.app)
            service.start()

    def __getitem__(self, name: str) -> Service:
        return self.services[name]

    def make(self, name: str, **config: object) -> Flask:
        """A process of a service; a second one shares the database with the first."""
        urls = {f"{one}_url": f"http://127.0.0.1:{port}" for one, port in self.ports.items()}
        given = {"serves": name, "worker": "separate", "redis_url": self.redis_url}
        given |= urls | self.config | config
        url = str(given.pop("database_url", f"sqlite:///{self.folder / name}.db"))
        return build(url, self.folder, **given)

    def stop(self) -> None:
        for service in self.services.values():
            service.stop()
            close_connections(service.app)


@contextmanager
def running(folder: Path, redis_url: str, **config: Any) -> Iterator[System]:
    """A system that is stopped at the end; the limiter, which all share, is as it was."""
    limits = dict(vars(limiter))
    system = System(folder, redis_url, **config)
    yield system
    system.stop()
    vars(limiter).update(limits)
