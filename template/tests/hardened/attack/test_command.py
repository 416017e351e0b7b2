"""`flask attack` against a system that runs: over real connections, as anybody with two log-ins."""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest
from sqlalchemy import func, select
from werkzeug.serving import make_server

from app import stage
from app.auth.models import ApiToken
from app.db import db
from app.dev.postgres import free_port
from app.tenancy import serving
from app.tenancy import session as walls
from tests.hardened.attack.layers import unheard
from tests.world import PASSWORD

OWNERS = {"acme": "ada@acme.test", "initech": "bill@initech.test"}


@pytest.fixture
def system(app, acme, initech) -> Iterator[str]:
    """The application at an address, where nobody can read its mail, as in production."""
    with serving_at(app) as url:
        yield url


class serving_at:  # noqa: N801  # It reads as a verb.
    """An application at an address of its own."""

    def __init__(self, app) -> None:
        def as_in_production(environ, start_response):
            if environ["PATH_INFO"].startswith("/dev/"):
                start_response("404 Not Found", [("Content-Length", "0")])
                return [b""]
            return app(environ, start_response)

        self.server = make_server("127.0.0.1", 0, as_in_production, threaded=True)
        self.thread = threading.Thread(target=self.server.serve_forever, args=[0.02])

    def __enter__(self) -> str:
        self.thread.start()
        return f"http://127.0.0.1:{self.server.port}"

    def __exit__(self, *_error: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def attack(app, system):
    """Run the command, with a log-in for each side unless something else is said."""

    def run(*options, ours=None, theirs=None, url=system):
        words = ["attack", "--url", url, *options]
        for side, said, slug in (("--ours", ours, "acme"), ("--theirs", theirs, "initech")):
            words += [side, log_in_of(slug) if said is None else said]
        return app.test_cli_runner().invoke(args=words)

    return run


def log_in_of(slug, password=PASSWORD):
    return f"{slug}:{OWNERS[slug]}:{password}"


@pytest.fixture
def tokens(app):
    """How many API tokens there are: the first thing that an attack makes."""

    def count():
        with app.app_context(), serving(None):
            return db.session.scalar(select(func.count()).select_from(ApiToken))

    return count


def test_two_workspaces_that_are_named_are_attacked_and_it_says_so_as_json(attack, tokens):
    result = attack("--yes", "--json")

    assert result.exit_code == 0, result.output
    said = orjson.loads(result.stdout)
    assert said["breaches"] == 0
    assert said["tries"] == sum(one["tries"] for one in said["attacks"]) > 100
    assert all(one["tries"] for one in said["attacks"])
    assert tokens() >= 2


@pytest.mark.skipif(
    os.environ.get("TEST_DATABASE") == "postgres", reason="its walls would hold without the ORM's"
)
def test_what_comes_through_is_said_and_is_a_failure(attack):
    with unheard("do_orm_execute", walls.narrow):
        result = attack("--yes", "--json")

    said = orjson.loads(result.stdout)
    assert result.exit_code == 1
    assert said["breaches"] == sum(len(one["breaches"]) for one in said["attacks"]) > 0


def test_a_system_of_an_earlier_stage_is_attacked_as_well(app, acme, initech, make_app, attack):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "names", list)
        earlier = make_app()
    assert "walls" not in earlier.extensions

    with serving_at(earlier) as url:
        result = attack("--yes", url=url)

    assert result.exit_code == 0, result.output
    assert "in all" in result.output
    assert "0 breaches" in result.output


# --- What is wrong is said before anything is written --------------------------------------------


def test_what_is_not_development_is_left_alone_until_somebody_says_yes(attack, tokens):
    result = attack("--json")

    assert result.exit_code == 1
    assert "isn't development" in result.output
    assert "--yes" in result.output
    assert tokens() == 0


def test_elsewhere_both_sides_have_to_be_named(attack, tokens):
    result = attack("--yes", theirs="")

    assert result.exit_code == 1
    assert "name two workspaces with --ours and --theirs" in result.output
    assert tokens() == 0


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        (log_in_of("acme", "wrong"), "ada@acme.test can't log in"),
        ("acme:ada@acme.test", "ada@acme.test can't log in"),
        ("acme", "Somebody can't log in"),
        (f"nowhere:{OWNERS['acme']}:{PASSWORD}", "No API token could be made in the workspace"),
        (f"initech:{OWNERS['acme']}:{PASSWORD}", "No API token could be made in the workspace"),
    ],
)
def test_a_log_in_that_is_none_is_named(attack, tokens, ours, said):
    result = attack("--yes", ours=ours)

    assert result.exit_code == 1
    assert said in result.output
    assert PASSWORD not in result.output
    assert tokens() == 0


def test_an_address_where_nobody_answers_is_named(attack):
    url = f"http://127.0.0.1:{free_port()}"

    result = attack("--yes", url=url)

    assert result.exit_code == 1
    assert f"{url} doesn't answer" in result.output


@pytest.mark.parametrize("url", ["nonsense", "ftp://example.com", "http:"])
def test_an_address_that_is_none_is_named(attack, url):
    result = attack("--yes", url=url)

    assert result.exit_code == 1
    assert f"{url} doesn't answer" in result.output
    assert not isinstance(result.exception, (ValueError, TypeError))


class Elsewhere(BaseHTTPRequestHandler):
    """Something that isn't this product, and finds everything fine."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path != "/dev/mail/" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.do_GET()

    def log_message(self, *_said: object) -> None:
        """Quietly."""


def test_something_that_is_not_this_product_is_said_to_be_none(attack):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    try:
        result = attack("--yes", url=f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

    assert result.exit_code == 1
    assert "No API token could be made" in result.output
