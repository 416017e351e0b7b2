"""What traces where there is a collector: OpenTelemetry's SDK, with spans of our own making.

The ready-made instrumentation for Flask would follow the trace that any client names, and that for
SQLAlchemy would make a trace of each look of the relay. Spans hold no addresses and no values:
those may be somebody's.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import time_ns
from typing import Any

import structlog
from flask import Flask, Response, g, got_request_exception, request, request_finished
from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from sqlalchemy import Engine, event

from app import events, logs
from app.errors import Unavailable
from app.events import Event, Listener
from app.stages.services.observe import traces
from app.stages.services.observe.requests import ERRORS_FROM, NO_ROUTE, PROBES
from app.tenancy import tenant_or_none

INTERNAL = "/internal/"
PATIENCE_SECONDS = 3
W3C = TraceContextTextMapPropagator()


class Tracing:
    """The traces of one process."""

    def __init__(self, app: Flask) -> None:
        settings = app.config["SETTINGS"]
        resource = Resource.create(
            {"service.name": settings.service, "service.version": settings.release}
        )
        self.provider = TracerProvider(resource=resource)
        exporter = exporter_to(settings.otel_exporter_otlp_endpoint)
        self.provider.add_span_processor(BatchSpanProcessor(exporter))
        self.tracer = self.provider.get_tracer("app")
        # Right after the request has its id, as whatever comes next may ask or query.
        first = app.before_request_funcs[None]
        first.insert(first.index(logs.begin) + 1, self.begin_with_request)
        app.teardown_request(end)
        request_finished.connect(note_answer, app)
        got_request_exception.connect(note_error, app)

    def begin_with_request(self) -> None:
        """Begin a trace. What neighbours ask must prove first that it comes from one."""
        if request.endpoint not in PROBES and not request.path.startswith(INTERNAL):
            self.begin("")

    def begin(self, parent: str) -> None:
        """Begin the span of this request; it ends when the request does."""
        name = f"{request.method} {route()}"
        g.request_span = self.span(name, SpanKind.SERVER, parent)
        g.request_span.__enter__()

    @contextmanager
    def span(
        self, name: str, kind: SpanKind, parent: str | None, about: Mapping[str, str] | None = None
    ) -> Iterator[Span]:
        """A span that what happens below belongs to: of a trace told to us, of none, or of ours.

        `parent` is a traceparent; empty for a new trace; None for the one we're in.
        """
        where = None if parent is None else W3C.extract({"traceparent": parent}, context.Context())
        with self.tracer.start_as_current_span(
            name, where, kind, about, record_exception=False, set_status_on_exception=False
        ) as span:
            known = trace.format_trace_id(span.get_span_context().trace_id)
            with structlog.contextvars.bound_contextvars(trace_id=known):
                yield span

    def here(self) -> str:
        carrier: dict[str, str] = {}
        W3C.inject(carrier)
        return carrier.get("traceparent", "")

    @contextmanager
    def asking(self, service: str, path: str) -> Iterator[None]:
        """What fails here is said by the exception; the caller may live with it."""
        about = {"peer.service": service}
        with self.span(f"POST {path}", SpanKind.CLIENT, None, about) as span:
            try:
                yield
            except Unavailable as error:
                note_failure(span, error)
                raise

    def hand_over(self, parent: str, told: Event, listener: Listener) -> Exception | None:
        about = {
            "messaging.message.id": str(told.id),
            "listener": events.name_of(listener),
            "tenant": told.tenant.slug if told.tenant else "",
        }
        with self.span(f"hear {told.name}", SpanKind.CONSUMER, parent, about) as span:
            error = events.hand_over(told, listener)
            if error:
                note_failure(span, error)
            return error

    def note_statement(self, statement: str, system: str, began_ns: int) -> None:
        """A span for a statement, without the values."""
        self.tracer.start_span(
            statement.split(None, 1)[0].upper(),
            kind=SpanKind.CLIENT,
            attributes={"db.system.name": system, "db.query.text": statement},
            start_time=began_ns,
        ).end()


def exporter_to(collector: str) -> OTLPSpanExporter:
    """What sends spans. A process that stops waits for it, so it gives up sooner than usual."""
    # Each batch that is lost is said once, not each try.
    logging.getLogger(OTLPSpanExporter.__module__).setLevel(logging.ERROR)
    chosen = "OTEL_EXPORTER_OTLP_TIMEOUT" in os.environ  # Which the exporter reads.
    return OTLPSpanExporter(f"{collector}/v1/traces", timeout=None if chosen else PATIENCE_SECONDS)


def route() -> str:
    return request.url_rule.rule if request.url_rule else NO_ROUTE


def note_answer(_app: Flask, response: Response, **_: Any) -> None:
    """Say in the request's span what became of it, and for whom."""
    span = trace.get_current_span()
    span.set_attribute("http.request.method", request.method)
    span.set_attribute("http.route", route())
    span.set_attribute("http.response.status_code", response.status_code)
    if tenant := tenant_or_none():
        span.set_attribute("tenant", tenant.slug)
    if response.status_code >= ERRORS_FROM:
        span.set_status(Status(StatusCode.ERROR))


def note_error(_app: Flask, exception: Exception, **_: Any) -> None:
    note_failure(trace.get_current_span(), exception)


def note_failure(span: Span, error: Exception) -> None:
    """Name what went wrong, but don't quote it."""
    span.set_attribute("error.type", type(error).__qualname__)
    span.set_status(Status(StatusCode.ERROR))


def end(_error: BaseException | None) -> None:
    """End the request's span."""
    if span := g.pop("request_span", None):
        span.__exit__(None, None, None)


@event.listens_for(Engine, "before_cursor_execute")
def note_when_it_began(connection: Any, *_: Any) -> None:
    connection.info["began_ns"] = time_ns()


@event.listens_for(Engine, "after_cursor_execute")
def note_statement(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
    """What belongs to no trace, as the looks of the relay, makes none."""
    if trace.get_current_span().is_recording() and (found := traces.tracing()):
        found.note_statement(statement, connection.dialect.name, connection.info["began_ns"])
