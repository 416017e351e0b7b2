"""A real Caddy with the generated configuration, and four tiny servers that say who they are."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import urllib3

from app.dev.postgres import free_port, somebody_listens
from app.stages.services import gateway
from app.stages.services.dev_system import caddy
from app.stages.services.settings import SERVICES


class Echo(BaseHTTPRequestHandler):
    """Answers who it is and what it was asked."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append(f"{self.command} {self.path}")
        said = {
            "service": self.server.name,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": len(body),
        }
        content = json.dumps(said).encode()
        self.send_response(self.server.status_of(self.path))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""


for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"):
    setattr(Echo, f"do_{method}", Echo.answer)


class Server(ThreadingHTTPServer):
    """One instance of a service."""

    daemon_threads = True

    def __init__(self, name: str, handler: type[BaseHTTPRequestHandler] = Echo) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.name = name
        self.asked: list[str] = []
        self.leaving = False
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def status_of(self, path: str) -> int:
        return 503 if self.leaving and path == "/healthz" else 200

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def handle_error(self, *_: Any) -> None:
        """Whoever asked has hung up, as a client that sent too much does."""

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class Gateway:
    """A running Caddy."""

    def __init__(self, folder: Path, configuration: str, **settings: str) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        file = folder / "Caddyfile"
        file.write_text(configuration)
        address = {"GATEWAY_ADDRESS": f":{self.port}", "GATEWAY_BIND": "127.0.0.1"}
        places = {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        self.log = folder / "caddy.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [caddy(), "run", "--adapter", "caddyfile", "--config", str(file)],
                env={**os.environ, **address, **places, **settings},
                stdout=log,
                stderr=log,
            )
        self.http = urllib3.PoolManager(retries=False, timeout=20)
        self.wait()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def wait(self) -> None:
        deadline = time.monotonic() + 20
        while not somebody_listens(self.port):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def ask(self, method: str, path: str, **options: Any) -> Any:
        return self.http.request(method, self.url + path, redirect=False, **options)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.http.clear()


@pytest.fixture(scope="session")
def configuration(migrated_app) -> str:
    return gateway.caddyfile(migrated_app)


@pytest.fixture(scope="module")
def services() -> Iterator[dict[str, Server]]:
    servers = {name: Server(name) for name in SERVICES}
    yield servers
    for server in servers.values():
        server.stop()


@pytest.fixture(scope="module")
def start_gateway(configuration, tmp_path_factory) -> Iterator[Callable[..., Gateway]]:
    started = []

    def start(**settings: str) -> Gateway:
        started.append(Gateway(tmp_path_factory.mktemp("gateway"), configuration, **settings))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture(scope="module")
def front(services, start_gateway) -> Gateway:
    """The gateway with one instance of each service behind it."""
    upstreams = {f"{name.upper()}_UPSTREAMS": s.address for name, s in services.items()}
    return start_gateway(**upstreams)
