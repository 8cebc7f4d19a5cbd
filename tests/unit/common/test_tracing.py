"""Who is whose parent, what links, and what headers say."""

from dataclasses import replace

from tests.unit.common.tracers import KeptSpans

from tidegate_common.bus.beats import BeatResult
from tidegate_common.bus.headers import beat_message, frame_message, trace_of
from tidegate_common.bus.processor import Slot
from tidegate_common.clock import ManualClock
from tidegate_common.domain.enums import ControlCommand
from tidegate_common.domain.ids import AccountId, RequestId, RunId
from tidegate_common.events.message import Message, Origin
from tidegate_common.events.orders import ControlRequest, RequestEnvelope
from tidegate_common.events.topics import DECISIONS, FILLS, ORDERS, REQUESTS, SCORES, TICKS
from tidegate_common.events.trace import TraceContext, beat_trace_id, request_trace_id
from tidegate_common.runtime.tracing import (
    LINKS_MAX,
    FeedTracer,
    RequestTracer,
    StageTracer,
    Tracer,
    Work,
)
from tidegate_common.testing.builders import FEED, RUN_ID, make_frame, make_stamp
from tidegate_common.testing.fakes import ToyProcessor

TAKING, SENDING = Work(1_000, 2_000), Work(2_000, 2_500)
HALT = RequestEnvelope(control=ControlRequest(RequestId("halt-1"), ControlCommand.HALT))
RISK_SLOTS = (
    Slot(TICKS, 0, FEED),
    Slot(SCORES, 0, "signals-0"),
    Slot(SCORES, 1, "signals-1"),
    Slot(FILLS, 0, "execution-0", is_owed=True),
)
FRAME, SCORE, OTHER_SCORE = (TraceContext(7, number) for number in (1, 2, 3))
FILL = TraceContext(6, 4)


def beat(
    traces: tuple[TraceContext | None, ...], requests: tuple[RequestEnvelope, ...] = ()
) -> BeatResult:
    """Return what the toy made of beat 5: two messages on one topic, one on another."""
    origin = Origin(RunId(RUN_ID), 5, "toy-0")
    messages = [
        *(beat_message(DECISIONS, partition, origin, b"") for partition in range(2)),
        beat_message(ORDERS, 0, origin, b""),
    ]
    return BeatResult(make_stamp(5), messages, requests=requests, sent_ms=1, traces=traces)


def risk_tracer(tracer: Tracer) -> StageTracer:
    """Return the tracer of a stage with risk's inputs."""
    return StageTracer(tracer, ToyProcessor(slots=RISK_SLOTS))


def contexts(messages: list[Message]) -> list[TraceContext]:
    """Return the spans that sent messages."""
    found = [trace_of(message) for message in messages]
    return [each for each in found if each]


def test_beat_with_scores_goes_on_with_their_trace_and_links_the_rest() -> None:
    """The parent is the score, not the frame: the chain is longest so; fills are another trace."""
    kept = KeptSpans()
    tracer = risk_tracer(kept)
    result = beat((FRAME, SCORE, OTHER_SCORE, FILL))

    tracer.tell(result, TAKING, SENDING)

    process, *sent = kept.spans
    assert process.name == "process signal.scores.v1"
    assert process.kind == "consumer"
    assert (process.parent, process.links) == (SCORE, (FRAME, OTHER_SCORE, FILL))
    assert process.context.trace_id == SCORE.trace_id
    assert (process.start_ns, process.end_ns) == (1_000, 2_500)
    assert process.attributes["messaging.destination.name"] == SCORES.name
    assert process.attributes["messaging.batch.message_count"] == 4
    assert process.attributes["messaging.operation.type"] == "process"
    assert process.attributes["tidegate.beat"] == 5
    assert process.attributes["tidegate.producer"] == "toy-0"
    assert [span.name for span in sent] == [f"send {DECISIONS.name}", f"send {ORDERS.name}"]
    assert [span.attributes["messaging.batch.message_count"] for span in sent] == [2, 1]
    assert {span.attributes["messaging.operation.type"] for span in sent} == {"send"}
    assert {span.parent for span in sent} == {process.context}
    assert {(span.start_ns, span.end_ns) for span in sent} == {(2_000, 2_500)}


def test_messages_say_the_spans_that_are_kept_of_them() -> None:
    """Or children would have parents that nobody has; and a repeat is the same bytes."""
    kept = KeptSpans()
    tracer = risk_tracer(kept)
    result = beat((FRAME, SCORE, None, None))

    carried = tracer.carry(result)
    tracer.tell(carried, TAKING, SENDING)

    process, decisions, orders = kept.spans
    expected = [decisions.context, decisions.context, orders.context]
    assert contexts(list(carried.messages)) == expected
    assert tracer.carry(result) == carried
    assert len({process.context, decisions.context, orders.context}) == 3


