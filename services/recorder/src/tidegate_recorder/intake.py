"""From messages to rows: decode, check who speaks, drop repeats, project."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar, assert_never

from tidegate_common.bus.headers import origin_of, run_spec_of, stamp_of
from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId, is_run_id
from tidegate_common.errors import ContractError
from tidegate_common.events.audit import AuditRecord
from tidegate_common.events.execution import FillBatch
from tidegate_common.events.message import DeadLetter, Message, Origin
from tidegate_common.events.orders import OrderBatch
from tidegate_common.events.portfolio import PortfolioBatch
from tidegate_common.events.recommendations import RecommendationBatch
from tidegate_common.events.risk import DecisionBatch, JournalEntry
from tidegate_common.events.run import RunSpec
from tidegate_common.events.topics import (
    AUDITS,
    BARS,
    DECISIONS,
    FILLS,
    JOURNAL,
    ORDERS,
    PORTFOLIOS,
    RECOMMENDATIONS,
    SCORES,
    TICKS,
    TOPICS,
    Topic,
    partition_of_stripe,
)
from tidegate_common.frames.codec import decode_bars, decode_frame, decode_scores
from tidegate_common.frames.frame import BeatStamp
from tidegate_recorder.engine.projection import Projection
from tidegate_recorder.engine.rows import StreamRow
from tidegate_recorder.engine.streams import Streams

READ_TOPICS = (
    TICKS,
    SCORES,
    BARS,
    RECOMMENDATIONS,
    ORDERS,
    FILLS,
    DECISIONS,
    PORTFOLIOS,
    JOURNAL,
    AUDITS,
)
DEAD_LETTER_TOPICS = frozenset(topic.dead_letters for topic in TOPICS)

_BEAT_ZERO = ("ce_beat", b"0")
_OPEN = ("ce_kind", BeatKind.OPEN.value.encode())

BeatBatch = OrderBatch | FillBatch | DecisionBatch | PortfolioBatch | RecommendationBatch
Batch = TypeVar(
    "Batch",
    OrderBatch,
    FillBatch,
    DecisionBatch,
    PortfolioBatch,
    RecommendationBatch,
)
Handler = Callable[[Message, Projection], None]


class Intake:
    """Turns messages into rows, topic by topic.

    log : name of the broker's log, kept with the journal.
    """

    def __init__(self, streams: Streams, *, log: str, stripe_count: int = 1) -> None:
        self._streams = streams
        self._stripe_count = stripe_count
        self._log = log
        self._handlers: dict[str, Handler] = {
            TICKS.name: _take_frame,
            SCORES.name: self._take_scores,
            BARS.name: self._take_bars,
            RECOMMENDATIONS.name: self._take_recommendations,
            ORDERS.name: self._take_orders,
            FILLS.name: self._take_fills,
            DECISIONS.name: self._take_decisions,
            PORTFOLIOS.name: self._take_portfolios,
            JOURNAL.name: self._take_journal,
            AUDITS.name: _take_audit,
        }
        self._handlers |= dict.fromkeys(DEAD_LETTER_TOPICS, self._take_dead_letter)

    def take(self, message: Message, rows: Projection) -> None:
        """Add a message's rows.

        Raises
        ------
        ContractError
            If it cannot be used; then it adds none. If only its value is at fault, it stands for
            an empty message of its beat.
        """
        self._handlers[message.topic](message, rows)

    def last_score_beats(self, run_id: RunId) -> dict[int, int]:
        """Return the last beat of scores that each shard has said in a run, if it has any."""
        return self._streams.last_beats(run_id, SCORES)

    def take_changes(self) -> list[StreamRow]:
        """Return how far the streams have come that moved since the last call."""
        return self._streams.take_changes()

    def _take_orders(self, message: Message, rows: Projection) -> None:
        batch = self._decode(ORDERS, OrderBatch, message)
        if batch:
            rows.add_orders(batch)

    def _take_fills(self, message: Message, rows: Projection) -> None:
        batch = self._decode(FILLS, FillBatch, message)
        if batch:
            rows.add_fills(batch)

    def _take_decisions(self, message: Message, rows: Projection) -> None:
        batch = self._decode(DECISIONS, DecisionBatch, message)
        if batch:
            rows.add_decisions(batch)

    def _take_portfolios(self, message: Message, rows: Projection) -> None:
        batch = self._decode(PORTFOLIOS, PortfolioBatch, message)
        if batch:
            rows.add_portfolios(batch)

    def _take_scores(self, message: Message, rows: Projection) -> None:
        origin = origin_of(message)
        if self._streams.take(SCORES, message.partition, origin):
            batch = decode_scores(message.value)
            _check_stamp(batch.stamp, batch.shard, origin, message)
            rows.add_scores(batch)

    def _take_bars(self, message: Message, rows: Projection) -> None:
        origin = origin_of(message)
        if self._streams.take(BARS, message.partition, origin):
            batch = decode_bars(message.value)
            _check_stamp(batch.stamp, batch.shard, origin, message)
            rows.add_bars(batch)

    def _take_recommendations(self, message: Message, rows: Projection) -> None:
        batch = self._decode(RECOMMENDATIONS, RecommendationBatch, message)
        if batch:
            rows.add_recommendations(batch)

    def _take_journal(self, message: Message, rows: Projection) -> None:
        entry = decode_event(JournalEntry, message.value)
        _expect("risk_partition", entry.risk_partition, message.partition)
        rows.add_journal(entry, self._log)

    def _take_dead_letter(self, message: Message, rows: Projection) -> None:
        rows.add_dead_letter(decode_event(DeadLetter, message.value), self._log)

    def _decode(self, topic: Topic, batch_type: type[Batch], message: Message) -> Batch | None:
        """Return the batch of a message, None if it is a repeat."""
        origin = origin_of(message)
        if not self._streams.take(topic, message.partition, origin):
            return None
        batch = decode_event(batch_type, message.value)
        partition = partition_of_stripe(topic, message.partition, self._stripe_count)
        _check_batch(batch, origin, partition)
        return batch


def runs_of_scores(messages: Iterable[Message]) -> list[RunId]:
    """Return the runs that messages with scores name, in order of their names."""
    found = {dict(one.headers).get("ce_run", b"") for one in messages if one.topic == SCORES.name}
    names = sorted(run.decode(errors="replace") for run in found)
    return [RunId(name) for name in names if is_run_id(name)]


def _take_frame(message: Message, rows: Projection) -> None:
    """Learn a run's settings from its first frame, and instruments from each day's first."""
    if _BEAT_ZERO in message.headers:
        _take_run(message, rows)
    if _OPEN in message.headers:
        # The stages put aside what cannot be read; it names no instrument.
        with suppress(ContractError):
            rows.add_instruments(decode_frame(message.value))


def _take_run(message: Message, rows: Projection) -> None:
    spec = run_spec_of(message)
    stamp = stamp_of(message)
    _expect("run_id", decode_event(RunSpec, spec).run_id, stamp.run_id)
    rows.add_run(stamp, spec)


def _take_audit(message: Message, rows: Projection) -> None:
    rows.add_audit(decode_event(AuditRecord, message.value))


def _check_batch(batch: BeatBatch, origin: Origin, partition: int) -> None:
    """Raise ContractError unless a batch says of itself what its envelope says."""
    _expect("run_id", batch.run_id, origin.run_id)
    _expect("beat", batch.beat, origin.beat)
    match batch:
        case OrderBatch():
            _expect("shard", batch.shard, partition)
            _expect("producer", origin.producer, f"risk-{batch.risk_partition}")
        case FillBatch():
            _expect("risk_partition", batch.risk_partition, partition)
            _expect("producer", origin.producer, f"execution-{batch.shard}")
        case DecisionBatch() | PortfolioBatch():
            _expect("risk_partition", batch.risk_partition, partition)
        case RecommendationBatch():
            # Its run and beat are all that it says.
            pass
        case _:
            assert_never(batch)


def _check_stamp(stamp: BeatStamp, shard: int, origin: Origin, message: Message) -> None:
    """Raise ContractError unless scores or bars say what their envelope says."""
    _expect("run_id", stamp.run_id, origin.run_id)
    _expect("beat", stamp.beat, origin.beat)
    _expect("shard", shard, message.partition)


def _expect(name: str, found: object, expected: object) -> None:
    if found != expected:
        message = f"{name} must be {expected}, was {found}"
        raise ContractError(message)


def render(event: object) -> str:
    """Return the exact canonical JSON of an event."""
    return encode_event(event).decode()
