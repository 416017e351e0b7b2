"""Who measures: Prometheus, or the services' own /metrics where there is none.

    source.tenants("1.5.0", since)    {"acme": Counts(requests, errors), ...}
    source.seconds("1.5.0", since)    {0.1: how many took at most 0.1 s, ...}

Another one, such as a vendor's, needs just these two. Both raise `SourceAway` when they can't tell,
and never answer with nothing instead.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import urllib3
from prometheus_client.parser import text_string_to_metric_families
from urllib3.exceptions import HTTPError

from app.stages.services.rollout.errors import SourceAway
from app.stages.services.rollout.gates import Buckets, Counts
from app.stages.services.settings import SERVICES

REQUESTS = "tenant_requests_total"
SECONDS = "tenant_request_duration_seconds_bucket"
PATIENCE_SECONDS = 10
Labels = tuple[str, ...]


class Source(Protocol):
    """What tells how a release does."""

    def tenants(self, release: str, since: datetime) -> dict[str, Counts]:
        """The requests of each tenant in a release, and how many of them failed."""

    def seconds(self, release: str, since: datetime) -> Buckets:
        """How long requests took in a release."""


def asker() -> urllib3.PoolManager:
    return urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(PATIENCE_SECONDS))


class Prometheus:
    """A Prometheus, or whatever speaks its HTTP API."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.http = asker()

    def tenants(self, release: str, since: datetime) -> dict[str, Counts]:
        self.refuse_to_be_blind(release)
        found: dict[str, Counts] = {}
        counted = self.grown(REQUESTS, release, since, ("tenant", "outcome"))
        for (tenant, outcome), count in counted.items():
            before = found.get(tenant, Counts())
            errors = count if outcome == "error" else 0
            found[tenant] = Counts(before.requests + count, before.errors + errors)
        return found

    def seconds(self, release: str, since: datetime) -> Buckets:
        grown = self.grown(SECONDS, release, since, ("le",))
        return {float(bound): count for (bound,), count in grown.items()}

    def refuse_to_be_blind(self, release: str) -> None:
        """No figures of a service are not the same as no errors in it."""
        asked = f'count by (service) (app_info{{release="{release}"}})'
        seen = {one["metric"].get("service") for one in self.query(asked)}
        if missing := [service for service in SERVICES if service not in seen]:
            raise SourceAway(f"Prometheus sees nothing of {', '.join(missing)} in {release}")

    def grown(
        self, metric: str, release: str, since: datetime, labels: Labels
    ) -> dict[Labels, float]:
        """How far a counter has come since a moment.

        The difference, which counts what a series begins with: a tenant that has just got the
        release. Only where a process was started anew meanwhile it's `increase`, which estimates.
        """
        seconds = max(1, round((datetime.now(UTC) - since).total_seconds()))
        by, which = f"sum by ({', '.join(labels)})", f'{metric}{{release="{release}"}}'
        if self.query(f"sum (resets({which}[{seconds}s])) > 0"):
            return self.values(f"{by} (increase({which}[{seconds}s]))", labels)
        now = self.values(f"{by} ({which})", labels)
        then = self.values(f"{by} ({which})", labels, at=since)
        return {one: max(count - then.get(one, 0), 0) for one, count in now.items()}

    def values(self, asked: str, labels: Labels, at: datetime | None = None) -> dict[Labels, float]:
        return {
            tuple(one["metric"].get(label, "") for label in labels): float(one["value"][1])
            for one in self.query(asked, at)
        }

    def query(self, asked: str, at: datetime | None = None) -> list[dict[str, Any]]:
        fields = {"query": asked} | ({"time": str(at.timestamp())} if at else {})
        try:
            answer = self.http.request("GET", f"{self.url}/api/v1/query", fields=fields)
            said = answer.json()
            if answer.status != 200 or said.get("status") != "success":
                raise SourceAway(
                    f"Prometheus answers {answer.status}: {said.get('error', 'no reason given')}"
                )
            found: list[dict[str, Any]] = said["data"]["result"]
        except (HTTPError, ValueError, KeyError, AttributeError) as error:
            raise SourceAway(f"Prometheus doesn't answer at {self.url}: {error!r}") from None
        return found


@dataclass(frozen=True, slots=True)
class Look:
    """All counters of a release at one moment, by instance, metric and labels."""

    at: float
    values: Mapping[Labels, float]


@dataclass
class Scrape:
    """The services' own /metrics, without a Prometheus.

    For a laptop, and for one gunicorn a service: behind a load balancer each look would meet
    another instance. What it saw is gone when the command ends; after that it counts anew.
    """

    instances: Callable[[str], Iterable[str]]
    looks: dict[str, list[Look]] = field(default_factory=lambda: defaultdict(list))
    http: urllib3.PoolManager = field(default_factory=asker)

    def tenants(self, release: str, since: datetime) -> dict[str, Counts]:
        found: dict[str, Counts] = {}
        for labels, count in self.grown(REQUESTS, release, since, ("tenant", "outcome")).items():
            tenant, outcome = labels
            before = found.get(tenant, Counts())
            errors = count if outcome == "error" else 0
            found[tenant] = Counts(before.requests + count, before.errors + errors)
        return {tenant: counts for tenant, counts in found.items() if counts.requests}

    def seconds(self, release: str, since: datetime) -> Buckets:
        grown = self.grown(SECONDS, release, since, ("le",))
        return {float(bound): count for (bound,), count in grown.items()}

    def grown(
        self, metric: str, release: str, since: datetime, labels: Labels
    ) -> dict[Labels, float]:
        now = self.look(release)
        known = self.looks[release]
        before = [one for one in known if one.at <= since.timestamp()]
        base = (before[-1] if before else known[0]).values
        found: dict[Labels, float] = defaultdict(float)
        for series, value in now.values.items():
            if series[1] != metric:
                continue
            of = dict(zip(series[2::2], series[3::2], strict=True))
            grown = value - base.get(series, 0)
            # Less than before: it was started anew, and counts from nothing.
            found[tuple(of.get(label, "") for label in labels)] += grown if grown >= 0 else value
        return found

    def look(self, release: str) -> Look:
        """Ask all instances. What was asked a moment ago still counts."""
        known = self.looks[release]
        if known and time.time() - known[-1].at < 0.5:
            return known[-1]
        values: dict[Labels, float] = {}
        for address in self.instances(release):
            for name, of, value in self.ask(address):
                if of.get("release") == release:
                    series = [part for label in sorted(of) for part in (label, of[label])]
                    values[address, name, *series] = value
        known.append(Look(time.time(), values))
        return known[-1]

    def ask(self, address: str) -> list[tuple[str, dict[str, str], float]]:
        try:
            answer = self.http.request("GET", f"http://{address}/metrics")
            if answer.status != 200:
                raise SourceAway(f"{address}/metrics answers {answer.status}")
            return [
                (sample.name, dict(sample.labels), sample.value)
                for family in text_string_to_metric_families(answer.data.decode())
                for sample in family.samples
                if sample.name in {REQUESTS, SECONDS}
            ]
        except (HTTPError, ValueError) as error:
            raise SourceAway(f"{address}/metrics doesn't answer: {error!r}") from None


class NoSource:
    """Nobody measures: it can't be told how a release does."""

    def tenants(self, release: str, since: datetime) -> dict[str, Counts]:
        raise SourceAway("PROMETHEUS_URL isn't set, so nobody measures")

    def seconds(self, release: str, since: datetime) -> Buckets:
        raise SourceAway("PROMETHEUS_URL isn't set, so nobody measures")