def test_spans_of_two_runs_are_not_the_same() -> None:
    """A frame of another run with this one's trace, which nobody sends, is still another span."""
    kept = KeptSpans()
    tracer = risk_tracer(kept)
    result = beat((FRAME, SCORE, None, None))

    tracer.tell(result, TAKING, SENDING)
    tracer.tell(replace(result, stamp=make_stamp(5, run_id="other")), TAKING, SENDING)

    contexts_of_both = [span.context for span in kept.spans]
    assert len(contexts_of_both) == 6
    assert len(set(contexts_of_both)) == 6


def test_frames_of_one_sending_are_one_link_and_counts_of_the_stage_are_told() -> None:
    """All shards' frames name the span that sent them; a store shows each link it is given."""
    kept, processor = KeptSpans(), ToyProcessor(slots=RISK_SLOTS)
    processor.counts = {"orders": 3}

    StageTracer(kept, processor).tell(beat((FRAME, SCORE, FRAME, FILL)), TAKING, SENDING)

    assert kept.spans[0].links == (FRAME, FILL)
    assert kept.spans[0].attributes["tidegate.orders"] == 3


def test_beat_without_scores_goes_on_with_its_frame() -> None:
    """A stage before it that does not trace breaks no chain."""
    kept = KeptSpans()

    risk_tracer(kept).tell(beat((FRAME, None, None, None)), TAKING, SENDING)

    assert kept.spans[0].parent == FRAME
    assert kept.spans[0].attributes["messaging.batch.message_count"] == 1


def test_beat_with_traced_fills_alone_is_not_traced() -> None:
    """An order's trace ends with its fills, or one trace would hold the whole run."""
    kept = KeptSpans()
    tracer = risk_tracer(kept)
    result = beat((None, None, None, FILL))

    tracer.tell(result, TAKING, SENDING)

    assert tracer.carry(result) is result
    assert kept.spans == []


def test_orders_of_the_beat_before_are_the_parent_of_what_execution_does() -> None:
    """The fills of an order are in the trace of the beat that decided it."""
    kept = KeptSpans()
    # The toy has two frames, a score, and orders of two producers of the beat before.
    tracer = StageTracer(kept, ToyProcessor())
    order = TraceContext(6, 9)

    tracer.tell(beat((FRAME, None, None, None, order)), TAKING, SENDING)

    process = kept.spans[0]
    assert process.name == f"process {ORDERS.name}"
    assert (process.parent, process.links) == (order, (FRAME,))
    assert process.context.trace_id == 6


def test_frames_alone_begin_nothing_where_orders_are_waited_for() -> None:
    """With a share of the beats, a beat would else be in two traces, by chance."""
    kept = KeptSpans()

    StageTracer(kept, ToyProcessor()).tell(beat((FRAME, FRAME, SCORE, None, None)), TAKING, SENDING)

    assert kept.spans == []


def test_request_that_enters_is_told_in_its_own_trace_and_linked_both_ways() -> None:
    """From the order to its beat, and back."""
    kept = KeptSpans()

    risk_tracer(kept).tell(beat((FRAME, SCORE, None, None), (HALT,)), TAKING, SENDING)

    (entering,) = kept.named(f"process {REQUESTS.name}")
    (process,) = kept.named(f"process {SCORES.name}")
    assert entering.context.trace_id == request_trace_id(None, RequestId("halt-1"))
    assert entering.links == (process.context,)
    assert entering.parent in process.links
    assert entering.parent != entering.context
    assert (entering.start_ns, entering.end_ns) == (TAKING.start_ns, TAKING.end_ns)
    assert entering.attributes["tidegate.beat"] == 5


def test_request_that_enters_a_beat_without_trace_is_told_alone() -> None:
    """Its beat is among its attributes all the same."""
    kept = KeptSpans()

    risk_tracer(kept).tell(beat((None, None, None, None), (HALT,)), TAKING, SENDING)

    (entering,) = kept.spans
    assert entering.links == ()


def test_requests_that_are_not_kept_are_not_told() -> None:
    """Who decides is the share, not who asks."""
    kept = KeptSpans(ratio=0)

    risk_tracer(kept).tell(beat((FRAME, SCORE, None, None), (HALT,)), TAKING, SENDING)

    assert kept.named(f"process {REQUESTS.name}") == []
    assert kept.spans[0].links == (FRAME,)


