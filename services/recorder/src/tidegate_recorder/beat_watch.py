"""How long beats take to their rows, and the traces of those that are traced."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, TypeVar

from tidegate_common.bus.headers import origin_of, trace_of
from tidegate_common.clock import Clock
from tidegate_common.events.message import Message
from tidegate_common.events.topics import FILLS, PORTFOLIOS, TICKS
from tidegate_common.events.trace import TraceContext, span_id_of
from tidegate_common.runtime.tracing import Span, Tracer, about_beat, about_messages

_PRODUCER: Final = "recorder-0"
# Ingest is at most 1,024 beats ahead of risk by default; what is longer ago is not measured.
_BEATS_MAX: Final = 4_096
_NS_PER_MS: Final = 1_000_000

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class BeatWatch:
    """Is shown the messages that are recorded, and told when their rows are committed.

    A beat ends with risk's portfolios. What was sent before the recorder started is neither
    measured nor traced: it tells how long we were away, or that an old log is read again.

    Parameters
    ----------
    observe : is told the seconds from ingest sending a beat's frame to its rows.
    tracer : None where traces are off.
    """

    def __init__(
        self, clock: Clock, observe: Callable[[float], None], tracer: Tracer | None = None
    ) -> None:
        self._clock = clock
        self._observe = observe
        self._tracer = tracer
        self._fresh_from_ms = clock.now_ns() // _NS_PER_MS
        # By run and beat: when its first frame was sent; how many portfolios wait to be told.
        self._sent_ms: OrderedDict[tuple[str, int], int] = OrderedDict()
        self._ended: OrderedDict[tuple[str, int], int] = OrderedDict()
        self._traced: dict[int, list[tuple[TraceContext, Message]]] = {}
        self._started_ns = 0

    def take(self, message: Message) -> None:
        """Look at a message whose rows are to be written next."""
        if message.sent_ms < self._fresh_from_ms:
            return
        if message.topic in {TICKS.name, PORTFOLIOS.name}:
            origin = origin_of(message)
            key = (origin.run_id, origin.beat)
            if message.topic == TICKS.name:
                _remember(self._sent_ms, key, self._sent_ms.get(key, message.sent_ms))
            else:
                _remember(self._ended, key, self._ended.get(key, 0) + 1)
        context = trace_of(message) if self._tracer else None
        if context:
            if not self._traced:
                self._started_ns = self._clock.now_ns()
            self._traced.setdefault(context.trace_id, []).append((context, message))

    def committed(self) -> None:
        """Measure and trace all that was looked at: its rows are there."""
        now_ns = self._clock.now_ns()
        for key in [key for key in self._ended if key in self._sent_ms]:
            seconds = max(now_ns - self._sent_ms[key] * _NS_PER_MS, 0) / 1e9
            for _ in range(self._ended.pop(key)):
                self._observe(seconds)
        if self._tracer:
            for messages in self._traced.values():
                self._tracer.tell(self._span(messages, now_ns))
            self._traced.clear()

    def _span(self, messages: list[tuple[TraceContext, Message]], now_ns: int) -> Span:
        """Return the span of a trace's messages; its parent is what was sent last.

        That is the fills, whatever else of the trace is recorded with them.
        """
        first = messages[0][1]
        parent, last = max(
            messages, key=lambda each: (each[1].topic == FILLS.name, each[1].sent_ms)
        )
        origin = origin_of(last)
        links = dict.fromkeys(context for context, _ in messages if context != parent)
        return Span(
            name=f"process {last.topic}",
            kind="consumer",
            # Of a message that is in no other transaction.
            context=TraceContext(
                parent.trace_id,
                span_id_of(_PRODUCER, first.topic, first.partition, first.offset),
            ),
            parent=parent,
            start_ns=self._started_ns,
            end_ns=now_ns,
            links=tuple(links),
            attributes=about_messages("process", last.topic, count=len(messages))
            | about_beat(origin.run_id, origin.beat, _PRODUCER),
        )


def _remember(entries: OrderedDict[Key, Value], key: Key, value: Value) -> None:
    entries[key] = value
    if len(entries) > _BEATS_MAX:
        entries.popitem(last=False)
