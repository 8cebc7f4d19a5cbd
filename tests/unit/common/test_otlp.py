"""Spans on their way to a collector: what it is sent, and what happens when it is away."""

import logging
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from tests.collector import Collector

from tidegate_common.events.trace import TraceContext
from tidegate_common.runtime import otlp
from tidegate_common.runtime.otlp import CLOSING_THREAD, OtlpTracer, TellingExporter
from tidegate_common.runtime.tracing import Span

PARENT, LINK = TraceContext(7, 1), TraceContext(8, 2)
BURST = 4_000
SPAN = Span(
    name="process signal.scores.v1",
    kind="consumer",
    context=TraceContext(7, 3),
    parent=PARENT,
    start_ns=1_000,
    end_ns=2_000,
    links=(LINK,),
    attributes={"tidegate.run": "run-1", "tidegate.beat": 5},
)


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Listen as a collector does."""
    with Collector() as listening:
        yield listening


@contextmanager
def deaf_address() -> Iterator[str]:
    """Listen, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_tracer_sends_spans_as_they_were_told(collector: Collector) -> None:
    """Ids, times, links and attributes, under the service's name; the end sends what is kept."""
    tracer = OtlpTracer(service="risk", endpoint=f"{collector.url}/desk/", ratio=0.5)

    tracer.tell(SPAN)
    tracer.close()

    (told,) = collector.spans
    assert tracer.ratio == 0.5
    assert collector.paths == {"/desk/v1/traces"}
    assert told.resource["service.namespace"] == "tidegate"
    assert str(told.resource["service.instance.id"]).endswith(f":{os.getpid()}")
    assert (told.service, told.name, told.kind) == ("risk", SPAN.name, "SPAN_KIND_CONSUMER")
    assert (told.context, told.parent, told.links) == (SPAN.context, PARENT, (LINK,))
    assert (told.start_ns, told.end_ns) == (1_000, 2_000)
    assert told.attributes == SPAN.attributes


def test_tracer_of_a_first_span_says_no_parent(collector: Collector) -> None:
    """A root has none, not one of zeros."""
    tracer = OtlpTracer(service="ingest", endpoint=collector.url, ratio=1)

    tracer.tell(Span("send x", "producer", PARENT, None, start_ns=1, end_ns=2))
    tracer.tell(Span("POST /x", "server", LINK, None, start_ns=1, end_ns=2))
    tracer.close()

    kinds = [told.kind for told in collector.spans]
    assert kinds == ["SPAN_KIND_PRODUCER", "SPAN_KIND_SERVER"]
    assert [told.parent for told in collector.spans] == [None, None]


def test_tracer_keeps_what_a_burst_says(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second of a run at full speed waits in the queue; the library's own would drop most."""
    monkeypatch.setattr(otlp, "_CLOSE_SECONDS_MAX", 60.0)
    tracer = OtlpTracer(service="risk", endpoint=collector.url, ratio=1)

    for _ in range(BURST):
        tracer.tell(SPAN)
    tracer.close()

    assert len(collector.spans) == BURST


def test_tracer_without_an_answer_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is told to stop has seconds; its traces are not worth them."""
    monkeypatch.setattr(otlp, "_CLOSE_SECONDS_MAX", 0.01)
    with deaf_address() as address:
        tracer = OtlpTracer(service="risk", endpoint=address, ratio=1)

        # More than the queue holds: the oldest are dropped, and nobody waits.
        for _ in range(9_000):
            tracer.tell(SPAN)
        tracer.close()

        # The library still tries, and nobody hears of each of its tries.
        assert CLOSING_THREAD in {thread.name for thread in threading.enumerate()}
        assert not logging.getLogger("opentelemetry.sdk").isEnabledFor(logging.ERROR)


class ScriptedExporter(SpanExporter):
    """Takes spans or not, as it is told."""

    def __init__(self, answers: Sequence[bool] = ()) -> None:
        self._answers = iter(answers)
        self.is_shut = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS if next(self._answers) else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self.is_shut = True


def test_exporter_tells_once_that_spans_are_lost_and_once_that_it_is_over() -> None:
    """A collector that is away for a day is one line, not one a second."""
    answers = [True, False, False, True, True, False]
    exporter = ScriptedExporter(answers)
    spans = [ReadableSpan("x"), ReadableSpan("y")]
    with structlog.testing.capture_logs() as lines:
        telling = TellingExporter(exporter, "http://collector:4318")

        results = [telling.export(spans) for _ in range(6)]

    assert [result is SpanExportResult.SUCCESS for result in results] == answers
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("traces_not_sent", "warning"),
        ("traces_sent_again", "info"),
        ("traces_not_sent", "warning"),
    ]
    assert lines[1]["lost_spans"] == 4
    assert {line["endpoint"] for line in lines} == {"http://collector:4318"}


def test_exporter_hands_its_end_on() -> None:
    """A connection is let go of."""
    exporter = ScriptedExporter()

    TellingExporter(exporter, "").shutdown()

    assert exporter.is_shut
