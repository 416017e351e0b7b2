"""A process that has just started knows its neighbours' keys before anybody asks it."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app import migrate
from app.db import close_connections
from tests.conftest import build
from tests.services.wire.neighbour import Auth

pytestmark = pytest.mark.processes


class Publisher(BaseHTTPRequestHandler):
    """A neighbour that comes late: at first it can't tell its keys."""

    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200 if len(self.asked) > 2 else 503)
        self.end_headers()
        self.wfile.write(json.dumps({"keys": []}).encode())

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


def test_keys_are_fetched_at_the_start_and_a_late_neighbour_is_waited_for(
    tmp_path, auth_database_url
):
    whole = build(auth_database_url, tmp_path)
    migrate.upgrade(whole)
    close_connections(whole)
    late = ThreadingHTTPServer(("127.0.0.1", 0), Publisher)
    threading.Thread(target=late.serve_forever, args=(0.05,), daemon=True).start()

    server = Auth(tmp_path, auth_database_url, f"http://127.0.0.1:{late.server_port}")
    try:
        deadline = time.monotonic() + 60
        while len(Publisher.asked) < 3:
            assert time.monotonic() < deadline, server.said
            time.sleep(0.1)
    finally:
        server.stop()
        late.shutdown()
        late.server_close()

    assert set(Publisher.asked) == {"/.well-known/jwks.json"}
