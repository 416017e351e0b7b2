"""The log of production: it says whom each line is about, and holds no secret."""

import re

import orjson
import pytest

from app.db import db
from app.jobs import later
from tests.jobs import work
from tests.ops.browser import Browser
from tests.ops.smtp import smtp_server
from tests.world import PASSWORD, PRODUCTION, found

NEW_PASSWORD = "another battery staple"


@pytest.fixture
def walked(app, serve):
    """A walk through the product with every secret it knows; answers the log and the secrets."""
    seat = found(app, "acme", "Acme", "ada@acme.com", "Ada")
    with smtp_server() as (mailbox, port):
        server = serve(SMTP_URL=f"smtp://127.0.0.1:{port}")
        browser = Browser(server.address)

        browser.fill_in("/login", email="ada@acme.com", password="a wrong password")
        browser.fill_in("/forgot", email="ada@acme.com")
        server.wait_for(lambda: mailbox.messages)
        text = mailbox.messages[0].get_body(("plain",)).get_content()
        link = re.search(rf"{server.address}(/\S+)", text)[1]
        browser.fill_in(link, new_password=NEW_PASSWORD)
        browser.open("/t/acme/")
        token = make_token(browser)
        assert server.get("/t/acme/api/v1/me", Authorization=f"Bearer {token}")[0] == 200
        server.stop()
    secrets = {PASSWORD, NEW_PASSWORD, "a wrong password", link.partition("=")[2], token}
    secrets |= browser.secrets() | {PRODUCTION["secret_key"], *PRODUCTION["encryption_keys"]}
    return server.said, secrets, seat


def make_token(browser) -> str:
    page = browser.open("/t/acme/settings/tokens")
    form = {"csrf_token": re.search(r'csrf_token" value="([^"]+)"', page)[1], "name": "Laptop"}
    return re.search(r"sct_[\w-]+", browser.open("/t/acme/settings/tokens", form))[0]


def test_a_walk_leaves_no_secret_in_the_log_and_says_who_walked(walked):
    log, secrets, seat = walked
    lines = [orjson.loads(line) for line in log.splitlines()]
    requests = [line for line in lines if line["event"] == "request"]

    for secret in secrets:
        assert secret not in log
    assert {"/login", "/forgot", "/reset", "/t/acme/api/v1/me"} <= {r["path"] for r in requests}
    assert all(re.fullmatch("[0-9a-f]{32}", line["request_id"]) for line in requests)
    (me,) = [line for line in requests if line["path"] == "/t/acme/api/v1/me"]
    assert (me["tenant"], me["tenant_id"]) == ("acme", str(seat.tenant.id))
    assert me["user_id"] == str(seat.user_id)


def test_a_failure_says_whom_it_hit_and_shows_no_values(app, serve):
    seat = found(app, "acme", "Acme", "ada@acme.com", "Ada")
    server = serve()
    browser = Browser(server.address)
    browser.fill_in("/login", email="ada@acme.com", password=PASSWORD)

    browser.open("/t/acme/broken")

    assert browser.status == 500
    (line,) = server.lines("unexpected")
    assert (line["tenant"], line["user_id"]) == ("acme", str(seat.user_id))
    assert "IntegrityError" in line["error"]
    assert "ValueKeptSecret" not in server.said


def test_a_job_says_for_whom_it_works(app, acme, capsys):
    with acme.serving():
        later(work.fail)
        db.session.commit()
    acme.work()

    assert "tenant=acme" in capsys.readouterr().err
