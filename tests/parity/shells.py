"""Runs the platform's shells on a `MemoryBus`, to compare them with the loop of the backtester."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import tee
from typing import TypeVar

from tidegate_backtest.journaled import Journaled
from tidegate_backtest.loop import run_loop
from tidegate_common.bus.base import NewTopic
from tidegate_common.bus.beats import BeatResult, StageCore
from tidegate_common.bus.headers import origin_of
from tidegate_common.bus.journal import JournalFold
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.bus.processor import Processor
from tidegate_common.bus.snapshots import SnapshotStore
from tidegate_common.clock import ManualClock
from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.enums import ControlCommand
from tidegate_common.domain.ids import AccountId, RequestId, risk_partition_of
from tidegate_common.events.execution import Fill, FillBatch, OrderUpdate
from tidegate_common.events.message import Message
from tidegate_common.events.orders import (
    CancelOrder,
    ControlRequest,
    OrderBatch,
    RequestEnvelope,
    SubmitOrder,
)
from tidegate_common.events.portfolio import Booking, PortfolioBatch
from tidegate_common.events.risk import ControlOutcome, Decision, DecisionBatch, JournalEntry
from tidegate_common.events.run import RunSpec
from tidegate_common.events.topics import (
    DECISIONS,
    EXECUTION_SNAPSHOTS,
    FILLS,
    JOURNAL,
    ORDERS,
    PORTFOLIOS,
    RECOMMENDATIONS,
    RECOMMENDATIONS_SNAPSHOTS,
    REQUESTS,
    RISK_SNAPSHOTS,
    SIGNALS_SNAPSHOTS,
    TOPICS,
    Topic,
    partition_count,
)
from tidegate_common.frames.frame import Frame, merge_scores
from tidegate_common.runtime.metrics import StageMetrics
from tidegate_common.runtime.stage import StageHooks, StageRunner
from tidegate_common.runtime.system_clock import SystemClock
from tidegate_execution.shell import ExecutionProcessor
from tidegate_ingest.shell import Publisher
from tidegate_risk.adapters.journal import JournalKeeper
from tidegate_risk.shell import RiskProcessor
from tidegate_signals.engine import SignalsEngine
from tidegate_signals.engine.recommendations import RecommendationEngine
from tidegate_signals.shell import RecommendationProcessor
from tidegate_signals.stage import SignalsProcessor

Batch = TypeVar("Batch", DecisionBatch, OrderBatch, FillBatch, PortfolioBatch)
Event = Decision | ControlOutcome | SubmitOrder | CancelOrder | OrderUpdate | Fill

# A day of a few hundred beats takes seconds; a stage that waits for ever fails the test.
RUN_SECONDS_MAX = 100.0
# So many beats risk goes on without a stage that stands still.
STALL_BEATS = 4


@dataclass(slots=True)
class Outcome:
    """Every event of a run as its bytes, by stream, in the order of (beat, account, sequence)."""

    decisions: list[bytes] = field(default_factory=list)
    controls: list[bytes] = field(default_factory=list)
    orders: list[bytes] = field(default_factory=list)
    cancels: list[bytes] = field(default_factory=list)
    updates: list[bytes] = field(default_factory=list)
    fills: list[bytes] = field(default_factory=list)
    portfolios: list[bytes] = field(default_factory=list)
    recommendations: list[bytes] = field(default_factory=list)
    bookings: list[bytes] = field(default_factory=list)


class Platform:
    """Composes stages for a deployment of so many shards and risk partitions."""

    def __init__(
        self,
        *,
        shard_count: int = 1,
        risk_partition_count: int = 1,
        stripe_count: int = 1,
    ) -> None:
        self.bus = MemoryBus()
        self.stripe_count = stripe_count
        self.shard_count = shard_count
        self.risk_partition_count = risk_partition_count
        self.snapshot_every_beats = 50
        self.asked: list[tuple[int, RequestEnvelope]] = []
        self.stalls: dict[str, int] = {}
        self.patient: frozenset[int] = frozenset()
        self._risk_beat = 0
        self._risk_moved = asyncio.Event()

    def stall(self, producer: str, beat: int) -> None:
        """Let a stage stand still before a beat until risk has gone on without it for a while."""
        self.stalls[producer] = beat

    def ask(self, beat: int, command: ControlCommand, account: AccountId | None) -> None:
        """Let a command be sent when risk has come to a beat: it enters about then, or later."""
        request_id = RequestId(f"command{len(self.asked)}")
        control = ControlRequest(request_id, command, account)
        self.asked.append((beat, RequestEnvelope(control=control)))

    async def create_topics(self) -> None:
        """Create all topics and their dead letters."""
        topics = [
            NewTopic(
                topic.name,
                partition_count(
                    topic,
                    shard_count=self.shard_count,
                    risk_partition_count=self.risk_partition_count,
                    stripe_count=self.stripe_count,
                ),
            )
            for topic in TOPICS
        ]
        letters = [NewTopic(topic.dead_letters, 1) for topic in TOPICS]
        await self.bus.create_topics(topics + letters)

    async def run(self, frames: Iterator[Frame], run_id: str) -> None:
        """Feed the frames and let all stages work until risk and advice have the last beat."""
        await self.create_topics()
        stopping = asyncio.Event()
        ended: set[str] = set()

        def after_beat(stage: str, result: BeatResult) -> None:
            if result.stamp.is_last:
                ended.add(stage)
                if len(ended) == len(names):
                    stopping.set()

        risks = [f"risk-{number}" for number in range(self.risk_partition_count)]
        names = [*risks, "recommendations"]
        async with asyncio.timeout(RUN_SECONDS_MAX), asyncio.TaskGroup() as tasks:
            tasks.create_task(self.ingest(frames, run_id, stopping))
            for shard in range(self.shard_count):
                tasks.create_task(self.signals(shard, stopping))
                tasks.create_task(self.execution(shard, stopping))
            tasks.create_task(
                self.recommendations(stopping, partial(after_beat, "recommendations")),
            )
            for number, name in enumerate(risks):
                tasks.create_task(
                    self.risk(number, stopping, partial(after_beat, name)),
                )

    async def ingest(self, frames: Iterator[Frame], run_id: str, stopping: asyncio.Event) -> None:
        """Send the frames."""
        publisher = Publisher(
            bus=self.bus,
            run_id=run_id,
            shard_count=self.shard_count,
            pacer=None,
            progress=None,
            ahead_beats_max=1_000_000,
        )
        publisher.next_beat = await publisher.first_missing_beat()
        await publisher.publish(frames, stopping)

    async def signals(self, shard: int, stopping: asyncio.Event) -> None:
        """Run a shard of signals."""
        core = StageCore(SignalsProcessor(shard))
        await self._runner(core, SIGNALS_SNAPSHOTS, shard, self._hooks(core)).run(stopping)

    async def recommendations(
        self,
        stopping: asyncio.Event,
        after_beat: Callable[[BeatResult], None],
    ) -> None:
        """Run the recommendations."""
        core = StageCore(RecommendationProcessor(self.shard_count))
        hooks = StageHooks(after_beat=after_beat)
        await self._runner(core, RECOMMENDATIONS_SNAPSHOTS, 0, hooks).run(stopping)

    async def execution(self, shard: int, stopping: asyncio.Event) -> None:
        """Run a shard of execution."""
        processor: Processor = ExecutionProcessor(
            shard, self.shard_count, self.risk_partition_count
        )
        core = StageCore(processor, stripe_count=self.stripe_count)
        await self._runner(core, EXECUTION_SNAPSHOTS, shard, self._hooks(core)).run(stopping)

    async def risk(
        self,
        partition: int,
        stopping: asyncio.Event,
        after_beat: Callable[[BeatResult], None],
    ) -> None:
        """Run a partition of risk."""
        processor = RiskProcessor(
            partition,
            shard_count=self.shard_count,
            risk_partition_count=self.risk_partition_count,
        )
        fold = JournalFold()
        core = StageCore(processor, fold, stripe_count=self.stripe_count)
        keeper = JournalKeeper(
            self.bus,
            fold,
            ManualClock() if partition in self.patient else SystemClock(),
            partition=partition,
            partition_count=self.risk_partition_count,
        )

        def taken(result: BeatResult) -> None:
            keeper.beat_taken()
            after_beat(result)
            if partition == 0:
                self._risk_beat = result.stamp.beat
                self._risk_moved.set()

        waiting = [
            (beat, Message(REQUESTS.name, partition, encode_event(envelope)))
            for beat, envelope in self.asked
            if self._is_asked(envelope, partition)
        ]

        async def before_beat() -> float | None:
            while waiting and waiting[0][0] <= core.next_beat:
                await self.bus.publish([waiting.pop(0)[1]])
            return await keeper.write_if_due(core)

        hooks = StageHooks(
            side_inputs={
                keeper.journal_place: keeper.take_entry,
                keeper.requests_place: keeper.take_request,
            },
            side_positions=keeper.positions,
            before_beat=before_beat,
            after_beat=taken,
        )
        await self._runner(core, RISK_SNAPSHOTS, partition, hooks).run(stopping)

    def _hooks(self, core: StageCore) -> StageHooks:
        """Return what makes a stage stand still where it is told to."""

        async def before_beat() -> None:
            beat = self.stalls.get(core.processor.producer)
            if beat is not None and core.next_beat == beat:
                while self._risk_beat < beat + STALL_BEATS:
                    self._risk_moved.clear()
                    await self._risk_moved.wait()

        return StageHooks(before_beat=before_beat)

    def _is_asked(self, envelope: RequestEnvelope, partition: int) -> bool:
        assert envelope.control is not None
        account = envelope.control.account_id
        return account is None or risk_partition_of(account, self.risk_partition_count) == partition

    def _runner(
        self, core: StageCore, topic: Topic, partition: int, hooks: StageHooks
    ) -> StageRunner:
        return StageRunner(
            bus=self.bus,
            core=core,
            snapshots=SnapshotStore(self.bus, topic, partition),
            metrics=StageMetrics(),
            snapshot_every_beats=self.snapshot_every_beats,
            hooks=hooks,
        )

    def outcome(self) -> Outcome:
        """Return all events that the log holds, repeats dropped."""
        events = Outcome()
        decisions: list[Decision] = []
        controls: list[ControlOutcome] = []
        cancels: list[CancelOrder] = []
        orders: list[SubmitOrder] = []
        updates: list[OrderUpdate] = []
        fills: list[Fill] = []
        final: dict[str, bytes] = {}
        for verdicts in self._batches(DECISIONS, DecisionBatch):
            decisions += verdicts.decisions
            controls += verdicts.controls
        for sent in self._batches(ORDERS, OrderBatch):
            orders += sent.submits
            cancels += sent.cancels
        for answers in self._batches(FILLS, FillBatch):
            updates += answers.updates
            fills += answers.fills
        bookings: list[Booking] = []
        for books in self._batches(PORTFOLIOS, PortfolioBatch):
            bookings += books.bookings
            for state in books.portfolios:
                final[state.account_id] = encode_event(state)
        events.decisions = _sorted(decisions)
        events.controls = _sorted(controls)
        events.orders = _sorted(orders)
        events.cancels = _sorted(cancels)
        events.updates = _sorted(updates)
        events.fills = _sorted(fills)
        events.portfolios = [final[account] for account in sorted(final)]
        bookings.sort(key=lambda each: (each.beat, each.account_id, each.sequence))
        events.bookings = [encode_event(each) for each in bookings]
        events.recommendations = [each.value for each in self.bus.log(RECOMMENDATIONS.name, 0)]
        return events

    def journaled(self) -> Journaled:
        """Return what the journals say."""
        journaled = Journaled()
        for partition in range(self.risk_partition_count):
            for message in self.bus.log(JOURNAL.name, partition):
                journaled.add(decode_event(JournalEntry, message.value))
        return journaled

    def _batches(self, topic: Topic, batch_type: type[Batch]) -> Iterator[Batch]:
        count = partition_count(
            topic,
            shard_count=self.shard_count,
            risk_partition_count=self.risk_partition_count,
            stripe_count=self.stripe_count,
        )
        seen = set()
        for partition in range(count):
            for message in self.bus.log(topic.name, partition):
                key = (partition, origin_of(message))
                if key not in seen:
                    seen.add(key)
                    yield decode_event(batch_type, message.value)


def _sorted(events: Sequence[Event]) -> list[bytes]:
    def key(event: Event) -> tuple[int, str, int, int, int]:
        # An order's id is run.beat.account.sequence.
        order = "" if isinstance(event, ControlOutcome) else event.order_id
        order_beat = int(order.split(".")[1]) if order else event.beat
        index = int(event.fill_id.rsplit(".", 1)[1]) if isinstance(event, Fill) else 0
        return event.beat, event.account_id, order_beat, event.sequence, index

    return [encode_event(event) for event in sorted(events, key=key)]


def loop_outcome(
    spec: RunSpec,
    frames: Iterator[Frame],
    journaled: Journaled | None = None,
) -> Outcome:
    """Return the same of the backtester's loop with what the journals say.

    And of recommendations beside it.
    """
    events = Outcome()
    final: dict[str, bytes] = {}
    signals, advice = SignalsEngine(spec), RecommendationEngine(spec)
    again, frames = tee(frames)
    said = journaled or Journaled()
    beats = run_loop(spec, frames, said.requests, late=said.late())
    for frame, beat in zip(again, beats, strict=True):
        told = advice.on_beat(merge_scores([signals.on_beat(frame).scores]))
        if told:
            events.recommendations.append(encode_event(told))
        events.decisions += [encode_event(event) for event in beat.decisions]
        events.controls += [encode_event(event) for event in beat.controls]
        events.orders += [encode_event(event) for event in beat.submits]
        events.cancels += [encode_event(event) for event in beat.cancels]
        events.updates += [encode_event(event) for event in beat.updates]
        events.fills += [encode_event(event) for event in beat.fills]
        events.bookings += [encode_event(event) for event in beat.bookings]
        for state in beat.portfolios:
            final[state.account_id] = encode_event(state)
    events.portfolios = [final[account] for account in sorted(final)]
    return events
