"""A stage's latency and traces: of what is new, once, and the same headers after a crash."""

from tests.integration.test_stage_runner import (
    BEATS,
    SNAPSHOT_EVERY,
    TOPICS,
    Stage,
    inputs,
    make_bus,
)
from tests.unit.common.tracers import KeptSpans

from tidegate_common.bus.headers import trace_of, with_trace
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.events.message import Message
from tidegate_common.events.topics import DECISIONS, ORDERS
from tidegate_common.events.trace import TraceContext
from tidegate_common.runtime.system_clock import SystemClock

LATENCY = "tidegate_stage_latency_seconds_count"
LATENCY_SUM = "tidegate_stage_latency_seconds_sum"


class AheadClock(SystemClock):
    """A clock of another machine, an hour ahead of ours."""

    def now_ns(self) -> int:
        return super().now_ns() + 3_600 * 10**9


def traced_inputs(beat_count: int) -> list[Message]:
    """Return a run's inputs, all of whose orders are traced; each beat's in a trace of its own."""
    return [
        with_trace(message, TraceContext(number + 1, 9))
        if message.topic == ORDERS.name
        else message
        for number, message in enumerate(inputs(beat_count))
    ]


async def clocked_bus() -> MemoryBus:
    """Return a bus whose messages say when they were sent."""
    bus = MemoryBus(SystemClock())
    await bus.create_topics(TOPICS)
    return bus


async def test_beats_that_were_sent_before_the_start_are_neither_measured_nor_traced() -> None:
    """They may be said for the second time, and would count as an hour."""
    bus, kept = await make_bus(traced_inputs(BEATS)), KeptSpans()
    stage = Stage(bus, tracer=kept)

    await stage.live(BEATS)

    assert stage.metric(LATENCY) is None
    assert kept.spans == []


async def test_beats_that_were_sent_after_the_start_are_measured_and_traced() -> None:
    """Each once; beat 0 has no orders before it, and so no trace."""
    bus, kept = await clocked_bus(), KeptSpans()
    stage, clock = Stage(bus, tracer=kept), SystemClock()
    published_ns = clock.now_ns()
    await bus.publish(traced_inputs(BEATS))

    await stage.live(BEATS)

    assert stage.metric(LATENCY) == BEATS
    seconds = stage.metric(LATENCY_SUM)
    assert seconds is not None
    # No beat can have taken longer than all together; Kafka keeps whole milliseconds.
    assert 0 <= seconds <= BEATS * ((clock.now_ns() - published_ns) / 1e9 + 0.001)
    processed, sent = kept.named(f"process {ORDERS.name}"), kept.named(f"send {DECISIONS.name}")
    assert len(processed) == len(sent) == BEATS - 1
    for process, send in zip(processed, sent, strict=True):
        assert published_ns < process.start_ns < send.start_ns <= send.end_ns == process.end_ns


async def test_frames_of_a_clock_that_is_ahead_took_no_time() -> None:
    """Ingest may be on another machine; a negative latency would be no number at all."""
    bus = MemoryBus(AheadClock())
    await bus.create_topics(TOPICS)
    stage = Stage(bus)
    await bus.publish(inputs(BEATS))

    await stage.live(BEATS)

    assert (stage.metric(LATENCY), stage.metric(LATENCY_SUM)) == (BEATS, 0)


async def test_traced_stage_that_crashes_says_the_same_headers_again() -> None:
    """A repeat is the same bytes, its trace included."""
    bus, kept = await clocked_bus(), KeptSpans()
    await bus.publish(traced_inputs(BEATS))

    await Stage(bus, tracer=kept).live(SNAPSHOT_EVERY + 2)
    await Stage(bus, tracer=kept).live(BEATS - SNAPSHOT_EVERY)

    log = bus.log(DECISIONS.name)
    by_beat: dict[bytes, set[tuple[tuple[str, bytes], ...]]] = {}
    for message in log:
        by_beat.setdefault(dict(message.headers)["ce_beat"], set()).add(message.headers)
    assert len(log) == BEATS + 2
    assert {len(headers) for headers in by_beat.values()} == {1}
    assert sum(trace_of(message) is not None for message in log) == len(log) - 1
