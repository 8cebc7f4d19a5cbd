"""A collector of traces: an HTTP server that takes OTLP in protobuf and keeps the spans."""

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan

from tidegate_common.events.trace import TraceContext


@dataclass(frozen=True, slots=True)
class CollectedSpan:
    """A span as it came; `resource` is what is said of its process, `service` its name in that."""

    resource: dict[str, str | int]
    service: str
    name: str
    kind: str
    context: TraceContext
    parent: TraceContext | None
    links: tuple[TraceContext, ...]
    start_ns: int
    end_ns: int
    attributes: dict[str, str | int]


class Collector:
    """Listens on a free port while it is entered; a path before OTLP's own is no matter."""

    def __init__(self) -> None:
        self.spans: list[CollectedSpan] = []
        self.paths: set[str] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _take(self, path: str, body: bytes) -> None:
        assert path.endswith("/v1/traces")
        self.paths.add(path)
        request = ExportTraceServiceRequest.FromString(body)
        for resource_spans in request.resource_spans:
            resource = _values(resource_spans.resource.attributes)
            for scope_spans in resource_spans.scope_spans:
                self.spans += [_collected(resource, span) for span in scope_spans.spans]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


def _collected(resource: dict[str, str | int], span: SentSpan) -> CollectedSpan:
    trace_id = int.from_bytes(span.trace_id, "big")
    parent_id = int.from_bytes(span.parent_span_id, "big")
    return CollectedSpan(
        resource=resource,
        service=str(resource["service.name"]),
        name=span.name,
        kind=SentSpan.SpanKind.Name(span.kind),
        context=TraceContext(trace_id, int.from_bytes(span.span_id, "big")),
        parent=TraceContext(trace_id, parent_id) if parent_id else None,
        links=tuple(
            TraceContext(int.from_bytes(link.trace_id, "big"), int.from_bytes(link.span_id, "big"))
            for link in span.links
        ),
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        attributes=_values(span.attributes),
    )


def _values(pairs: "list[KeyValue]") -> dict[str, str | int]:
    return {
        pair.key: pair.value.int_value
        if pair.value.HasField("int_value")
        else pair.value.string_value
        for pair in pairs
    }
