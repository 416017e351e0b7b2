"""What the gateway does to requests and answers on their way, and when a service is away."""

import http.client
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler

import pytest

from tests.services.gateway.conftest import Server

pytestmark = pytest.mark.processes


def headers_at(front, **given):
    return front.ask("GET", "/projects/", headers=given).json()["headers"]


def test_a_request_without_a_name_gets_one(front):
    first, second = (headers_at(front)["x-request-id"] for _ in range(2))

    assert first != second
    assert len(first) == 36


@pytest.mark.parametrize(("given", "kept"), [("from-outside-1", True), ("a b\tc" * 30, False)])
def test_a_sane_name_is_kept(front, given, kept):
    assert (headers_at(front, **{"X-Request-ID": given})["x-request-id"] == given) is kept


def test_what_a_client_says_of_itself_is_put_aside(front):
    seen = headers_at(
        front,
        **{
            "X-Forwarded-For": "203.0.113.7",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "evil.example",
            "X-Forwarded-Port": "1",
        },
    )

    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert seen["x-forwarded-proto"] == "http"
    assert seen["x-forwarded-host"] == f"127.0.0.1:{front.port}"
    assert "x-forwarded-port" not in seen


def test_a_proxy_in_front_that_is_trusted_is_believed(services, start_gateway):
    front = start_gateway(
        FEATURES_UPSTREAMS=services["features"].address, GATEWAY_TRUSTED="127.0.0.1/32"
    )

    seen = headers_at(
        front, **{"X-Forwarded-For": "198.51.100.9, 203.0.113.7", "X-Forwarded-Proto": "https"}
    )

    # One address, whatever came before: services count one proxy.
    assert seen["x-forwarded-for"] == "203.0.113.7"
    assert seen["x-forwarded-proto"] == "https"


def test_the_host_that_was_asked_for_arrives(front):
    seen = headers_at(front, Host="acme.example.com")

    assert (seen["host"], seen["x-forwarded-host"]) == ("acme.example.com",) * 2


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"])
def test_every_method_passes(front, method):
    assert front.ask(method, "/t/acme/api/v1/projects/").status == 200


def test_a_body_within_the_limit_passes_and_one_beyond_is_refused(front):
    assert front.ask("POST", "/projects/", body=b"x" * 5_000_000).json()["body"] == 5_000_000

    assert front.ask("POST", "/projects/", body=b"x" * 7_000_000).status == 413


class Dripping(BaseHTTPRequestHandler):
    """Sends a line, and the rest when it's told to."""

    protocol_version = "HTTP/1.1"
    go_on = threading.Event()

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.path == "/healthz":
            self.wfile.write(b"0\r\n\r\n")
            return
        self.wfile.write(b"6\r\nfirst\n\r\n")
        self.go_on.wait(20)
        self.wfile.write(b"5\r\nlast\n\r\n0\r\n\r\n")

    def log_message(self, *_):
        pass


def test_a_download_passes_as_it_comes(start_gateway):
    server = Server("features", Dripping)
    front = start_gateway(FEATURES_UPSTREAMS=server.address)

    answer = front.ask("GET", "/projects/all.csv", preload_content=False)

    assert answer.read1() == b"first\n"
    Dripping.go_on.set()
    assert answer.read() == b"last\n"
    server.stop()


class Breaking(BaseHTTPRequestHandler):
    """Takes a request and hangs up in the middle of its work."""

    seen: list[str] = []

    def hang_up(self):
        self.seen.append(self.command)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def do_GET(self):
        if self.path != "/healthz":
            self.hang_up()
            return
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = hang_up  # noqa: N815

    def log_message(self, *_):
        pass


def test_what_may_have_been_done_is_not_done_twice(start_gateway):
    Breaking.seen.clear()
    servers = [Server("features", Breaking) for _ in range(2)]
    addresses = " ".join(server.address for server in servers)
    front = start_gateway(FEATURES_UPSTREAMS=addresses, GATEWAY_PATIENCE="1s")
    Breaking.seen.clear()

    answer = front.ask("POST", "/projects/new")

    assert answer.status == 502
    assert Breaking.seen.count("POST") == 1
    for server in servers:
        server.stop()


def test_an_instance_that_is_gone_is_passed_over(start_gateway):
    here, gone = Server("here"), Server("gone")
    gone.stop()
    front = start_gateway(FEATURES_UPSTREAMS=f"{gone.address} {here.address}")

    answers = [front.ask(method, "/projects/") for method in ("GET", "POST") * 10]

    assert {(a.status, a.json()["service"]) for a in answers} == {(200, "here")}
    here.stop()


def test_an_instance_that_leaves_gets_nothing_new(start_gateway):
    staying, leaving = Server("staying"), Server("leaving")
    front = start_gateway(FEATURES_UPSTREAMS=f"{staying.address} {leaving.address}")
    served = {front.ask("POST", "/x").json()["service"] for _ in range(30)}
    assert served == {"staying", "leaving"}

    leaving.leaving = True
    time.sleep(2)

    assert {front.ask("POST", "/x").json()["service"] for _ in range(30)} == {"staying"}
    staying.stop()
    leaving.stop()


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/t/acme/projects/", "text/html"), ("/t/acme/api/v1/projects/", "application/problem+json")],
)
def test_a_service_that_is_away_is_said_in_the_callers_language(start_gateway, path, kind):
    front = start_gateway(FEATURES_UPSTREAMS="127.0.0.1:1", GATEWAY_PATIENCE="500ms")

    answer = front.ask("GET", path)

    assert answer.status in {502, 503}
    assert answer.headers["Content-Type"].startswith(kind)
    assert answer.headers["Retry-After"] == "5"
    assert answer.headers["Cache-Control"] == "no-store"
    if kind.endswith("json"):
        assert json.loads(answer.data)["status"] == answer.status


def test_a_client_that_never_finishes_its_headers_is_cut_off(front):
    with socket.create_connection(("127.0.0.1", front.port), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        began = time.monotonic()
        connection.recv(100)

        assert 5 < time.monotonic() - began < 15


def test_many_requests_share_connections(front):
    connection = http.client.HTTPConnection("127.0.0.1", front.port)
    for _ in range(50):
        connection.request("GET", "/")
        assert connection.getresponse().read()
    connection.close()
