"""Each answer is counted: by route, and by tenant where it was for one."""

import time
from functools import cache
from typing import Any

from flask import Flask, Response, g, request, request_finished
from prometheus_client import Counter, Histogram

from app.stages.services.observe import names
from app.stages.services.observe.tenants import Named
from app.tenancy import tenant_or_none

# Asked every few seconds and always well, these would make any share of errors look small.
PROBES = {"health.live", "health.ready", "metrics.metrics"}
# A client may send any word as its method, and each would be a series that stays.
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
NO_ROUTE = "none"
ERRORS_FROM = 500


def init_app(app: Flask) -> None:
    app.extensions["tenants_named"] = Named(app.config["SETTINGS"].metrics_tenants)
    request_finished.connect(count, app)


def count(app: Flask, response: Response, **_: Any) -> None:
    """Note one answer."""
    if request.endpoint in PROBES:
        return
    settings = app.config["SETTINGS"]
    service, release = settings.service, settings.release
    route = request.url_rule.rule if request.url_rule else NO_ROUTE
    method = request.method if request.method in METHODS else "other"
    seconds = time.perf_counter() - g.started_at if "started_at" in g else 0.0
    status = response.status_code
    answered, took = series_of(service, release, route, method, status)
    answered.inc()
    took.observe(seconds)
    if tenant := tenant_or_none():
        named = app.extensions["tenants_named"].name_of(tenant.slug)
        outcome = "error" if status >= ERRORS_FROM else "ok"
        names.TENANT_REQUESTS.labels(named, service, release, outcome).inc()
        names.TENANT_SECONDS.labels(service, release).observe(seconds)


@cache
def series_of(
    service: str, release: str, route: str, method: str, status: int
) -> tuple[Counter, Histogram]:
    """The series of a kind of answer. To look them up each time takes as long as to count."""
    return (
        names.HTTP_REQUESTS.labels(service, route, method, status, release),
        names.HTTP_SECONDS.labels(service, route, release),
    )
