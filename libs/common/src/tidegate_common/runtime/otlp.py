"""Sends spans to a collector by OTLP over HTTP; imported only where one is named.

Spans wait in a queue that is bounded, and a thread of its own sends them: a collector that is slow
or away costs traces, never a beat.
"""

import logging
import os
import socket
from collections.abc import Sequence
from threading import Thread
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags

from tidegate_common.events.trace import TraceContext
from tidegate_common.runtime.logging import get_logger
from tidegate_common.runtime.tracing import Span

TRACES_PATH: Final = "/v1/traces"
CLOSING_THREAD: Final = "traces-close"
# 8,192 spans of about 2 KB: what a beat a millisecond says in two seconds, all of it traced.
_QUEUE_SPANS_MAX: Final = 8_192
_SEND_EVERY_MS: Final = 1_000
_BATCH_SPANS_MAX: Final = 512
_SEND_SECONDS_MAX: Final = 5.0
# Less than the runtime has for its end, with what a service needs besides.
_CLOSE_SECONDS_MAX: Final = 2.0
_SCOPE: Final = InstrumentationScope("tidegate")
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_KINDS: Final = {
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "server": SpanKind.SERVER,
}


class OtlpTracer:
    """Keeps spans until they are sent.

    Parameters
    ----------
    service : whose spans they are. endpoint : of the collector, such as `http://collector:4318`.
    ratio : the share of traces that are kept, of those that begin here; 0 to 1.
    """

    def __init__(self, *, service: str, endpoint: str, ratio: float) -> None:
        self.ratio = ratio
        # What goes wrong is told here, once, and not by the library at every try.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        exporter = OTLPSpanExporter(
            endpoint=endpoint.rstrip("/") + TRACES_PATH,
            timeout=_SEND_SECONDS_MAX,
        )
        self._resource = Resource.create(
            {
                "service.name": service,
                "service.namespace": "tidegate",
                "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
            },
        )
        self._processor = BatchSpanProcessor(
            TellingExporter(exporter, endpoint),
            max_queue_size=_QUEUE_SPANS_MAX,
            schedule_delay_millis=_SEND_EVERY_MS,
            max_export_batch_size=_BATCH_SPANS_MAX,
        )

    def tell(self, span: Span) -> None:
        """Keep a span; the oldest one is dropped where there are too many."""
        self._processor.on_end(
            ReadableSpan(
                name=span.name,
                context=_context(span.context),
                parent=_context(span.parent, is_remote=True) if span.parent else None,
                resource=self._resource,
                attributes=dict(span.attributes),
                links=[Link(_context(link, is_remote=True)) for link in span.links],
                kind=_KINDS[span.kind],
                start_time=span.start_ns,
                end_time=span.end_ns,
                instrumentation_scope=_SCOPE,
            ),
        )

    def close(self) -> None:
        """Send what is kept, within two seconds; what is not sent by then is lost."""
        closing = Thread(target=self._processor.shutdown, name=CLOSING_THREAD, daemon=True)
        closing.start()
        closing.join(_CLOSE_SECONDS_MAX)


class TellingExporter(SpanExporter):
    """Hands spans on to an exporter, and tells when that begins to fail, and when it is over."""

    def __init__(self, exporter: SpanExporter, endpoint: str) -> None:
        self._exporter = exporter
        self._log = get_logger().bind(endpoint=endpoint)
        self._lost_spans = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans; those that are not taken are lost."""
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            if self._lost_spans:
                self._log.info("traces_sent_again", lost_spans=self._lost_spans)
            self._lost_spans = 0
            return result
        if not self._lost_spans:
            self._log.warning("traces_not_sent", spans=len(spans))
        self._lost_spans += len(spans)
        return result

    def shutdown(self) -> None:
        """Let go of the connection."""
        self._exporter.shutdown()


def _context(context: TraceContext, *, is_remote: bool = False) -> SpanContext:
    return SpanContext(context.trace_id, context.span_id, is_remote, _SAMPLED)
