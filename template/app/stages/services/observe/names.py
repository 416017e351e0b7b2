"""What is counted: the name of each metric, what it means, and its labels.

Each carries the service and the release, so that two releases that run side by side can be told
apart. What is asked anew at each look is in `scraped.py`. docs/observability.md has both lists.
"""

from flask import current_app
from prometheus_client import Counter, Histogram, disable_created_metrics

# When a series was made is a series of its own; nothing asks for it.
disable_created_metrics()

OURS = ("service", "release")

HTTP_REQUESTS = Counter(
    "http_requests_total",
    "Requests answered, health checks left out.",
    ("service", "route", "method", "status", "release"),
)
HTTP_SECONDS = Histogram(
    "http_request_duration_seconds",
    "Seconds until an answer began.",
    ("service", "route", "release"),
)
TENANT_REQUESTS = Counter(
    "tenant_requests_total",
    "Requests answered for a tenant; error: the answer was a 5xx.",
    ("tenant", "service", "release", "outcome"),
)
TENANT_SECONDS = Histogram(
    "tenant_request_duration_seconds", "Seconds until an answer for a tenant began.", OURS
)
QUESTIONS = Counter(
    "questions_total",
    "Questions to a neighbour; unavailable: there was no answer, all tries included.",
    ("service", "release", "to", "outcome"),
)
QUESTION_SECONDS = Histogram(
    "question_duration_seconds",
    "Seconds that a question took, all tries included.",
    ("service", "release", "to"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
JOBS = Counter(
    "jobs_total",
    "Jobs that ran; again: failed and will be tried again, failed: given up.",
    (*OURS, "outcome"),
)
JOB_SECONDS = Histogram(
    "job_duration_seconds",
    "Seconds that a job ran.",
    OURS,
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900),
)
EVENTS_SHIPPED = Counter("events_shipped_total", "Events put into the streams.", OURS)
EVENTS_HEARD = Counter(
    "events_heard_total",
    "Events told to a listener; again: it failed and is tried again, dead: given up.",
    (*OURS, "outcome"),
)
EVENT_DELAY = Histogram(
    "event_delay_seconds",
    "Seconds between what happened and a listener having heard it.",
    OURS,
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1800, 3600),
)


def ours() -> tuple[str, str]:
    """The service and the release of the process at work."""
    settings = current_app.config["SETTINGS"]
    return settings.service, settings.release
