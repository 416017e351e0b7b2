"""How far events are behind, for Prometheus."""

from collections.abc import Iterator

from flask import current_app
from prometheus_client.core import GaugeMetricFamily, Metric

from app.stages.services.events import lag, streams


def of_outbox() -> Iterator[Metric]:
    """What this service has committed and not shipped yet."""
    service = current_app.config["SETTINGS"].service
    waiting = lag.backlog()
    yield gauge("events_outbox_pending", "Events not shipped yet.", waiting.events, service)
    yield gauge("events_outbox_seconds", "Age of the oldest one of them.", waiting.seconds, service)


def of_streams() -> Iterator[Metric]:
    """The dead letters, and how far this service is behind, by partition."""
    service = current_app.config["SETTINGS"].service
    client = streams.redis()
    yield GaugeMetricFamily("events_dead", "Dead letters of all services.", lag.dead(client))
    behind = [one for one in lag.of_all(client) if one.group == service]
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


def gauge(name: str, help_text: str, value: float, service: str) -> Metric:
    """One value of this service."""
    family = GaugeMetricFamily(name, help_text, labels=["service"])
    family.add_metric([service], value)
    return family
