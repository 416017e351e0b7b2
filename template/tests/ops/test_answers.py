"""What every answer carries, and how refusals and failures look, to browsers and to programs."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from app import headers
from app.access import public
from app.db import close_connections
from app.errors import Unavailable
from tests.conftest import build
from tests.world import PRODUCTION

JSON = {"Accept": "application/json"}


@pytest.fixture(scope="module")
def site(migrated_app, database_url, tmp_path_factory) -> Iterator[Flask]:
    """An application with some pages more: one that fails, one that says who asks."""
    site = build(database_url, tmp_path_factory.mktemp("site"), trusted_proxies=1)
    site.add_url_rule("/fails", view_func=fails)
    site.add_url_rule("/away", view_func=away)
    site.add_url_rule("/asked", view_func=asked, methods=["GET", "POST"])
    yield site
    close_connections(site)


@pytest.fixture
def web(app, site) -> FlaskClient:
    return site.test_client()


@public
def fails():
    raise ValueError("The secret ingredient is salt.")


@public
def away():
    raise Unavailable("Billing doesn't answer.")


@public
def asked():
    request.get_data()
    return {"address": request.remote_addr, "scheme": request.scheme, "host": request.host}


KINDS = {
    "page": "/login",
    "redirect": "/account",
    "file": "/static/app.css",
    "text": "/robots.txt",
    "data": "/healthz",
    "document": "/openapi.json",
    "api": "/t/nobody/api/v1/me",
    "not found": "/nothing-here",
    "not allowed": "/logout",
    "failure": "/fails",
    "away": "/away",
}


@pytest.mark.parametrize("path", KINDS.values(), ids=KINDS)
def test_every_answer_carries_the_security_headers_and_a_request_id(web, path):
    with web.get(path) as answer:
        for name, value in headers.HEADERS.items():
            assert answer.headers.get_all(name) == [value], name
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])


def test_the_policy_allows_nothing_inline_and_nobody_elses_scripts():
    assert "unsafe" not in headers.POLICY
    assert "default-src 'self'" in headers.POLICY
    assert "script-src" not in headers.POLICY  # So default-src holds for scripts.
    assert "frame-ancestors 'none'" in headers.POLICY


def test_pages_and_the_api_are_kept_by_no_cache(web):
    assert web.get("/login").headers["Cache-Control"] == "no-store"
    assert web.get("/api/v1/me").headers["Cache-Control"] == "no-store"
    with web.get("/static/app.css") as file:
        assert "no-store" not in file.headers.get("Cache-Control", "")


def test_browsers_are_kept_on_https_once_they_came_by_it(web):
    secure = web.get("/healthz", headers={"X-Forwarded-Proto": "https"})

    assert secure.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "Strict-Transport-Security" not in web.get("/healthz").headers


def test_the_session_cookie_is_for_https_and_our_own_pages_only(make_app):
    production = make_app(**PRODUCTION).config

    assert production["SESSION_COOKIE_SECURE"]
    assert production["SESSION_COOKIE_HTTPONLY"]
    assert production["SESSION_COOKIE_SAMESITE"] == "Lax"


# --- Proxies -------------------------------------------------------------------------------------


SPOOFED = {
    "X-Forwarded-For": "6.6.6.6, 198.51.100.7",
    "X-Forwarded-Proto": "http, https",
    "X-Forwarded-Host": "evil.example, app.example",
}


def test_one_trusted_proxy_is_believed_once(web):
    assert web.get("/asked", headers=SPOOFED).json == {
        "address": "198.51.100.7",
        "scheme": "https",
        "host": "app.example",
    }


def test_without_a_trusted_proxy_nobody_is_believed(make_app):
    app = make_app()
    app.add_url_rule("/asked", view_func=asked)

    assert app.test_client().get("/asked", headers=SPOOFED).json == {
        "address": "127.0.0.1",
        "scheme": "http",
        "host": "localhost",
    }


# --- The request id ------------------------------------------------------------------------------


def test_the_proxys_request_id_is_kept(web):
    answer = web.get("/healthz", headers={"X-Request-ID": "proxy-id-1"})

    assert answer.headers["X-Request-ID"] == "proxy-id-1"


@pytest.mark.parametrize("given", ["short", "x" * 65, "<script>alert(1)</script>", "a b c d e f"])
def test_an_odd_request_id_is_replaced(web, given):
    answer = web.get("/healthz", headers={"X-Request-ID": given})

    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])


# --- Refusals and failures -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/nothing-here", 404, "There is nothing at this address."),
        ("/logout", 405, ""),
        ("/fails", 500, "Something went wrong"),
        ("/away", 503, "Billing doesn't answer."),
    ],
)
def test_errors_are_pages_for_people_and_problems_for_programs(web, path, status, words):
    page, problem = web.get(path), web.get(path, headers=JSON)

    assert (page.status_code, page.mimetype) == (status, "text/html")
    assert words.replace("'", "&#39;") in page.text
    assert page.headers["X-Request-ID"] in page.text
    assert (problem.status_code, problem.mimetype) == (status, "application/problem+json")
    assert problem.json["status"] == status
    assert words in problem.json["title"] + problem.json["detail"]
    assert problem.json["request_id"] == problem.headers["X-Request-ID"]


def test_a_failure_tells_the_log_and_not_the_visitor(web, capsys):
    page = web.get("/fails")

    assert "secret ingredient" not in page.text
    logged = capsys.readouterr().err
    assert "secret ingredient" in logged
    assert page.headers["X-Request-ID"] in logged


@pytest.mark.parametrize("body", [b"x" * 6_000_000, {"text": "x" * 6_000_000}])
def test_too_large_a_body_is_refused(web, body):
    answer = web.post("/asked", data=body)

    assert answer.status_code == 413
    assert "too large" in answer.text.lower()


@pytest.mark.parametrize(
    "path",
    [
        "/%00",
        "/%ff",
        "/t/%00/",
        "/t/%ff/",
        "/t//",
        "/t/../../etc/passwd",
        "/t/a%0d%0ab/",
        "/t/" + "x" * 3000 + "/",
        "//evil.example/",
        "/?q=%ff",
        "/login?next=%00",
        "/confirm?token=%ff",
        "/reset?token=%00",
        "/static/%00",
        "/static/..%2f..%2fapp.db",
        "/dev/mail/%00",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "TRACE", "NONSENSE"])
def test_odd_requests_are_never_our_fault(web, method, path):
    assert web.open(path, method=method).status_code < 500


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"Cookie": "session=\xff\xfe"}},
        {"headers": {"Cookie": "session=.eJw.e30.sig; device=\x01; ;=;"}},
        {"headers": {"Host": "a b"}},
        {"headers": {"Host": "evil.example:99999"}},
        {"headers": {"Host": ""}},
        {"headers": {"Authorization": "Bearer \xff"}},
        {"headers": {"Authorization": "Bearer"}},
        {"headers": {"Accept": "\xff;q=nonsense"}},
        {"headers": {"Content-Type": "multipart/form-data"}, "data": b"--"},
        {"headers": {"Content-Type": "multipart/form-data; boundary=x"}, "data": b"--x\r\nbroken"},
        {"headers": {"Content-Type": "application/json; charset=nonsense"}, "data": b"{"},
        {"data": {"email": "\x00@\x00", "password": "\x00"}},
        {"data": b"email=%ff%fe&password=%00"},
    ],
)
@pytest.mark.parametrize("path", ["/login", "/signup", "/forgot", "/t/acme/api/v1/me"])
def test_odd_headers_and_forms_are_never_our_fault(web, path, options):
    answer = web.post(path, **options)

    assert answer.status_code < 500
