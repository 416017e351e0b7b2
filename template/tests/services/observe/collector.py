"""A collector of traces: takes OTLP over HTTP as any other, and keeps what it was sent."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue


@dataclass(frozen=True)
class Span:
    """A span as it arrived, and which service sent it."""

    service: str
    release: str
    name: str
    kind: int
    trace: str
    id: str
    parent: str
    failed: bool
    seconds: float
    about: dict[str, Any] = field(hash=False)


@dataclass
class Collector:
    """What came in."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def take(self, path: str, kind: str, body: bytes) -> None:
        if (path, kind) != ("/v1/traces", "application/x-protobuf"):
            self.refused.append(f"{path} {kind}")
            return
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = plain(group.resource.attributes)
            for scope in group.scope_spans:
                self.spans += [span_of(one, resource) for one in scope.spans]

    def named(self, service: str, name: str) -> list[Span]:
        return [one for one in self.spans if (one.service, one.name) == (service, name)]

    def of_trace(self, trace: str) -> list[Span]:
        return [one for one in self.spans if one.trace == trace]


def span_of(one: Any, resource: dict[str, Any]) -> Span:
    return Span(
        resource["service.name"],
        resource["service.version"],
        one.name,
        one.kind,
        one.trace_id.hex(),
        one.span_id.hex(),
        one.parent_span_id.hex(),
        one.status.code == 2,
        (one.end_time_unix_nano - one.start_time_unix_nano) / 1e9,
        plain(one.attributes),
    )


def plain(attributes: Any) -> dict[str, Any]:
    return {one.key: value_of(one.value) for one in attributes}


def value_of(value: AnyValue) -> Any:
    return getattr(value, value.WhichOneof("value"))


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector at an address of its own."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.take(self.path, self.headers["Content-Type"], body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    collector.url = f"http://127.0.0.1:{server.server_port}"
    yield collector
    server.shutdown()
    server.server_close()
