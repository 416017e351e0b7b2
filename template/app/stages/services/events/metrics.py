"""`/metrics`: how far events are behind, for Prometheus. The gateway lets nobody reach it."""

from collections.abc import Iterable, Iterator

from flask import Blueprint, Flask, Response, current_app
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.access import public
from app.stages.services.events import lag, streams

bp = Blueprint("metrics", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)


@bp.get("/metrics")
@public
def metrics():
    """What Prometheus asks for."""
    registry = CollectorRegistry()
    registry.register(EventLag())
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class EventLag(Collector):
    """Asked anew each time: of this service's outbox, and of its own group in each partition."""

    def collect(self) -> Iterable[Metric]:
        service = current_app.config["SETTINGS"].service
        waiting = lag.backlog()
        yield gauge("events_outbox_pending", "Events not shipped yet.", waiting.events)
        yield gauge("events_outbox_seconds", "Age of the oldest one of them.", waiting.seconds)
        yield gauge("events_dead", "Dead letters of all services.", lag.dead(streams.redis()))
        yield from of_group(service)


def of_group(service: str) -> Iterator[Metric]:
    """How far this service is behind, by partition."""
    behind = [one for one in lag.of_all(streams.redis()) if one.group == service]
    events = GaugeMetricFamily(
        "events_lag", "Events shipped and not done with.", labels=["group", "partition"]
    )
    seconds = GaugeMetricFamily(
        "events_lag_seconds", "Age of the oldest one of them.", labels=["group", "partition"]
    )
    for one in behind:
        events.add_metric([one.group, str(one.partition)], one.events)
        seconds.add_metric([one.group, str(one.partition)], one.seconds)
    yield events
    yield seconds


def gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_text, value=value)