def test_links_of_a_beat_with_many_requests_are_bounded() -> None:
    """A span must fit the store."""
    kept = KeptSpans()
    requests = tuple(
        RequestEnvelope(control=replace_id(HALT.control, number)) for number in range(LINKS_MAX + 9)
    )

    risk_tracer(kept).tell(beat((FRAME, SCORE, None, None), requests), TAKING, SENDING)

    (process,) = kept.named(f"process {SCORES.name}")
    assert len(process.links) == LINKS_MAX


def replace_id(control: ControlRequest | None, number: int) -> ControlRequest:
    """Return a command of another name."""
    assert control is not None
    return ControlRequest(RequestId(f"halt-{number}"), control.command)


def test_feed_begins_the_trace_of_a_sampled_beat() -> None:
    """Its span is what all shards' frames name."""
    kept, clock = KeptSpans(), ManualClock(5_000)
    tracer = FeedTracer(kept, clock, producer=FEED)
    frames = [make_frame(3, shard=shard) for shard in range(2)]

    carried = tracer.carry(frames[0].stamp, [frame_message(frame, FEED) for frame in frames])
    clock.advance(1e-6)
    tracer.tell(frames[0], message_count=2)

    (span,) = kept.spans
    assert (span.name, span.kind, span.parent) == (f"send {TICKS.name}", "producer", None)
    assert span.context.trace_id == beat_trace_id(RunId(RUN_ID), 3)
    assert [trace_of(message) for message in carried] == [span.context] * 2
    assert (span.start_ns, span.end_ns) == (5_000, 6_000)
    assert span.attributes["tidegate.rows"] == 0
    assert span.attributes["messaging.batch.message_count"] == 2


def test_feed_without_tracer_or_sample_changes_nothing() -> None:
    """Off is the default, and costs no byte."""
    frame = make_frame(3)
    messages = [frame_message(frame, FEED)]
    kept = KeptSpans(ratio=0)

    for tracer in (FeedTracer(sink, ManualClock(), producer=FEED) for sink in (None, kept)):
        assert tracer.carry(frame.stamp, messages) is messages
        tracer.tell(frame, message_count=1)

    assert kept.spans == []


def request_tracer(sink: Tracer | None, clock: ManualClock) -> RequestTracer:
    """Return the tracer of a request that a traced caller asks."""
    return RequestTracer(sink, clock, route="POST /v1/control", caller=TraceContext(1, 2))


def test_request_has_a_server_span_and_a_sending_one() -> None:
    """The trace is ours: the caller's is linked, so that nobody makes us keep all."""
    kept, clock = KeptSpans(), ManualClock(1_000)
    tracer = request_tracer(kept, clock)
    message = Message(REQUESTS.name, 0, b"")

    clock.advance(1e-6)
    (carried,) = tracer.carry(HALT, [message])
    clock.advance(1e-6)
    tracer.tell(HALT, message_count=1)

    server, sent = kept.spans
    assert (server.name, server.kind, server.parent) == ("POST /v1/control", "server", None)
    assert server.links == (TraceContext(1, 2),)
    assert (server.start_ns, server.end_ns) == (1_000, 3_000)
    assert server.attributes == {"http.request.method": "POST", "http.route": "/v1/control"}
    assert (sent.name, sent.parent) == (f"send {REQUESTS.name}", server.context)
    assert (sent.start_ns, sent.end_ns) == (2_000, 3_000)
    assert trace_of(carried) == sent.context
    assert trace_of(replace(carried, headers=())) is None


def test_requests_of_two_accounts_have_two_traces() -> None:
    """One name may be used by each account."""
    kept = KeptSpans()
    asked = [
        ControlRequest(RequestId("halt-1"), ControlCommand.HALT, AccountId(account))
        for account in ("A1", "A2")
    ]

    for each in asked:
        envelope = RequestEnvelope(control=each)
        request_tracer(kept, ManualClock()).tell(envelope, message_count=1)

    traces = [span.context.trace_id for span in kept.named("POST /v1/control")]
    assert traces == [request_trace_id(each.account_id, each.request_id) for each in asked]
    assert len(set(traces)) == 2


def test_request_without_tracer_or_sample_changes_nothing() -> None:
    """Off is the default, and costs no byte."""
    messages = [Message(REQUESTS.name, 0, b"")]
    kept = KeptSpans(ratio=0)

    for tracer in (request_tracer(sink, ManualClock()) for sink in (None, kept)):
        assert tracer.carry(HALT, messages) is messages
        tracer.tell(HALT, message_count=1)

    assert kept.spans == []
