"""Traces across Kafka: one a beat, from its frame to what came of it (ADR 27).

Ingest begins a beat's trace, for a share of all beats, and says so in the headers; whoever takes
the message goes on with it, and hands it on with what it says. Ids are functions of the run, the
beat and the producer, so what is said again after a crash is the same bytes. Names and attributes
are those of OpenTelemetry's conventions for messaging.

No span is made or sent where no collector is named.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from tidegate_common.bus.beats import BeatResult
from tidegate_common.bus.headers import with_trace
from tidegate_common.bus.processor import Processor
from tidegate_common.clock import Clock
from tidegate_common.events.message import Message
from tidegate_common.events.orders import RequestEnvelope
from tidegate_common.events.topics import REQUESTS, TICKS
from tidegate_common.events.trace import (
    TraceContext,
    beat_trace_id,
    is_sampled,
    request_trace_id,
    span_id_of,
)
from tidegate_common.frames.frame import BeatStamp, Frame

# A span of a beat that took more requests than this does not name the rest.
LINKS_MAX = 64


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of work that is over.

    links : spans of other traces, or further ones of this trace, that it came of.
    start_ns, end_ns : wall time, ns since the UTC epoch.
    """

    name: str
    kind: Literal["producer", "consumer", "server"]
    context: TraceContext
    parent: TraceContext | None
    start_ns: int
    end_ns: int
    links: tuple[TraceContext, ...] = ()
    attributes: Mapping[str, str | int] = field(default_factory=dict)


class Tracer(Protocol):
    """Whoever keeps spans.

    ratio : the share of traces that are kept, of those that begin here; 0 to 1.
    """

    ratio: float

    def tell(self, span: Span) -> None:
        """Keep a span, or drop it: never wait."""


class ClosableTracer(Tracer, Protocol):
    """A tracer with something to end."""

    def close(self) -> None:
        """Send what is kept, within a bounded time."""


@dataclass(frozen=True, slots=True)
class Work:
    """What was done, and when; wall time, ns since the UTC epoch."""

    start_ns: int
    end_ns: int


class FeedTracer:
    """Begins the traces of beats.

    Parameters
    ----------
    tracer : None where traces are off; then it does nothing.
    """

    def __init__(self, tracer: Tracer | None, clock: Clock, *, producer: str) -> None:
        self._tracer = tracer
        self._clock = clock
        self._producer = producer
        self._started_ns = 0

    def carry(self, stamp: BeatStamp, messages: Sequence[Message]) -> Sequence[Message]:
        """Return a beat's messages as they are to be sent, which is to be now."""
        context = self._context(stamp)
        if context is None:
            return messages
        self._started_ns = self._clock.now_ns()
        return [with_trace(each, context) for each in messages]

    def tell(self, frame: Frame, *, message_count: int) -> None:
        """Keep the span of the beat that was carried last and was sent."""
        stamp = frame.stamp
        context = self._context(stamp)
        if context and self._tracer:
            work = Work(self._started_ns, self._clock.now_ns())
            about = about_beat(stamp.run_id, stamp.beat, self._producer)
            about["tidegate.rows"] = len(frame.rows)
            span = _sent(TICKS.name, context, None, work, attributes=about, count=message_count)
            self._tracer.tell(span)

    def _context(self, stamp: BeatStamp) -> TraceContext | None:
        if self._tracer is None:
            return None
        trace_id = beat_trace_id(stamp.run_id, stamp.beat)
        if not is_sampled(trace_id, self._tracer.ratio):
            return None
        return TraceContext(trace_id, _span_id(stamp, self._producer, TICKS.name))


