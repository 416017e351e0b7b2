"""What is asked anew at each look: what waits in this service's database, in Redis, its key.

What is away is left out and said so (`metrics_source_up`): while Redis is down, Prometheus must
still see what the requests do.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import structlog
from flask import Flask
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select, text

from app.db import PACKAGES, db, now
from app.doors import serves
from app.jobs import Job
from app.stages.services import keys
from app.stages.services.events import metrics as events
from app.stages.services.observe import names

log = structlog.get_logger()

STATES = ("running", "paused", "done", "stopped")
THERE = "SELECT to_regclass('rollout.followers') IS NOT NULL"
NEWEST = "SELECT release, state, wave FROM rollout.rollouts ORDER BY id DESC LIMIT 1"
PINNED = "SELECT release, count(*) FROM rollout.pins GROUP BY release"
BEHIND = """
    SELECT followers.name, gateway.version - followers.version
    FROM rollout.followers AS followers, rollout.gateway AS gateway
"""


class Scraped(Collector):
    """Everything that isn't counted as it happens."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def collect(self) -> Iterable[Metric]:
        with self.app.app_context():
            sources: dict[str, Callable[[], Iterator[Metric]]] = {
                "process": of_process,
                "database": of_database,
                "redis": events.of_streams,
            }
            if serves("auth"):
                sources["rollout"] = of_rollout
            # What a later stage looks after.
            sources |= self.app.extensions.get("metrics_sources", {})
            up = GaugeMetricFamily(
                "metrics_source_up",
                "Whether what is asked at each look answered.",
                labels=["service", "source"],
            )
            service, _release = names.ours()
            for source, ask in sources.items():
                found = answer_of(source, ask)
                up.add_metric([service, source], 0 if found is None else 1)
                yield from found or []
            yield up

    def describe(self) -> Iterable[Metric]:
        """Nothing: to be registered must cost no look."""
        return []


def answer_of(source: str, ask: Callable[[], Iterator[Metric]]) -> list[Metric] | None:
    try:
        return list(ask())
    except Exception as error:
        log.warning("metrics incomplete", source=source, error=repr(error))
        return None


def of_process() -> Iterator[Metric]:
    service, release = names.ours()
    info = GaugeMetricFamily("app_info", "Which release this is.", labels=["service", "release"])
    info.add_metric([service, release], 1)
    yield info
    ends = GaugeMetricFamily(
        "signing_key_end_timestamp_seconds",
        "When the key that signs ends; left out if it doesn't.",
        labels=["service"],
    )
    if until := keys.newest(keys.own_keys()).until:
        ends.add_metric([service], until)
    yield ends


def of_database() -> Iterator[Metric]:
    yield from events.of_outbox()
    service, _release = names.ours()
    due = (Job.state == "queued") & (Job.due_at <= now())
    count, oldest = db.session.execute(select(func.count(), func.min(Job.due_at)).where(due)).one()
    seconds = (now() - oldest).total_seconds() if oldest else 0.0
    yield events.gauge("jobs_waiting", "Jobs that are due and not taken up.", count, service)
    yield events.gauge("jobs_waiting_seconds", "Since when the oldest is due.", seconds, service)


def of_rollout() -> Iterator[Metric]:
    """How far the newest rollout is, who is pinned to what, and which gateway doesn't follow.

    Only auth knows: its database remembers rollouts. Nothing is said before the first one.
    """
    state = GaugeMetricFamily(
        "rollout_state",
        "1 for the state that the newest rollout is in.",
        labels=["release", "state"],
    )
    wave = GaugeMetricFamily("rollout_wave", "The wave it's in; -1 before.", labels=["release"])
    pinned = GaugeMetricFamily(
        "rollout_pinned_tenants", "Tenants pinned to a release.", labels=["release"]
    )
    behind = GaugeMetricFamily(
        "rollout_follower_behind", "Changes that a gateway hasn't taken over.", labels=["follower"]
    )
    for release, current, number in ask_rollout(NEWEST):
        for known in STATES:
            state.add_metric([release, known], int(known == current))
        wave.add_metric([release], number)
    for release, count in ask_rollout(PINNED):
        pinned.add_metric([release], count)
    for follower, count in ask_rollout(BEHIND):
        behind.add_metric([follower], count)
    yield from (state, wave, pinned, behind)


def ask_rollout(statement: str) -> list[Any]:
    """Rows of what is remembered of rollouts; none where nothing is."""
    with db.reader(PACKAGES["auth"]).connect() as connection:
        if connection.dialect.name != "postgresql" or not connection.scalar(text(THERE)):
            return []
        return list(connection.execute(text(statement)))
