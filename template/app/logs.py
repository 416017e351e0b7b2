"""Structured logs: every line says which request, tenant and person it belongs to."""

import logging
import re
import sys
import time
from collections.abc import MutableMapping
from typing import Any

import structlog
from flask import Flask, Response, g, has_app_context, request

from app.columns import new_id

REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
QUIET = {"static", "health.live", "health.ready"}


def init_app(app: Flask) -> None:
    configure(app.config["SETTINGS"])
    app.before_request(begin)
    app.after_request(log_request)


def configure(settings: Any) -> None:
    """JSON lines in production, readable lines on a terminal."""
    # Werkzeug's development server would say each request a second time.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    structlog.configure(
        processors=[*facts(settings), *rendering(settings)],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.log_level]
        ),
        logger_factory=to_stderr,
        cache_logger_on_first_use=settings.in_production,
    )


def to_stderr(*_: Any) -> structlog.PrintLogger:
    """Looked up late: tests put another stream in its place, and close it."""
    return structlog.PrintLogger(sys.stderr)


def facts(settings: Any) -> list[Any]:
    """What is added to each line."""
    clock = (
        structlog.processors.TimeStamper(fmt="iso")
        if settings.in_production
        else structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
    )
    return [structlog.contextvars.merge_contextvars, who, structlog.processors.add_log_level, clock]


def who(_logger: Any, _level: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Whom the line is about, as far as that is known already: a log must not ask a database."""
    if has_app_context():
        if tenant := g.get("tenant"):
            line["tenant"], line["tenant_id"] = tenant.slug, str(tenant.id)
        if user_id := getattr(g.get("_login_user"), "id", None) or g.get("actor_id"):
            line["user_id"] = str(user_id)
    return line


def rendering(settings: Any) -> list[Any]:
    """How a line is written."""
    if not settings.in_production:
        return [for_people, console()]
    # Tracebacks without the local variables: those hold passwords, tokens and other people's rows.
    traces = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [structlog.processors.ExceptionRenderer(traces), structlog.processors.JSONRenderer()]


def of_libraries(settings: Any) -> dict[str, Any]:
    """For `logging.config.dictConfig`: what libraries and gunicorn log, written as ours is."""
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": facts(settings),
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *rendering(settings),
        ],
    }
    handler = {"class": "logging.StreamHandler", "formatter": "ours", "stream": "ext://sys.stderr"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"ours": formatter},
        "handlers": {"ours": handler},
        "root": {"level": "WARNING", "handlers": ["ours"]},
        "loggers": {"gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True}},
    }


def console() -> structlog.dev.ConsoleRenderer:
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )


def for_people(_logger: Any, _level: str, line: MutableMapping[str, Any]) -> Any:
    """Say a request as one would read it out."""
    for long in ("tenant_id", "user_id"):
        line.pop(long, None)
    if line["event"] == "request":
        words = [line.pop(word) for word in ("method", "path", "status", "ms")]
        line["event"] = "{} {} {} ({} ms)".format(*words)
    return line


def begin() -> None:
    g.started_at = time.perf_counter()
    g.request_id = request_id()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def request_id() -> str:
    """The proxy's id of the request where it gives a sane one, else a new one."""
    given = request.headers.get("X-Request-ID", "")
    return given if REQUEST_ID.fullmatch(given) else new_id().hex


def log_request(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    if request.endpoint not in QUIET:
        structlog.get_logger().info(
            "request",
            method=request.method,
            path=request.script_root + request.path,
            status=response.status_code,
            ms=round((time.perf_counter() - g.started_at) * 1000, 1),
        )
    return response
