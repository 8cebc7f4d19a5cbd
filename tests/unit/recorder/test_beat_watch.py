"""How long beats take to their rows, and in which traces that is told."""

from dataclasses import replace

from tests.unit.common.tracers import KeptSpans

from tidegate_common.bus.headers import with_trace
from tidegate_common.clock import ManualClock
from tidegate_common.events.message import Message
from tidegate_common.events.topics import FILLS, PORTFOLIOS, SCORES, TICKS, Topic
from tidegate_common.events.trace import TraceContext
from tidegate_common.testing.builders import make_beat_message, make_tick_message
from tidegate_recorder import beat_watch
from tidegate_recorder.beat_watch import BeatWatch

START_MS = 1_000_000
FRAME, SCORE = TraceContext(7, 1), TraceContext(7, 2)


class Watched:
    """A watch by a clock that starts at 1,000 s, and what it has told."""

    def __init__(self, *, is_traced: bool = True) -> None:
        self.clock = ManualClock(START_MS * 1_000_000)
        self.seconds: list[float] = []
        self.kept = KeptSpans()
        tracer = self.kept if is_traced else None
        self.watch = BeatWatch(self.clock, self.seconds.append, tracer)

    def commit(self, *messages: Message) -> None:
        """Record some messages in a transaction that ends half a second later."""
        for message in messages:
            self.watch.take(message)
        self.clock.advance(0.5)
        self.watch.committed()


def frame(beat: int, sent_ms: int = START_MS, trace: TraceContext | None = None) -> Message:
    """Return a frame of ingest."""
    return sent(make_tick_message(beat), sent_ms, trace)


def said(topic: Topic, beat: int, trace: TraceContext | None = None) -> Message:
    """Return what another stage said of a beat, 3 ms after its frame."""
    producer = "risk-0" if topic is PORTFOLIOS else "signals-0"
    return sent(make_beat_message(topic, beat, producer=producer), START_MS + 3, trace)


def sent(message: Message, sent_ms: int, trace: TraceContext | None) -> Message:
    """Return a message as a reader brings it."""
    traced = with_trace(message, trace) if trace else message
    return Message(traced.topic, traced.partition, traced.value, None, traced.headers, 40, sent_ms)


def test_beat_counts_when_its_portfolios_are_committed() -> None:
    """From its frame to its rows, once, in whichever order they come and however often."""
    watched = Watched()

    watched.commit(said(PORTFOLIOS, 0), frame(0), frame(1))
    watched.commit(said(PORTFOLIOS, 1), said(SCORES, 1))
    watched.commit(frame(2))

    assert watched.seconds == [0.5, 1.0]


def test_beat_of_two_risk_partitions_counts_twice() -> None:
    """Each has rows of its own."""
    watched = Watched()

    watched.commit(frame(0), said(PORTFOLIOS, 0), said(PORTFOLIOS, 0))

    assert watched.seconds == [0.5, 0.5]


def test_beat_with_two_frames_counts_from_the_first() -> None:
    """The later shard does not make a beat look quicker."""
    watched = Watched()

    watched.commit(frame(0), frame(0, START_MS + 200), said(PORTFOLIOS, 0))

    assert watched.seconds == [0.5]


def test_beat_that_was_sent_before_the_start_does_not_count() -> None:
    """An old log that is read again would count as an hour; one ms is old enough."""
    watched = Watched()

    watched.commit(frame(0, START_MS - 1, FRAME), said(PORTFOLIOS, 0))

    assert watched.seconds == []
    assert watched.kept.spans == []


def test_frame_of_a_clock_that_is_ahead_took_no_time() -> None:
    """Clocks of two machines differ; time does not run backwards."""
    watched = Watched()

    watched.commit(frame(0, START_MS + 900), said(PORTFOLIOS, 0))

    assert watched.seconds == [0.0]


def test_frames_without_an_end_are_forgotten() -> None:
    """Memory is bounded; the newest are kept."""
    watched = Watched()
    many = beat_watch._BEATS_MAX

    watched.commit(*(frame(beat) for beat in range(many + 1)))
    watched.commit(said(PORTFOLIOS, 0), said(PORTFOLIOS, many))

    assert watched.seconds == [1.0]


def test_traced_messages_of_a_transaction_are_one_span_a_trace() -> None:
    """Its parent is what was sent last, the others link."""
    watched = Watched()
    other = TraceContext(8, 5)

    watched.commit(frame(4, trace=FRAME), said(SCORES, 4, SCORE), frame(5, trace=other))

    first, second = watched.kept.spans
    assert first.name == f"process {SCORES.name}"
    assert (first.parent, first.links) == (SCORE, (FRAME,))
    assert first.context.trace_id == FRAME.trace_id
    assert first.attributes["messaging.batch.message_count"] == 2
    assert first.attributes["tidegate.beat"] == 4
    assert first.end_ns - first.start_ns == 500_000_000
    assert (second.name, second.parent) == (f"process {TICKS.name}", other)


def test_span_of_a_trace_hangs_on_its_fills() -> None:
    """An order's trace ends with them, though advice of the same beat comes later."""
    watched = Watched()
    fill = TraceContext(7, 9)
    filled = sent(make_beat_message(FILLS, 5, producer="execution-0"), START_MS + 1, fill)

    watched.commit(frame(4, trace=FRAME), filled, said(SCORES, 4, SCORE))

    (span,) = watched.kept.spans
    assert (span.parent, span.links) == (fill, (FRAME, SCORE))


def test_traces_of_two_transactions_are_two_spans() -> None:
    """Of different ids, which another life of the recorder would give them too."""
    watched, again = Watched(), Watched()

    for each in (watched, again):
        each.commit(frame(4, trace=FRAME))
        each.commit(said(SCORES, 4, SCORE))

    ids = [span.context.span_id for span in watched.kept.spans]
    assert len(set(ids)) == 2
    assert [span.context.span_id for span in again.kept.spans] == ids


def test_span_begins_with_the_first_message_of_its_transaction() -> None:
    """A long one shows that it was."""
    watched = Watched()

    watched.watch.take(frame(4, trace=FRAME))
    watched.clock.advance(2)
    watched.commit(said(SCORES, 4, SCORE))

    (span,) = watched.kept.spans
    assert span.end_ns - span.start_ns == 2_500_000_000


def test_spans_of_one_topic_in_two_transactions_are_two() -> None:
    """A trace has many messages of a topic, and each is at a place of its own."""
    watched = Watched()
    first = said(SCORES, 4, SCORE)

    watched.commit(first)
    watched.commit(replace(first, offset=first.offset + 1))

    assert len({span.context.span_id for span in watched.kept.spans}) == 2


def test_watch_without_tracer_measures_alone() -> None:
    """Off is the default."""
    watched = Watched(is_traced=False)

    watched.commit(frame(0, trace=FRAME), said(PORTFOLIOS, 0))

    assert watched.seconds == [0.5]
    assert watched.kept.spans == []
