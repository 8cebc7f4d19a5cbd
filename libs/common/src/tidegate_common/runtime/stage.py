"""The shell of a stage: reads, aligns, steps the engine, publishes, takes snapshots.

Starting and recovering are one path: load the last snapshot, read again from its offsets, go on.
What was published after the snapshot is published again, the same bytes; readers drop it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from structlog.stdlib import BoundLogger

from tidegate_common.bus.base import Bus, Reader, TopicPartition
from tidegate_common.bus.beats import BeatResult, StageCore
from tidegate_common.bus.snapshots import SnapshotStore
from tidegate_common.codec import encode_event
from tidegate_common.events.message import DeadLetter, Message
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.runtime.logging import get_logger
from tidegate_common.runtime.metrics import StageMetrics
from tidegate_common.runtime.service import Service
from tidegate_common.runtime.settings import Settings
from tidegate_common.runtime.stage_watch import StageWatch
from tidegate_common.runtime.system_clock import SystemClock
from tidegate_common.runtime.tracing import StageTracer, Tracer, Work

# A partition that is so far ahead of the others is not fetched until it is down to the second.
BACKLOG_MAX = 512
BACKLOG_RESUME = 128
# Beats that may be published but not yet kept; bounds what a crash can make us say again.
UNKEPT_BEATS_MAX = 64
# With so many messages waiting on each of a reader's partitions, it may look again a bit later.
PLENTY = 16
PLENTY_PAUSE_SECONDS = 0.05
# What the number in a producer's name counts.
_NUMBERED_BY = {"signals": "shard", "execution": "shard", "risk": "partition"}
_POLL_SECONDS = 0.5
# What is paused brings no message to wake us, and 128 beats are soon taken.
_PAUSED_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class StageHooks:
    """What a stage does besides its beats; all are called on the event loop.

    side_inputs : partitions that are no slots, with where to start and who takes their messages.
    before_beat : called when a beat may be due, e.g. to write the journal; returns the seconds
        after which to call it again though no message came, None for not before one comes.
    after_beat : called with what a beat made.
    after_snapshot : called with a snapshot, packed, that the topic has, and the beat it is after.
    """

    side_inputs: Mapping[TopicPartition, Callable[[Message], None]] = field(default_factory=dict)
    side_positions: Callable[[], Mapping[TopicPartition, int]] = dict
    before_beat: Callable[[], Awaitable[float | None]] | None = None
    after_beat: Callable[[BeatResult], None] | None = None
    after_snapshot: Callable[[BeatStamp, bytes], None] | None = None


class StageRunner:
    """Runs one stage instance on a bus.

    Parameters
    ----------
    tracer : None where traces are off.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        core: StageCore,
        snapshots: SnapshotStore,
        metrics: StageMetrics,
        snapshot_every_beats: int,
        hooks: StageHooks | None = None,
        urgent_topics: frozenset[str] = frozenset(),
        tracer: Tracer | None = None,
    ) -> None:
        self._bus = bus
        self._core = core
        self._snapshots = snapshots
        self._metrics = metrics
        self._snapshot_every = snapshot_every_beats
        self._hooks = hooks or StageHooks()
        self._urgent_topics = urgent_topics
        self._clock = SystemClock()
        self._tracer = StageTracer(tracer, core.processor) if tracer else None
        # What was sent before may be said for the second time: it is neither measured nor traced.
        self._fresh_from_ms = self._clock.now_ns() // 1_000_000
        self._stage = core.processor.producer.rsplit("-", 1)[0]
        self._wakeup = asyncio.Event()
        self._unkept: deque[Awaitable[None]] = deque()
        self._paused: set[TopicPartition] = set()
        self._beats_since_snapshot = 0
        self._repeats_told = 0
        self._posted_at = self._answered_at = 0.0
        self._watch = StageWatch(
            bus=bus,
            metrics=metrics,
            clock=self._clock,
            stage=self._stage,
            positions=self._positions,
            backlog_beats=self._backlog_beats,
        )
        self._begin_counts()

    @property
    def _log(self) -> BoundLogger:
        """A logger that says where the stage is; made when there is something to say."""
        return get_logger().bind(**stage_facts(self._core))

    async def recover(self) -> None:
        """Take up the last snapshot, if there is one."""
        snapshot = await self._snapshots.load()
        for reason in self._snapshots.passed_over:
            self._log.warning("snapshot_passed_over", reason=reason)
        if snapshot:
            self._core.restore(snapshot)
            self._log.info("stage_recovered")
        else:
            self._log.info("stage_starts_from_nothing")

    async def run(self, stopping: asyncio.Event) -> None:
        """Take beats until told to stop."""
        parts = self._split(self._positions())
        readers = [
            await self._bus.open_reader(part, is_urgent=is_urgent) for part, is_urgent in parts
        ]
        try:
            with self._watch.watching(readers):
                async with asyncio.TaskGroup() as tasks:
                    aside = [
                        tasks.create_task(self._pump(number, reader, frozenset(part), stopping))
                        for number, (reader, (part, _)) in enumerate(
                            zip(readers, parts, strict=True),
                        )
                    ]
                    aside.append(tasks.create_task(self._wake_on(stopping)))
                    aside.append(tasks.create_task(self._watch.run()))
                    await self._beats(stopping)
                    for task in aside:
                        task.cancel()
            await self._settle(0)
        except BaseExceptionGroup as group:
            # The group has one cause: what a pump or the loop raised.
            raise group.exceptions[0] from group
        finally:
            for reader in readers:
                await reader.close()

    def _positions(self) -> dict[TopicPartition, int]:
        """Return where to read on after what was taken."""
        return dict(self._core.positions()) | dict(self._hooks.side_positions())

    def _backlog_beats(self) -> int:
        """Return how many beats have all of their frames and are not taken."""
        core = self._core
        return core.framed_to(core.next_beat + BACKLOG_MAX) - core.next_beat if core.run else 0

    def _begin_counts(self) -> None:
        """Let what happens seldom be 0, not missing: a rate over it sees its first time."""
        metrics, stage = self._metrics, self._stage
        for counter in (metrics.repeats, metrics.late_inputs, metrics.snapshots):
            counter.labels(stage)
        topics = {slot.topic.name for slot in self._core.processor.slots}
        for topic in topics | {place.topic for place in self._hooks.side_inputs}:
            metrics.dead_letters.labels(stage, topic)

    def _split(
        self,
        positions: Mapping[TopicPartition, int],
    ) -> list[tuple[dict[TopicPartition, int], bool]]:
        """Return what each reader reads and whether it is urgent: one for each kind."""
        parts: dict[bool, dict[TopicPartition, int]] = {}
        for place, offset in positions.items():
            parts.setdefault(place.topic in self._urgent_topics, {})[place] = offset
        return [(part, is_urgent) for is_urgent, part in sorted(parts.items())]

    async def _wake_on(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._wakeup.set()

    async def _pump(
        self,
        number: int,
        reader: Reader,
        mine: frozenset[TopicPartition],
        stopping: asyncio.Event,
    ) -> None:
        """Hand what a reader brings to the core."""
        while not stopping.is_set():
            messages = await reader.poll(_PAUSED_POLL_SECONDS if self._paused else _POLL_SECONDS)
            now_seconds = self._clock.monotonic_seconds()
            self._watch.returned(number)
            for message in messages:
                place = TopicPartition(message.topic, message.partition)
                side = self._hooks.side_inputs.get(place)
                if side:
                    side(message)
                else:
                    self._core.receive(message, now_seconds)
            if messages:
                self._wakeup.set()
                if messages[-1].topic in self._urgent_topics:
                    self._answered_at = self._clock.monotonic_seconds()
            self._hold_back(reader, mine)
            if self._has_plenty(mine):
                # Fewer and larger fetches while there is work for a while.
                await self._clock.sleep(PLENTY_PAUSE_SECONDS)

    def _has_plenty(self, places: frozenset[TopicPartition]) -> bool:
        backlog = self._core.backlog()
        slots = [backlog[place] for place in places if place in backlog]
        return bool(slots) and min(slots) >= PLENTY

    def _hold_back(self, reader: Reader, places: frozenset[TopicPartition]) -> None:
        """Read on only where something is due and there is room."""
        backlog, idle = self._core.backlog(), self._core.idle_places()
        for place in places:
            room = BACKLOG_RESUME + 1 if place in self._paused else BACKLOG_MAX
            is_wanted = place not in idle and backlog.get(place, 0) < room
            if is_wanted and place in self._paused:
                reader.resume([place])
                self._paused.discard(place)
            elif not is_wanted and place not in self._paused:
                reader.pause([place])
                self._paused.add(place)

    async def _beats(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            # Before the hook: the journal's first entry must not wait for the next message.
            self._core.begin_run_if_due()
            seconds = await self._hooks.before_beat() if self._hooks.before_beat else None
            started = self._clock.monotonic_seconds()
            result = self._core.advance()
            if result is None:
                await self._report_dead_letters()
                await self._wait(seconds)
                continue
            taking_seconds = self._clock.monotonic_seconds() - started
            self._metrics.beat_seconds.labels(self._stage).observe(taking_seconds)
            await self._publish(result, taking_seconds)

    async def _wait(self, seconds: float | None) -> None:
        """Wait for a message, no longer than so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wakeup.wait()
        self._wakeup.clear()

    async def _publish(self, result: BeatResult, taking_seconds: float) -> None:
        if self._answered_at > self._posted_at > 0:
            self._metrics.round_trip_seconds.labels(self._stage).observe(
                self._answered_at - self._posted_at,
            )
        self._posted_at = self._clock.monotonic_seconds()
        await self._post(result, taking_seconds)
        self._metrics.beats.labels(self._stage).inc()
        self._metrics.repeats.labels(self._stage).inc(self._core.repeat_count - self._repeats_told)
        self._repeats_told = self._core.repeat_count
        self._metrics.beat_number.labels(self._stage).set(result.stamp.beat)
        self._metrics.alignment_wait.labels(self._stage).observe(result.waited_seconds)
        self._tell_late(result)
        if self._hooks.after_beat:
            self._hooks.after_beat(result)
        await self._report_dead_letters()
        await self._settle(UNKEPT_BEATS_MAX)
        self._beats_since_snapshot += 1
        if self._beats_since_snapshot >= self._snapshot_every or result.stamp.is_last:
            await self._save_snapshot(result.stamp)
        if result.stamp.is_last:
            self._log.info("run_ended", run=result.stamp.run_id, beat=result.stamp.beat)
        # Readers share the loop: let them run even when beats are plenty.
        await asyncio.sleep(0)

    async def _post(self, result: BeatResult, taking_seconds: float) -> None:
        """Hand a beat's messages over; measure and trace that, unless it may be for a second time.

        Handed over is not kept yet: the time to be kept is in the next stage's latency.
        """
        if self._tracer:
            result = self._tracer.carry(result)
        taken_ns = self._clock.now_ns() if self._tracer else 0
        self._unkept.append(await self._bus.post(result.messages))
        if result.sent_ms < self._fresh_from_ms:
            return
        now_ns = self._clock.now_ns()
        latency_seconds = max(now_ns - result.sent_ms * 1_000_000, 0) / 1e9
        self._metrics.latency_seconds.labels(self._stage).observe(latency_seconds)
        if self._tracer:
            taking = Work(taken_ns - round(taking_seconds * 1e9), taken_ns)
            self._tracer.tell(result, taking, Work(taken_ns, now_ns))

    def _tell_late(self, result: BeatResult) -> None:
        self._metrics.stale_shards.labels(self._stage).set(len(result.late))
        if result.late:
            self._metrics.late_inputs.labels(self._stage).inc(len(result.late))
            self._log.warning(
                "beat_taken_without",
                run=result.stamp.run_id,
                beat=result.stamp.beat,
                late=[f"{each.topic}/{each.shard}" for each in result.late],
            )

    async def _settle(self, allowed: int) -> None:
        """Wait until at most so many beats are not kept yet."""
        while len(self._unkept) > allowed:
            await self._unkept.popleft()

    async def _save_snapshot(self, stamp: BeatStamp) -> None:
        await self._settle(0)
        snapshot = self._core.snapshot()
        # The snapshot is past what was put aside, so that must be told first.
        await self._report_dead_letters()
        packed = await self._snapshots.save(snapshot)
        self._log.debug(
            "beats_taken",
            run=stamp.run_id,
            beat=stamp.beat,
            beats=self._beats_since_snapshot,
            snapshot_bytes=len(packed),
        )
        self._beats_since_snapshot = 0
        self._metrics.snapshots.labels(self._stage).inc()
        self._metrics.snapshot_bytes.labels(self._stage).set(len(packed))
        if self._hooks.after_snapshot:
            self._hooks.after_snapshot(stamp, packed)

    async def _report_dead_letters(self) -> None:
        letters = self._core.take_dead_letters()
        if letters:
            for letter in letters:
                self._metrics.dead_letters.labels(self._stage, letter.topic).inc()
                self._log.error(
                    "message_put_aside",
                    topic=letter.topic,
                    partition=letter.partition,
                    offset=letter.offset,
                    reason=letter.reason,
                )
            await self._bus.publish([dead_letter_message(letter) for letter in letters])


async def serve_stage(
    service: Service[Settings],
    bus: Bus,
    runner: StageRunner,
    core: StageCore,
) -> None:
    """Recover a stage, say that it is ready, and run it until the service is told to stop."""
    service.health.status = lambda: {
        "stage": core.processor.producer,
        "run": core.run.run_id if core.run else None,
        "next_beat": core.next_beat,
    }
    service.facts.tell = lambda: stage_facts(core)
    try:
        await runner.recover()
        service.health.is_ready = True
        await runner.run(service.stopping)
    finally:
        service.health.is_ready = False
        await bus.close()


def stage_facts(core: StageCore) -> dict[str, object]:
    """Return what lines of the log say of a stage: where it is, and which beat it takes next."""
    producer = core.processor.producer
    stage, _, number = producer.rpartition("-")
    facts: dict[str, object] = {"stage": producer}
    if stage in _NUMBERED_BY:
        facts[_NUMBERED_BY[stage]] = int(number)
    if core.run:
        facts |= {"run": core.run.run_id, "beat": core.next_beat}
    return facts


def dead_letter_message(letter: DeadLetter) -> Message:
    """Return the message that keeps a dead letter; its key is the place of the bad one."""
    key = f"{letter.partition}/{letter.offset}"
    return Message(f"{letter.topic}.dlq", 0, encode_event(letter), key.encode())
