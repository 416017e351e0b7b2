"""`/metrics`: requests by route and tenant, jobs, questions, events; of all processes together."""

import socket
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from flask import request_finished

from app import auth, jobs, migrate, queue
from app.access import public
from app.db import close_connections, db
from app.dev.postgres import free_port
from app.errors import Unavailable
from app.stages.services import keys
from app.stages.services.observe import requests
from app.stages.services.observe.page import Port
from app.stages.services.observe.processes import VARIABLE
from app.stages.services.observe.tenants import OTHER, Named
from app.tenancy import Tenant, serving
from tests.conftest import build
from tests.ops.server import Server
from tests.services.observe.reading import Scrape
from tests.services.wire.neighbour import NOWHERE

ROUTE = "/for/<slug>/<int:status>"


@public
def answers(slug: str, status: int):
    from app.tenancy import enter

    enter(Tenant(auth_id(slug), slug, slug))
    return {}, status


def auth_id(slug: str):
    from uuid import NAMESPACE_DNS, uuid5

    return uuid5(NAMESPACE_DNS, slug)


@pytest.fixture
def features(make_service):
    app = make_service("features", release="r-7", metrics_tenants=2)
    app.add_url_rule(ROUTE, view_func=answers)
    return app


@contextmanager
def change(app, name: str, **labels: str):
    """How much a counter grew meanwhile."""
    before, grew = Scrape.of(app).sum(name, **labels), []
    yield grew
    grew.append(Scrape.of(app).sum(name, **labels) - before)


def test_a_request_counts_by_route_and_by_tenant(features):
    client = features.test_client()
    ours = {"service": "features", "release": "r-7"}
    for path in ("/for/acme/200", "/for/acme/200", "/for/acme/503", "/nothing/here"):
        client.get(path)

    seen = Scrape.of(features)

    of_route = {**ours, "route": ROUTE, "method": "GET"}
    assert seen.sum("http_requests_total", **of_route, status="200") == 2
    assert seen.sum("http_requests_total", **of_route, status="503") == 1
    assert seen.sum("http_requests_total", **ours, route="none", status="404") == 1
    assert seen.sum("http_request_duration_seconds_count", **ours, route=ROUTE) == 3
    assert seen.sum("http_request_duration_seconds_bucket", **ours, route=ROUTE, le="+Inf") == 3
    assert seen.sum("tenant_requests_total", **ours, tenant="acme", outcome="ok") == 2
    assert seen.sum("tenant_requests_total", **ours, tenant="acme", outcome="error") == 1
    assert seen.sum("tenant_request_duration_seconds_count", **ours) == 3


def test_an_error_that_nobody_caught_counts_as_one(features):
    def breaks():
        raise RuntimeError("Something is wrong.")

    features.add_url_rule("/breaks", view_func=public(breaks))
    features.config["PROPAGATE_EXCEPTIONS"] = False

    with change(features, "http_requests_total", route="/breaks", status="500") as grew:
        features.test_client().get("/breaks")

    assert grew == [1]


def test_probes_and_invented_methods_make_no_series(features):
    client = features.test_client()
    for path in ("/healthz", "/readyz", "/metrics"):
        client.get(path)
    for number in range(3):
        client.open("/nothing", method=f"WORD{number}")

    seen = Scrape.of(features)

    assert not {"/healthz", "/readyz", "/metrics"} & seen.values("http_requests_total", "route")
    assert not {"WORD0", "WORD1"} & seen.values("http_requests_total", "method")
    assert seen.sum("http_requests_total", release="r-7", method="other") == 3


def test_tenants_beyond_the_bound_are_counted_together(make_service):
    app = make_service("features", release="r-8", metrics_tenants=2)
    app.add_url_rule(ROUTE, view_func=answers)
    for slug in ("acme", "initech", "hooli", "umbrella", "acme"):
        app.test_client().get(f"/for/{slug}/200")

    seen = Scrape.of(app)

    by_name = {
        name: seen.sum("tenant_requests_total", release="r-8", tenant=name)
        for name in ("acme", "initech", "hooli", OTHER)
    }
    assert by_name == {"acme": 2, "initech": 1, "hooli": 0, OTHER: 2}


