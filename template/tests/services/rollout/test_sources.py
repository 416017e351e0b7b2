"""Who measures: a real Prometheus where there is one, and the services' own /metrics.

Both are asked the same of the same counters, that a tiny server with a real exporter shows.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from wsgiref.simple_server import WSGIServer

import pytest
import urllib3
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from app.dev.postgres import free_port
from app.stages.services.observe import names
from app.stages.services.rollout import sources
from app.stages.services.rollout.errors import SourceAway
from app.stages.services.rollout.gates import Counts, quantile
from app.stages.services.rollout.sources import NoSource, Prometheus, Scrape
from app.stages.services.settings import SERVICES

PROMETHEUS = shutil.which("prometheus")
CONFIGURATION = """
global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}
scrape_configs:
  - job_name: services
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class Exporter:
    """What the services of the releases old and new would show."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        labels = ("tenant", "service", "release", "outcome")
        self.requests = Counter("tenant_requests_total", "", labels, registry=registry)
        self.seconds = Histogram(
            "tenant_request_duration_seconds", "", ("service", "release"), registry=registry
        )
        self.info = Gauge("app_info", "", ("service", "release"), registry=registry)
        self.port = free_port()
        self.server: WSGIServer
        self.server, self.thread = start_http_server(self.port, "127.0.0.1", registry)

    def count(self, release: str, tenant: str, requests: int, errors: int, took: float) -> None:
        self.requests.labels(tenant, "features", release, "ok").inc(requests - errors)
        if errors:
            self.requests.labels(tenant, "features", release, "error").inc(errors)
        for _ in range(requests):
            self.seconds.labels("features", release).observe(took)


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    made = Exporter()
    yield made
    made.server.shutdown()
    made.server.server_close()
    made.thread.join()


@pytest.fixture
def prometheus(exporter, tmp_path) -> Iterator[str]:
    """A real one, from Debian's package or wherever it's on the PATH."""
    if PROMETHEUS is None:
        pytest.skip("prometheus: not on the PATH (Debian: apt-get install prometheus)")
    file = tmp_path / "prometheus.yml"
    file.write_text(CONFIGURATION.format(port=exporter.port))
    url = f"127.0.0.1:{free_port()}"
    options = {
        "--config.file": file,
        "--storage.tsdb.path": tmp_path / "data",
        "--web.listen-address": url,
    }
    words = [f"{name}={value}" for name, value in options.items()]
    with (tmp_path / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([PROMETHEUS, *words], stdout=log, stderr=log)
    wait_for(lambda: is_ready(url))
    yield f"http://{url}"
    process.terminate()
    process.wait(30)


def is_ready(url: str) -> bool:
    try:
        return urllib3.request("GET", f"http://{url}/-/ready", retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def wait_for(look, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.processes
def test_a_real_prometheus_tells_what_happened_since_the_wave_began(exporter, prometheus):
    for service in SERVICES:
        exporter.info.labels(service, "new").set(1)
    exporter.count("old", "acme", 100, 50, 0.02)
    exporter.count("new", "before", 10, 10, 3)  # Before the wave.
    source = Prometheus(prometheus)
    wait_for(lambda: source.query('tenant_requests_total{tenant="before"}'))
    time.sleep(1)
    since = datetime.now(UTC)
    time.sleep(0.5)

    exporter.count("new", "acme", 40, 10, 0.02)  # A series that wasn't there.
    exporter.count("new", "before", 5, 0, 0.02)  # One that was.
    wait_for(lambda: source.query('tenant_requests_total{release="new",tenant="acme"}'))
    time.sleep(0.5)

    seen = source.tenants("new", since)
    assert seen["acme"] == Counts(40, 10)
    assert seen["before"] == Counts(5, 0)
    seconds = source.seconds("new", since)
    assert max(seconds.values()) == 45
    assert quantile(seconds, 0.95) <= 0.03

    with pytest.raises(SourceAway, match="sees nothing of auth, billing, analytics, features in"):
        source.tenants("old", since)


def test_the_services_own_counters_tell_the_same(exporter):
    source = Scrape(lambda _release: [f"127.0.0.1:{exporter.port}"])
    exporter.count("new", "before", 10, 10, 3)
    source.tenants("new", datetime.now(UTC))
    time.sleep(0.6)
    since = datetime.now(UTC)

    exporter.count("new", "acme", 40, 10, 0.02)
    exporter.count("new", "before", 5, 0, 0.02)
    exporter.count("old", "acme", 7, 7, 9)

    assert source.tenants("new", since) == {"acme": Counts(40, 10), "before": Counts(5, 0)}
    assert quantile(source.seconds("new", since), 0.95) <= 0.03


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (Prometheus("http://127.0.0.1:1"), "Prometheus doesn't answer at http://127.0.0.1:1"),
        (Scrape(lambda _: ["127.0.0.1:1"]), "127.0.0.1:1/metrics doesn't answer"),
        (NoSource(), "PROMETHEUS_URL isn't set"),
    ],
)
def test_one_that_is_away_says_so_and_never_that_all_is_well(source, words):
    with pytest.raises(SourceAway, match=words):
        source.tenants("new", datetime.now(UTC))


def test_a_prometheus_that_answers_nonsense_is_away(exporter):
    with pytest.raises(SourceAway, match="Prometheus"):
        Prometheus(f"http://127.0.0.1:{exporter.port}").tenants("new", datetime.now(UTC))


def test_what_is_asked_is_what_the_services_export():
    exported = {
        f"{metric._name}{'_total' if metric._type == 'counter' else ''}": metric._labelnames
        for metric in (names.TENANT_REQUESTS, names.TENANT_SECONDS)
    }

    assert {"tenant", "outcome", "release"} <= set(exported[sources.REQUESTS])
    assert "release" in exported[sources.SECONDS.removesuffix("_bucket")]


def test_the_figures_are_prometheus_own():
    buckets = {0.1: 50.0, 0.5: 90.0, 1.0: 100.0, float("inf"): 100.0}

    assert quantile(buckets, 0.95) == pytest.approx(0.75)
    assert quantile({0.1: 0, float("inf"): 10}, 0.95) == 0.1
    assert quantile({}, 0.95) is None