class StageTracer:
    """Goes on with the traces of the beats that a stage takes.

    The parent of a beat's span is what the stage waits for last: scores rather than frames, and
    orders of the beat before, whose trace they are in, rather than either. Fills only link: a
    trace that went on with them would have no end. All that was taken beside the parent links too.
    """

    def __init__(self, tracer: Tracer, processor: Processor) -> None:
        self._tracer = tracer
        self._processor = processor
        slots = list(enumerate(processor.slots))
        lag_max = max(slot.lag for _, slot in slots)
        parents = [each for each in slots if each[1].lag == lag_max and not each[1].is_owed]
        # Not frames, where there is anything else.
        self._parents = sorted(parents, key=lambda each: each[1].topic is TICKS)

    def carry(self, result: BeatResult) -> BeatResult:
        """Return a beat's outcome with its messages as they are to be sent."""
        parent = self._parent(result)
        if parent is None:
            return result
        _, context = parent
        messages = [
            with_trace(message, self._sending(context, result.stamp, message.topic))
            for message in result.messages
        ]
        return replace(result, messages=messages)

    def tell(self, result: BeatResult, taking: Work, sending: Work) -> None:
        """Keep the spans of a beat that was taken, and of what it sent."""
        requests = [_asking(each) for each in result.requests]
        asked = [each for each in requests if is_sampled(each.trace_id, self._tracer.ratio)]
        parent = self._parent(result)
        process = self._process(parent[1], result.stamp) if parent else None
        for asking in asked:
            self._tracer.tell(self._entering(asking, process, result.stamp, taking))
        if parent and process:
            work = Work(taking.start_ns, sending.end_ns)
            self._tracer.tell(self._processing(result, parent, asked, work))
            topics = Counter(message.topic for message in result.messages)
            for topic, count in topics.items():
                context = self._sending(process, result.stamp, topic)
                about = self._about(result.stamp)
                span = _sent(topic, context, process, sending, attributes=about, count=count)
                self._tracer.tell(span)

    def _processing(
        self,
        result: BeatResult,
        parent: tuple[int, TraceContext],
        asked: Sequence[TraceContext],
        work: Work,
    ) -> Span:
        index, context = parent
        topic = self._processor.slots[index].topic.name
        others = [each for each in result.traces if each and each != context]
        counts = {f"tidegate.{name}": count for name, count in self._processor.counts.items()}
        input_count = sum(each is not None for each in result.traces)
        return Span(
            name=f"process {topic}",
            kind="consumer",
            context=self._process(context, result.stamp),
            parent=context,
            start_ns=work.start_ns,
            end_ns=work.end_ns,
            links=tuple(dict.fromkeys([*others, *asked]))[:LINKS_MAX],
            attributes=about_messages("process", topic, count=input_count)
            | self._about(result.stamp)
            | counts,
        )

    def _entering(
        self, asking: TraceContext, process: TraceContext | None, stamp: BeatStamp, work: Work
    ) -> Span:
        """Return the span that says, in the trace of a request, in which beat it entered."""
        return Span(
            name=f"process {REQUESTS.name}",
            kind="consumer",
            context=replace(asking, span_id=span_id_of(asking.span_id, self._processor.producer)),
            parent=asking,
            start_ns=work.start_ns,
            end_ns=work.end_ns,
            links=(process,) if process else (),
            attributes=about_messages("process", REQUESTS.name, count=1) | self._about(stamp),
        )

    def _about(self, stamp: BeatStamp) -> dict[str, str | int]:
        return about_beat(stamp.run_id, stamp.beat, self._processor.producer)

    def _parent(self, result: BeatResult) -> tuple[int, TraceContext] | None:
        for index, _ in self._parents:
            context = result.traces[index]
            if context:
                return index, context
        return None

    def _process(self, parent: TraceContext, stamp: BeatStamp) -> TraceContext:
        return replace(parent, span_id=_span_id(stamp, self._processor.producer))

    def _sending(self, parent: TraceContext, stamp: BeatStamp, topic: str) -> TraceContext:
        return replace(parent, span_id=_span_id(stamp, self._processor.producer, topic))


class RequestTracer:
    """Traces a request that comes by HTTP, until it is in the log.

    Parameters
    ----------
    tracer : None where traces are off; then it does nothing.
    route : method and path, such as `POST /v1/orders`.
    caller : the span that asks. It is linked and no more: callers do not decide what we keep.
    """

    def __init__(
        self, tracer: Tracer | None, clock: Clock, *, route: str, caller: TraceContext | None
    ) -> None:
        self._tracer = tracer
        self._clock = clock
        self._route = route
        self._caller = caller
        self._asked_ns = self._sent_ns = clock.now_ns() if tracer else 0

    def carry(self, request: RequestEnvelope, messages: Sequence[Message]) -> Sequence[Message]:
        """Return a request's messages as they are to be sent, which is to be now."""
        context = _asking(request)
        if self._tracer is None or not is_sampled(context.trace_id, self._tracer.ratio):
            return messages
        self._sent_ns = self._clock.now_ns()
        return [with_trace(each, context) for each in messages]

    def tell(self, request: RequestEnvelope, *, message_count: int) -> None:
        """Keep the spans of a request that was sent."""
        context = _asking(request)
        if self._tracer is None or not is_sampled(context.trace_id, self._tracer.ratio):
            return
        now_ns = self._clock.now_ns()
        method, _, path = self._route.partition(" ")
        answer = replace(context, span_id=span_id_of(context.trace_id, "http"))
        self._tracer.tell(
            Span(
                name=self._route,
                kind="server",
                context=answer,
                parent=None,
                start_ns=self._asked_ns,
                end_ns=now_ns,
                links=(self._caller,) if self._caller else (),
                attributes={"http.request.method": method, "http.route": path},
            ),
        )
        work = Work(self._sent_ns, now_ns)
        sent = _sent(REQUESTS.name, context, answer, work, attributes={}, count=message_count)
        self._tracer.tell(sent)


def _asking(request: RequestEnvelope) -> TraceContext:
    """Return the span that sends a request: a function of it, as risk reads it in its journal."""
    asked = request.order or request.cancel or request.control
    assert asked is not None, "a request is an order, a cancel or a command"
    trace_id = request_trace_id(asked.account_id, asked.request_id)
    return TraceContext(trace_id, span_id_of(trace_id, "send"))


def _span_id(stamp: BeatStamp, *parts: str) -> int:
    return span_id_of(stamp.run_id, stamp.beat, *parts)


def _sent(
    topic: str,
    context: TraceContext,
    parent: TraceContext | None,
    work: Work,
    *,
    attributes: Mapping[str, str | int],
    count: int,
) -> Span:
    return Span(
        name=f"send {topic}",
        kind="producer",
        context=context,
        parent=parent,
        start_ns=work.start_ns,
        end_ns=work.end_ns,
        attributes=about_messages("send", topic, count=count) | dict(attributes),
    )


def about_messages(operation: str, topic: str, *, count: int) -> dict[str, str | int]:
    """Return what OpenTelemetry's conventions for messaging ask for, version 1.30 of them."""
    return {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": topic,
        "messaging.batch.message_count": count,
    }


def about_beat(run_id: str, beat: int, producer: str) -> dict[str, str | int]:
    """Return what says whose work it was."""
    return {"tidegate.run": run_id, "tidegate.beat": beat, "tidegate.producer": producer}