def test_processes_side_by_side_name_the_same_tenants(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    one, other = Named(2), Named(2)

    named = [one.name_of("acme"), other.name_of("initech"), one.name_of("hooli")]

    assert named == ["acme", "initech", OTHER]
    assert (other.name_of("acme"), one.name_of("initech")) == ("acme", "initech")
    assert other.name_of("hooli") == OTHER


def test_a_job_counts_when_it_is_done_and_when_it_fails(features, acme_there, monkeypatch):
    monkeypatch.setitem(jobs.KNOWN, "works", lambda: None)
    monkeypatch.setitem(jobs.KNOWN, "fails", lambda: 1 / 0)
    monkeypatch.setattr(jobs, "ATTEMPTS", 1)
    with change(features, "jobs_total", outcome="done") as done:  # noqa: SIM117
        with change(features, "jobs_total", outcome="failed") as failed:
            with features.app_context(), serving(acme_there):
                for name in ("works", "fails"):
                    db.session.add(jobs.Job(name=name, args="[]"))
                db.session.flush()
                for row in db.session.scalars(db.select(jobs.Job)):
                    queue.after_commit("run_job", str(row.id))
                db.session.commit()
            queue.run_pending(features)

    assert (done, failed) == ([1], [1])


def test_jobs_that_are_due_are_seen_waiting(features, acme_there):
    with features.app_context():
        db.session.add(jobs.Job(name="later", args="[]"))
        db.session.commit()

    assert Scrape.of(features).sum("jobs_waiting", service="features") == 1


def test_a_question_that_nobody_answers_counts(features, acme_there):
    with (
        change(features, "questions_total", to="auth", outcome="unavailable") as grew,
        features.app_context(),
        serving(acme_there),
        pytest.raises(Unavailable),
    ):
        auth.owners()

    assert grew == [1]


def test_with_redis_away_the_rest_is_still_there(make_service):
    app = make_service("features", redis_url="redis://127.0.0.1:9/0")

    seen = Scrape.of(app)

    up = {
        source: seen.sum("metrics_source_up", source=source)
        for source in ("process", "database", "redis")
    }
    assert up == {"process": 1, "database": 1, "redis": 0}
    assert seen.values("events_outbox_pending", "service") == {"features"}
    assert "events_dead" not in {sample.name for sample in seen.samples}


def test_a_key_that_ends_says_when(make_service):
    app = make_service("features", signing_keys=[f"{keys.new_key()}@2099-01-31"])

    assert Scrape.of(app).sum("signing_key_end_timestamp_seconds") > time.time()


def test_a_worker_answers_at_a_port_of_its_own(features):
    port = Port(features, f"127.0.0.1:{free_port()}")
    port.start()
    try:
        seen = Scrape.at(f"http://{port.host}:{port.port}/metrics")
    finally:
        port.stop()

    assert seen.sum("app_info", service="features", release="r-7") == 1


def test_a_port_that_somebody_has_is_named(features):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = Port(features, f"127.0.0.1:{taken.getsockname()[1]}")

        with pytest.raises(SystemExit, match=r"METRICS_ADDRESS: can't listen at 127\.0\.0\.1"):
            port.start()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("release", "Big Release"),
        ("release", "x" * 41),
        ("metrics_tenants", -1),
        ("metrics_address", "nowhere"),
        ("metrics_address", "127.0.0.1:70000"),
        ("metrics_address", "127.0.0.1:"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_its_name(make_service, name, value):
    with pytest.raises(SystemExit, match=name.upper()):
        make_service("features", **{name: value})


def test_counting_takes_a_small_part_of_a_request(features, capsys):
    """Both kinds in turns, so that what else the machine does hits them alike."""
    client = features.test_client()

    def seconds(times: int = 150) -> float:
        begun = time.perf_counter()
        for _ in range(times):
            client.get("/for/acme/200")
        return time.perf_counter() - begun

    with_it, without = [], []
    seconds()
    for _ in range(7):
        with_it.append(seconds())
        request_finished.disconnect(requests.count, features)
        without.append(seconds())
        request_finished.connect(requests.count, features)
    ratio = statistics.median(a / b for a, b in zip(with_it, without, strict=True))

    with capsys.disabled():
        print(  # noqa: T201  # The figure is what this is for.
            f"\na request that is counted takes {ratio:.3f} times as long as one that isn't"
        )
    assert ratio < 1.25


class Auth(Server):
    """auth, as a gunicorn with three processes."""

    def __init__(self, folder, database_url: str) -> None:
        settings = {name.upper(): value for name, value in NOWHERE.items()}
        settings |= {"SERVES": "auth", "WORKER": "separate", "SIGNING_KEYS": keys.new_key()}
        super().__init__(folder, database_url, **settings, WEB_CONCURRENCY="3", RELEASE="r-9")

    def ask(self, times: int) -> set[int]:
        """Requests at once; answers which processes took them."""
        with ThreadPoolExecutor(12) as people:
            found = people.map(lambda _: self.get("/slow?seconds=0.05")[1], range(times))
            return {answer["process"] for answer in found}

    def counted(self) -> float:
        seen = Scrape.at(f"{self.address}/metrics")
        return seen.sum("http_requests_total", route="/slow", service="auth", release="r-9")


@pytest.mark.processes
def test_all_processes_of_gunicorn_count_as_one(tmp_path, auth_database_url):
    """Whichever answers the scrape; also after all of them were replaced (SIGHUP)."""
    app = build(auth_database_url, tmp_path)
    migrate.upgrade(app)
    close_connections(app)
    server = Auth(tmp_path, auth_database_url)
    try:
        server.wait_until_it_serves()
        first = server.wait_for(lambda: some if len(some := server.ask(60)) > 1 else None)
        asked = server.said.count('"path": "/slow"')
        totals = {server.counted() for _ in range(6)}
        assert totals == {asked}
        server.hang_up()
        server.wait_for(lambda: not server.ask(12) & first)
        asked = server.said.count('"path": "/slow"')
        after = server.counted()
    finally:
        server.stop()

    assert after == asked
