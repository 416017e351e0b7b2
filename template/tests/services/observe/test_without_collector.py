"""Without a collector traces cost nothing; with one that is away they cost nobody a request."""

import os
import socket
import statistics
import subprocess
import sys
import time

import pytest

from app import auth, events
from app.db import db
from app.errors import Unavailable
from app.events import OutboxRow
from app.stages.services.events import streams
from app.stages.services.observe import traces
from app.tenancy import serving
from tests.browser import PROJECT
from tests.services.observe.collector import collecting
from tests.services.observe.test_metrics import answers
from tests.services.wire.neighbour import NOWHERE

TIMES = 150


def start(*, endpoint: str = "") -> str:
    """Make the application in a process of its own; says the seconds and what was imported."""
    code = (
        "import sys, time; begun = time.perf_counter(); from app import create_app; create_app(); "
        "print(time.perf_counter() - begun, 'opentelemetry.sdk.trace' in sys.modules)"
    )
    env = {name.upper(): url for name, url in NOWHERE.items()} | {"SERVES": "features"}
    env |= {"APP_ENV": "testing", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env={**os.environ, **env},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.mark.processes
def test_nothing_is_imported_without_a_collector(capsys):
    without, loaded = start().split()
    with_one, loaded_then = start(endpoint="http://127.0.0.1:9").split()

    with capsys.disabled():
        print(  # noqa: T201  # The figure is what this is for.
            f"\nthe application starts in {float(without):.2f} s without traces, "
            f"in {float(with_one):.2f} s with them"
        )
    assert (loaded, loaded_then) == ("False", "True")


def test_without_a_collector_events_and_questions_carry_nothing(make_service, acme_there):
    app = make_service("features")
    with app.app_context(), serving(acme_there):
        events.publish("door opened", by="Ada")
        db.session.commit()
        row = db.session.scalars(db.select(OutboxRow)).one()

        assert row.facts == '{"by":"Ada"}'
        assert set(streams.packed(row)) == {"event", "facts"}
        assert traces.here() == ""


def test_the_trace_travels_beside_the_facts_and_not_among_them(make_service, acme_there):
    with collecting() as collector:
        app = make_service("features", otel_exporter_otlp_endpoint=collector.url)
        tracing = app.extensions["tracing"]
        with app.app_context(), serving(acme_there):
            with tracing.asking("auth", "/x"):
                parent = traces.here()
                events.publish("door opened", by="Ada")
                db.session.commit()
            entry = streams.packed(db.session.scalars(db.select(OutboxRow)).one())
        tracing.provider.shutdown()

    assert entry["facts"] == '{"by":"Ada"}'
    assert entry["trace"] == parent
    assert parent.split("-")[1] in {one.trace for one in collector.spans}


@pytest.mark.parametrize("told", ["", "nonsense", "00-0-0-01", "\udcff"])
def test_an_event_with_a_broken_trace_is_heard_all_the_same(make_service, acme_there, told):
    heard = []
    with collecting() as collector:
        app = make_service("features", otel_exporter_otlp_endpoint=collector.url)
        event = OutboxRow(name="door opened", facts="{}", tenant_id=None, id=acme_there.id)
        fields = {traces.FIELD: told.encode(errors="surrogateescape")}
        with app.app_context():
            error = traces.hand_over(fields, event.as_event(), heard.append)
        app.extensions["tracing"].provider.shutdown()

    assert error is None
    assert len(heard) == 1


def test_a_collector_that_is_away_holds_up_no_request(make_service, acme_there):
    app = make_service("features", otel_exporter_otlp_endpoint="http://127.0.0.1:9")
    app.add_url_rule("/for/<slug>/<int:status>", view_func=answers)
    client = app.test_client()

    begun = time.monotonic()
    for _ in range(50):
        assert client.get("/for/acme/200").status_code == 200
    with app.app_context(), serving(acme_there), pytest.raises(Unavailable):
        auth.owners()
    took = time.monotonic() - begun
    app.extensions["tracing"].provider.shutdown()

    assert took < 5


def test_a_collector_that_hangs_holds_up_no_process_that_stops(make_service):
    """An orchestrator waits 30 seconds, and the job of the moment has 8 of them."""
    with socket.create_server(("127.0.0.1", 0)) as silent:  # Connects, and never answers.
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        app = make_service("features", otel_exporter_otlp_endpoint=address)
        with app.app_context(), traces.asking("auth", "/x"):
            pass

        begun = time.monotonic()
        app.extensions["tracing"].provider.shutdown()

    assert time.monotonic() - begun < 8


def test_a_collector_without_an_address_is_refused_by_name(make_service):
    with pytest.raises(SystemExit, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        make_service("features", otel_exporter_otlp_endpoint="collector:4317")


def test_what_a_trace_costs_a_request(make_service, capsys):
    """In turns, so that what else the machine does hits both alike."""
    with collecting() as collector:
        clients = []
        for endpoint in ("", collector.url):
            app = make_service("features", otel_exporter_otlp_endpoint=endpoint)
            app.add_url_rule("/for/<slug>/<int:status>", view_func=answers)
            clients.append(app.test_client())

        def seconds(client) -> float:
            begun = time.perf_counter()
            for _ in range(TIMES):
                client.get("/for/acme/200")
            return time.perf_counter() - begun

        turns = [[seconds(client) for client in clients] for _ in range(8)][1:]
        app.extensions["tracing"].provider.shutdown()
    ratio = statistics.median(on / off for off, on in turns)
    micro = statistics.median(on - off for off, on in turns) / TIMES * 1e6

    with capsys.disabled():
        print(  # noqa: T201  # The figure is what this is for.
            f"\nan empty request with a trace takes {ratio:.2f} times as long as without one, "
            f"{micro:.0f} µs more"
        )
    assert ratio < 2.5
