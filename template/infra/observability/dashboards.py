"""The dashboards, as data: `python infra/observability/dashboards.py` writes dashboards/*.json.

Grafana's own form of them is long and repeats itself; here each panel is a line. A test compares.
"""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "dashboards"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
CHOSEN = 'service=~"$service", release=~"$release"'
Query = tuple[str, str]  # PromQL, and what the line is called.


def panel(title: str, unit: str, *queries: Query, kind: str = "timeseries", about: str = "") -> Any:
    """A panel; where it stands is decided by `dashboard`."""
    return {
        "type": kind,
        "title": title,
        "description": about,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {},
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": SOURCE,
                "expr": expr,
                "legendFormat": name,
                **({"instant": True, "format": "table"} if kind == "table" else {}),
            }
            for number, (expr, name) in enumerate(queries)
        ],
    }


def variable(name: str, query: str, *, many: bool = True) -> Any:
    """What can be chosen at the top."""
    return {
        "name": name,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "multi": many,
        "includeAll": many,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
        "sort": 1,
    }


SERVICE = variable("service", "label_values(app_info, service)")
RELEASE = variable("release", "label_values(app_info, release)")
TENANT = variable("tenant", "label_values(tenant_requests_total, tenant)")
DATASOURCE = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Source"}


def dashboard(uid: str, title: str, variables: list[Any], *panels: Any) -> Any:
    """A dashboard of two columns."""
    placed = [
        {"id": number + 1, **one, "gridPos": {"x": 12 * (number % 2), "y": y, "w": 12, "h": 8}}
        for number, one in enumerate(panels)
        for y in [8 * (number // 2)]
    ]
    return {
        "uid": uid,
        "title": title,
        "tags": ["app"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [DATASOURCE, *variables]},
        "panels": placed,
    }


OVERVIEW = dashboard(
    "app-overview",
    "Services",
    [SERVICE, RELEASE],
    panel(
        "Requests",
        "reqps",
        (f"service_release:http_requests:rate5m{{{CHOSEN}}}", "{{service}} {{release}}"),
    ),
    panel(
        "Errors",
        "percentunit",
        (f"service_release:http_error_ratio:rate5m{{{CHOSEN}}}", "{{service}} {{release}}"),
        about="The share of answers that are 5xx.",
    ),
    panel(
        "Duration",
        "s",
        (f"service_release:http_request_duration_seconds:p50_5m{{{CHOSEN}}}", "{{service}} p50"),
        (f"service_release:http_request_duration_seconds:p95_5m{{{CHOSEN}}}", "{{service}} p95"),
        (f"service_release:http_request_duration_seconds:p99_5m{{{CHOSEN}}}", "{{service}} p99"),
    ),
    panel(
        "How fast the error budget goes",
        "none",
        (
            (
                'service:http_error_ratio:rate1h{service=~"$service"} '
                "/ on () group_left () slo:http_error_budget:ratio"
            ),
            "{{service}} 1 h",
        ),
        (
            (
                'service:http_error_ratio:rate3d{service=~"$service"} '
                "/ on () group_left () slo:http_error_budget:ratio"
            ),
            "{{service}} 3 days",
        ),
        about="At 1 it's just used up at the month's end; at 14.4 in two days.",
    ),
    panel(
        "The routes that are asked most",
        "reqps",
        (
            f"topk(15, sum by (service, route) (rate(http_requests_total{{{CHOSEN}}}[5m])))",
            "{{service}} {{route}}",
        ),
        kind="table",
    ),
    panel(
        "The slowest routes",
        "s",
        (
            (
                "topk(15, histogram_quantile(0.95, sum by (service, route, le) "
                f"(rate(http_request_duration_seconds_bucket{{{CHOSEN}}}[5m]))))"
            ),
            "{{service}} {{route}}",
        ),
        kind="table",
    ),
    panel(
        "Answers by status",
        "reqps",
        (
            f"sum by (status, method) (rate(http_requests_total{{{CHOSEN}}}[5m]))",
            "{{method}} {{status}}",
        ),
    ),
    panel(
        "Questions that nobody answered",
        "percentunit",
        ('service:questions_unavailable:ratio_rate5m{service=~"$service"}', "{{service}} → {{to}}"),
        about="All tries included.",
    ),
    panel(
        "Duration of questions to neighbours",
        "s",
        (
            (
                "histogram_quantile(0.95, sum by (service, to, le) "
                f"(rate(question_duration_seconds_bucket{{{CHOSEN}}}[5m])))"
            ),
            "{{service}} → {{to}} p95",
        ),
    ),
    panel(
        "What answers Prometheus",
        "short",
        (f"count by (service, release) (app_info{{{CHOSEN}}})", "{{service}} {{release}}"),
        (
            'min by (service, source) (metrics_source_up{service=~"$service"})',
            "{{service}}: {{source}}",
        ),
    ),
)

TENANTS = dashboard(
    "app-tenants",
    "Tenants",
    [TENANT, RELEASE],
    panel(
        "Requests",
        "reqps",
        (
            (
                'topk(20, sum by (tenant) (tenant_release:requests:rate5m{tenant=~"$tenant", '
                'release=~"$release"}))'
            ),
            "{{tenant}}",
        ),
        about="`other`: all tenants beyond METRICS_TENANTS.",
    ),
    panel(
        "Errors",
        "percentunit",
        (
            (
                "topk(20, tenant_release:error_ratio:rate5m{"
                'tenant=~"$tenant", release=~"$release"} > 0)'
            ),
            "{{tenant}} {{release}}",
        ),
    ),
    panel(
        "Errors by service",
        "reqps",
        (
            (
                "sum by (tenant, service) (rate(tenant_requests_total{"
                'outcome="error", tenant=~"$tenant", release=~"$release"}[5m])) > 0'
            ),
            "{{tenant}} {{service}}",
        ),
    ),
    panel(
        "How many tenants are counted by name",
        "short",
        (
            (
                "count by (service) (count by (service, tenant) ("
                'tenant_requests_total{tenant!="other"}))'
            ),
            "{{service}}",
        ),
    ),
)

WORK = dashboard(
    "app-work",
    "Events and jobs",
    [SERVICE],
    panel(
        "Events that wait in the outbox",
        "short",
        ('max by (service) (events_outbox_pending{service=~"$service"})', "{{service}}"),
    ),
    panel(
        "How long the oldest has waited",
        "s",
        ('max by (service) (events_outbox_seconds{service=~"$service"})', "{{service}}"),
    ),
    panel(
        "Events that a service hasn't heard",
        "short",
        (
            'sum by (group) (max by (group, partition) (events_lag{group=~"$service"}))',
            "{{group}}",
        ),
    ),
    panel(
        "How far it is behind",
        "s",
        ('group:events_lag_seconds:max{group=~"$service"}', "{{group}}"),
    ),
    panel(
        "Events shipped and heard",
        "ops",
        (
            'sum by (service) (rate(events_shipped_total{service=~"$service"}[5m]))',
            "{{service}} shipped",
        ),
        (
            'sum by (service, outcome) (rate(events_heard_total{service=~"$service"}[5m]))',
            "{{service}} {{outcome}}",
        ),
    ),
    panel(
        "From what happened to whoever heard",
        "s",
        ('service:event_delay_seconds:p95_5m{service=~"$service"}', "{{service}} p95"),
    ),
    panel("Dead letters", "short", ("max(events_dead)", "all services"), kind="stat"),
    panel(
        "Jobs that ended",
        "ops",
        (
            'sum by (service, outcome) (rate(jobs_total{service=~"$service"}[5m]))',
            "{{service}} {{outcome}}",
        ),
    ),
    panel(
        "Jobs that are due",
        "short",
        ('max by (service) (jobs_waiting{service=~"$service"})', "{{service}}"),
    ),
    panel(
        "How long the oldest is due",
        "s",
        ('max by (service) (jobs_waiting_seconds{service=~"$service"})', "{{service}}"),
    ),
    panel(
        "How long jobs run",
        "s",
        (
            (
                "histogram_quantile(0.95, sum by (service, le) "
                '(rate(job_duration_seconds_bucket{service=~"$service"}[15m])))'
            ),
            "{{service}} p95",
        ),
    ),
    panel(
        "Jobs given up",
        "percentunit",
        ('service:jobs_failed:ratio_rate1h{service=~"$service"}', "{{service}}"),
    ),
)

ROLLOUT = dashboard(
    "app-rollout",
    "Rollout",
    [RELEASE],
    panel(
        "Where it is",
        "short",
        ("max by (release, state) (rollout_state) == 1", "{{release}} {{state}}"),
        ("max by (release) (rollout_wave)", "{{release}} wave"),
        kind="stat",
    ),
    panel(
        "Tenants by release",
        "short",
        ("max by (release) (rollout_pinned_tenants)", "{{release}} pinned"),
    ),
    panel(
        "Requests by release",
        "reqps",
        (
            'sum by (release) (service_release:http_requests:rate5m{release=~"$release"})',
            "{{release}}",
        ),
    ),
    panel(
        "Errors by release",
        "percentunit",
        ('release:tenant_error_ratio:rate5m{release=~"$release"}', "{{release}}"),
    ),
    panel(
        "Duration by release",
        "s",
        ('release:tenant_request_duration_seconds:p95_5m{release=~"$release"}', "{{release}} p95"),
    ),
    panel(
        "Tenants with errors",
        "percentunit",
        (
            'topk(20, tenant_release:error_ratio:rate5m{release=~"$release"} > 0)',
            "{{tenant}} {{release}}",
        ),
    ),
    panel(
        "Gateways behind",
        "short",
        ("max by (follower) (rollout_follower_behind)", "{{follower}}"),
        about="How many changes of the pins a gateway hasn't taken over.",
    ),
    panel(
        "Errors by service and release",
        "percentunit",
        (
            'service_release:http_error_ratio:rate5m{release=~"$release"}',
            "{{service}} {{release}}",
        ),
    ),
)

DASHBOARDS = {"overview": OVERVIEW, "tenants": TENANTS, "work": WORK, "rollout": ROLLOUT}


def written(made: Any) -> str:
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, made in DASHBOARDS.items():
        (FOLDER / f"{name}.json").write_text(written(made), "utf-8")
