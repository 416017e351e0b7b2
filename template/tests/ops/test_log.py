"""The log of production: it says whom each line is about, and holds no secret."""

import re
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from app.db import db
from app.jobs import later
from tests.jobs import work
from tests.ops.browser import Browser
from tests.ops.smtp import smtp_server
from tests.world import PASSWORD, PRODUCTION, Seat, found

NEW_PASSWORD = "another battery staple"


@dataclass
class Walk:
    """What somebody did, what the log has of it, and the secrets that they knew."""

    seat: Seat
    log: str
    lines: list[dict[str, Any]]
    secrets: set[str]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]


@pytest.fixture
def walk(app, serve) -> Walk:
    """Ada mistypes her password, gets a new one, makes a token, uses it, and meets a bug."""
    seat = found(app, "acme", "Acme", "ada@acme.com", "Ada")
    with smtp_server() as (mailbox, port):
        server = serve(SMTP_URL=f"smtp://127.0.0.1:{port}", WEB_CONCURRENCY="1")
        browser = Browser(server.address)

        browser.fill_in("/login", email="ada@acme.com", password="a wrong password")
        browser.fill_in("/forgot", email="ada@acme.com")
        server.wait_for(lambda: mailbox.messages)
        text = mailbox.messages[0].get_body(("plain",)).get_content()
        link = re.search(rf"{server.address}(/\S+)", text)[1]
        browser.fill_in(link, new_password=NEW_PASSWORD)
        token = make_token(browser)
        assert server.get("/t/acme/api/v1/me", Authorization=f"Bearer {token}")[0] == 200
        browser.open("/t/acme/broken")
        assert browser.status == 500
        server.stop()
    secrets = {PASSWORD, NEW_PASSWORD, "a wrong password", link.partition("=")[2], token}
    secrets |= browser.secrets() | {PRODUCTION["secret_key"], *PRODUCTION["encryption_keys"]}
    lines = [orjson.loads(line) for line in server.said.splitlines()]
    return Walk(seat, server.said, lines, secrets | {"ValueKeptSecret"})


def make_token(browser) -> str:
    page = browser.open("/t/acme/settings/tokens")
    form = {"csrf_token": re.search(r'csrf_token" value="([^"]+)"', page)[1], "name": "Laptop"}
    return re.search(r"sct_[\w-]+", browser.open("/t/acme/settings/tokens", form))[0]


def test_a_walk_leaves_no_secret_in_the_log_and_says_who_walked(walk):
    requests = walk.of("request")
    acme = ("acme", str(walk.seat.tenant.id), str(walk.seat.user_id))

    for secret in walk.secrets:
        assert secret not in walk.log
    assert {"/login", "/forgot", "/reset"} <= {line["path"] for line in requests}
    assert all(re.fullmatch("[0-9a-f]{32}", line["request_id"]) for line in requests)
    (me,) = [line for line in requests if line["path"] == "/t/acme/api/v1/me"]
    assert (me["tenant"], me["tenant_id"], me["user_id"]) == acme
    (bug,) = walk.of("unexpected")
    assert (bug["tenant"], bug["tenant_id"], bug["user_id"]) == acme
    assert "IntegrityError" in bug["error"]


def test_a_job_says_for_whom_it_works(acme, make_app, capsys):
    make_app()  # The newest application of a process says how its log looks.
    with acme.serving():
        later(work.fail)
        db.session.commit()
    acme.work()

    assert "tenant=acme" in capsys.readouterr().err
