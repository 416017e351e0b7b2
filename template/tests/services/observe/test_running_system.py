"""A system that somebody uses, seen from outside: what it exports, and one trace.

Dashboards and alerts are compared with what its processes tell Prometheus. The trace is read from
a collector: it goes from a click to another service's database.

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
from json import loads

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from app.stages.services import keys
from app.stages.services.rollout.store import Store
from app.stages.services.settings import SERVICES
from tests.browser import PROJECT
from tests.services.observe import promql
from tests.services.observe.reading import Scrape

pytestmark = [
    pytest.mark.processes,
    pytest.mark.postgres,
    pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them"),
]
PAGE = (PROJECT / "docs" / "observability.md").read_text("utf-8")
# What Prometheus says of those it asks.
OF_PROMETHEUS = {"up": {"job", "instance"}}
A_ROLLOUT = """
    INSERT INTO rollout.releases (name) VALUES ('r-42'), ('r-43');
    INSERT INTO rollout.rollouts (release, previous, state, waves, wave)
        VALUES ('r-43', 'r-42', 'paused', '{}', 0);
    INSERT INTO rollout.pins (tenant, release) VALUES (gen_random_uuid(), 'r-43');
    INSERT INTO rollout.followers (name, version) VALUES ('gateway-1', 0);
    UPDATE rollout.gateway SET version = 2;
"""
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


def test_nobody_outside_reads_them(watched):
    assert [watched.system.get(path)[0] for path in ("/metrics", "/t/acme/metrics")] == [404, 404]


def test_counters_of_all_processes_saw_the_click(spans, watched):
    seen = watched.scraped()
    ours = {"service": "features", "release": "r-42"}

    posted = {**ours, "route": "/projects/new", "method": "POST", "status": "302"}
    assert seen["features"].sum("http_requests_total", **posted) == 1
    assert seen["features"].sum("questions_total", to="auth", outcome="answered") >= 1
    assert seen["features-worker"].sum("events_shipped_total", **ours) >= 3
    assert seen["analytics-worker"].sum("events_heard_total", outcome="ok") >= 1
    assert seen["analytics-worker"].sum("event_delay_seconds_count") >= 1


# --- What dashboards and alerts ask for ----------------------------------------------------------


@pytest.fixture(scope="module")
def scrapes(watched):
    """All that a system says while it's used and a rollout is paused."""
    watched.begin_project("Tower")
    remember_a_rollout(watched.system.facts["databases"]["auth"])
    page = watched.browser.open("/t/acme/projects/")
    token = re.search(r'csrf_token" value="([^"]+)"', page)
    watched.browser.open("/t/acme/projects/reports/", {"csrf_token": token[1]})

    def worked():
        seen = watched.scraped()
        work = ("jobs_total", "event_delay_seconds_count")
        said = {name for scrape in seen.values() for name in (s.name for s in scrape.samples)}
        return seen if {*work, "events_lag"} <= said else None

    return list(watched.system.wait_for(worked, 30).values())


def remember_a_rollout(url: str) -> None:
    """As its owner, as `flask rollout` does."""
    owner = make_url(url).set(username="auth_owner").render_as_string(hide_password=False)
    with Store(owner) as store:
        store.prepare("auth")
    with create_engine(owner, poolclass=NullPool).begin() as connection:
        connection.execute(text(A_ROLLOUT))


@pytest.fixture(scope="module")
def exported(scrapes):
    """Each series that is exported, with its labels."""
    found: dict[str, set[str]] = {name: set(labels) for name, labels in OF_PROMETHEUS.items()}
    for scrape in scrapes:
        for sample in scrape.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.fixture
def with_a_key_that_ends(make_service):
    """Keys of development don't end."""
    app = make_service("features", signing_keys=[f"{keys.new_key()}@2099-01-31"])
    return {one.name: set(one.labels) for one in Scrape.of(app).samples}


def test_every_series_and_label_that_is_asked_for_is_there(exported, with_a_key_that_ends):
    there = with_a_key_that_ends | exported | promql.recorded()
    missing = [
        f"{where} asks for {name}{sorted(labels - there.get(name, set()))}"
        for where, text_ in promql.ASKED.items()
        for name, labels in promql.asked(text_).items()
        if name not in there or not labels <= there[name]
    ]

    assert missing == []


def test_the_page_lists_every_metric_and_no_other(scrapes, with_a_key_that_ends):
    listed = set(re.findall(r"^\| `([a-z_]+)`", PAGE, re.MULTILINE))
    families = {one.name for scrape in scrapes for one in scrape.samples}
    families |= set(with_a_key_that_ends)
    ours = {re.sub(r"_(bucket|count|sum)$", "", name) for name in families}
    foreign = ("python_", "process_")
    # A later stage lists its own, and tests them there.
    later = {
        name
        for page in (PROJECT / "docs").glob("*/alerts.md")
        for name in re.findall(r"^\| `([a-z_]+)`", page.read_text("utf-8"), re.MULTILINE)
    }

    assert {name for name in ours if not name.startswith(foreign)} - later == listed


def test_a_paused_rollout_is_seen(scrapes):
    states = [scrape.sum("rollout_state", release="r-43", state="paused") for scrape in scrapes]

    assert max(states) == 1
    assert max(scrape.sum("rollout_follower_behind") for scrape in scrapes) == 2


def test_a_tenant_is_counted_under_its_slug(scrapes):
    assert "acme" in set().union(*(s.values("tenant_requests_total", "tenant") for s in scrapes))


def test_it_says_where_prometheus_finds_its_processes(watched):
    """`infra/observability/prometheus.yml` reads the file."""
    targets = loads((watched.system.folder / "instance" / "prometheus.json").read_text())
    metrics = watched.system.facts["metrics"]

    assert {one["labels"]["process"]: f"http://{one['targets'][0]}/metrics" for one in targets} == (
        metrics
    )
    assert all(metrics[name] in watched.system.said for name in SERVICES)
