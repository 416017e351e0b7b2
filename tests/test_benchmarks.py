"""The benchmark's own tools; what it measures is never a test."""

import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.world import REPOSITORY

sys.path.append(str(REPOSITORY / "benchmarks"))

import load
import report


class Answers(BaseHTTPRequestHandler):
    """Answers well, or badly under /bad; the connection stays open."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.headers.get("Cookie", "").encode() * 20_000
        self.send_response(500 if self.path == "/bad" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_our_own_client_counts_answers_of_any_size(address):
    done = load.drive("own", address, {"Cookie": "a=b"}, seconds=0.5, connections=2)

    assert done.requests > 2  # More than one on a connection.
    assert done.rate > 0


@pytest.mark.parametrize("path", ["/bad", ":1/nobody-listens"])
def test_bad_answers_are_no_measurement(address, path):
    url = f"{address}/bad" if path == "/bad" else f"http://127.0.0.1{path}"

    with pytest.raises(load.BadAnswers, match="were bad under load"):
        load.drive("own", url, {}, seconds=0.2, connections=1)


def test_a_ratio_is_taken_within_its_round():
    figures = report.Figures("list", start_seconds=1.0)
    for slowed_by in (1, 4, 2):  # The machine was busy in two of three rounds.
        hello = 1000 / slowed_by, 0.001
        figures.add((250 / slowed_by, 0.004), (hello, hello))

    assert figures.summary()["ratio to bare Flask"] == 0.25
    assert figures.summary()["CPU ratio to bare Flask"] == 0.25
