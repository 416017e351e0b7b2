"""One trace, as a collector gets it: from a click to another service's database.

features  POST /projects/new
          ├─ POST /internal/auth/identify     asks
auth      │  └─ POST /internal/auth/identify  answers
          ├─ INSERT ...
analytics └─ hear analytics.recorded          some time later, by way of outbox and stream
             └─ INSERT ...
"""

import os
import re
import time

import pytest

pytestmark = [
    pytest.mark.processes,
    pytest.mark.postgres,
    pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them"),
]
CLICK = ("features", "POST /projects/new")
SERVER, CLIENT, CONSUMER = 2, 3, 5


@pytest.fixture(scope="module")
def spans(watched):
    """The spans of one click, once the last of them has come."""
    watched.begin_project("Bridge")
    assert watched.browser.status == 200

    def whole():
        for click in watched.collector.named(*CLICK):
            found = watched.collector.of_trace(click.trace)
            if any(one.name == "hear analytics.recorded" for one in found):
                time.sleep(1)  # What belongs to it and is on its way.
                return watched.collector.of_trace(click.trace)
        return None

    return watched.system.wait_for(whole, 30)


def only(spans, service: str, name: str, kind: int):
    (found,) = [one for one in spans if (one.service, one.name, one.kind) == (service, name, kind)]
    return found


def test_a_question_and_its_answer_belong_to_the_click(spans):
    click = only(spans, *CLICK, SERVER)
    asked = only(spans, "features", "POST /internal/auth/identify", CLIENT)
    answered = only(spans, "auth", "POST /internal/auth/identify", SERVER)

    assert click.parent == ""
    assert (asked.parent, answered.parent) == (click.id, asked.id)
    assert (click.about["tenant"], click.about["http.route"]) == ("acme", "/projects/new")
    assert click.about["http.response.status_code"] == 302
    assert click.seconds >= asked.seconds >= answered.seconds > 0
    assert {one.release for one in spans} == {"r-42"}


def test_who_hears_of_it_elsewhere_belongs_to_it_too(spans):
    click = only(spans, *CLICK, SERVER)
    heard = only(spans, "analytics", "hear analytics.recorded", CONSUMER)
    noted = only(spans, "auth", "hear audit.noted", CONSUMER)

    assert (heard.parent, noted.parent) == (click.id, click.id)
    assert heard.about["tenant"] == "acme"
    below = [one for one in spans if one.parent == heard.id]
    assert any("analytics_events" in one.about.get("db.query.text", "") for one in below)


def test_statements_belong_to_it_and_hold_no_values(spans, watched):
    click = only(spans, *CLICK, SERVER)
    statements = [one for one in spans if "db.query.text" in one.about and one.parent == click.id]

    assert {"INSERT", "SELECT"} <= {one.name for one in statements}
    assert "Bridge" not in str([one.about for one in watched.collector.spans])


def test_the_log_says_which_trace_a_line_belongs_to(spans, watched):
    trace = only(spans, *CLICK, SERVER).trace
    plain = re.sub(r"\x1b\[[0-9;]*m", "", watched.system.said)
    lines = [line for line in plain.splitlines() if f"trace_id={trace}" in line]

    assert any(re.match(r"features +\|.*POST /t/acme/projects/new 302", line) for line in lines)
    assert any(re.match(r"auth +\|.*POST /internal/auth/identify 200", line) for line in lines)


def test_a_trace_that_a_client_names_is_not_followed(watched):
    told = f"00-{'a' * 32}-{'b' * 16}-01"
    watched.system.get("/login?named", traceparent=told)
    watched.system.get("/internal/auth/owners", traceparent=told)
    time.sleep(1)

    assert watched.collector.named("auth", "GET /login")
    assert watched.collector.of_trace("a" * 32) == []


def test_looks_and_probes_make_no_trace(watched):
    names = {one.name for one in watched.collector.spans if one.parent == ""}

    assert not {name for name in names if "/readyz" in name or "/healthz" in name}
    assert not {name for name in names if name.startswith(("SELECT", "UPDATE", "BEGIN"))}
    assert watched.collector.refused == []


def test_counters_of_all_processes_saw_the_click(spans, watched):
    seen = watched.scraped()
    ours = {"service": "features", "release": "r-42"}

    posted = {**ours, "route": "/projects/new", "method": "POST", "status": "302"}
    assert seen["features"].sum("http_requests_total", **posted) == 1
    assert seen["features"].sum("questions_total", to="auth", outcome="answered") >= 1
    assert seen["features-worker"].sum("events_shipped_total", **ours) >= 3
    assert seen["analytics-worker"].sum("events_heard_total", outcome="ok") >= 1
    assert seen["analytics-worker"].sum("event_delay_seconds_count") >= 1
