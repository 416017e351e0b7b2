"""gunicorn with this project's configuration: no request is lost, jobs run, the log is JSON."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import orjson
import pytest

from app.db import db
from app.jobs import Job
from tests.ops.server import Server

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def server(migrated_app, database_url, tmp_path_factory) -> Iterator[Server]:
    """One server for all the tests here: to start one takes a while."""
    server = Server(tmp_path_factory.mktemp("server"), database_url)
    server.wait_until_it_serves()
    yield server
    if server.process.poll() is None:
        server.stop()


def test_a_job_that_a_request_asked_for_runs_beside_it(app, server):
    job_id = UUID(server.get("/job")[1]["job"])

    def state() -> str:
        with app.app_context():
            return db.session.get(Job, job_id).state

    server.wait_for(lambda: state() == "done")


def test_the_log_is_json_line_by_line(server):
    server.get("/slow?seconds=0", **{"X-Request-ID": "from-the-proxy-1"})

    lines = [orjson.loads(line) for line in server.said.splitlines()]
    (request,) = [line for line in lines if line.get("request_id") == "from-the-proxy-1"][-1:]

    assert (request["method"], request["path"], request["status"]) == ("GET", "/slow", 200)
    assert any("Booting worker" in line["event"] for line in lines)


def test_a_client_cannot_say_that_it_came_by_https(server):
    """Only proxies that TRUSTED_PROXIES counts may."""
    assert server.hsts({"X-Forwarded-Proto": "https"}) is None


def test_no_request_is_lost_while_it_takes_up_new_code(server):
    over = threading.Event()

    def ask_on_and_on():
        answers = []
        while not over.is_set():
            answers.append(server.get("/slow?seconds=0.05"))
        return answers

    def count() -> int:
        return server.said.count('"path": "/slow"')

    with ThreadPoolExecutor(4) as people:
        asking = [people.submit(ask_on_and_on) for _ in range(4)]
        server.wait_for(lambda: count() > 20)
        server.hang_up()
        server.wait_for(lambda: server.said.count("Worker exiting") == 2)
        before = count()
        server.wait_for(lambda: count() > before + 20)
        over.set()
        answers = [answer for asked in asking for answer in asked.result()]

    assert {status for status, _ in answers} == {200}
    assert len({body["process"] for _, body in answers}) >= 2  # Old ones and new ones.


@pytest.mark.parametrize(
    "junk",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /%ff?q=%ff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /t/%ff/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nCookie: session=\xff\xfe\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nCookie: session=.e30.a.b; ;;=\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"NONSENSE / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_junk_is_never_the_servers_fault(server, junk):
    status = server.send(junk)

    assert status is None or status < 500  # None: it hung up.
    assert server.get("/healthz")[0] == 200


def test_a_request_under_way_is_answered_before_it_stops(server):
    began = server.said.count("slow began")

    with ThreadPoolExecutor(1) as person:
        asked = person.submit(server.get, "/slow?seconds=2")
        server.wait_for(lambda: server.said.count("slow began") > began)

        assert server.stop() == 0
        assert asked.result()[0] == 200
