"""A stage's shell on the memory bus: crashes, dead letters, snapshots, backpressure."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from structlog.testing import capture_logs
from tests.unit.common.late_stage import SLOTS, late, score, whole_beat

from tidegate_common.bus import snapshots
from tidegate_common.bus.base import Bus, NewTopic, Reader, TopicPartition
from tidegate_common.bus.beats import BeatResult, StageCore
from tidegate_common.bus.journal import JournalFold
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.bus.snapshots import SnapshotStore
from tidegate_common.codec import decode_event
from tidegate_common.errors import TransientError
from tidegate_common.events.message import DeadLetter, Message
from tidegate_common.events.topics import (
    DECISIONS,
    EXECUTION_SNAPSHOTS,
    FILLS,
    ORDERS,
    REQUESTS,
    SCORES,
    TICKS,
)
from tidegate_common.runtime.metrics import StageMetrics
from tidegate_common.runtime.service import Service
from tidegate_common.runtime.settings import ServiceSettings
from tidegate_common.runtime.stage import BACKLOG_MAX, StageHooks, StageRunner, serve_stage
from tidegate_common.runtime.tracing import Tracer
from tidegate_common.testing.builders import (
    make_beat_message,
    make_journal_entry,
    make_tick_message,
)
from tidegate_common.testing.fakes import BAD_VALUE, FailingBus, ToyProcessor

PATIENCE_S = 20.0
BEATS = 12
SNAPSHOT_EVERY = 5
TOPICS = [
    NewTopic(TICKS.name, 2),
    NewTopic(SCORES.name, 2),
    NewTopic(FILLS.name, 1),
    NewTopic(ORDERS.name, 1),
    NewTopic(DECISIONS.name, 2),
    NewTopic(REQUESTS.name, 1),
    NewTopic(EXECUTION_SNAPSHOTS.name, 1, is_compacted=True),
    *(NewTopic(topic.dead_letters, 1) for topic in (TICKS, SCORES, ORDERS)),
]


def inputs(beat_count: int, run_id: str = "run-a") -> list[Message]:
    """Return all that the toy waits for in a run."""
    last = beat_count - 1
    messages = []
    for beat in range(beat_count):
        messages += [
            make_tick_message(beat, shard=shard, run_id=run_id, is_last=beat == last)
            for shard in (0, 1)
        ]
        messages.append(make_beat_message(SCORES, beat, producer="signals-0", run_id=run_id))
        messages += [
            make_beat_message(ORDERS, beat, producer=f"risk-{number}", run_id=run_id)
            for number in (0, 1)
        ]
    return messages


async def make_bus(messages: Sequence[Message]) -> MemoryBus:
    """Return a bus with the toy's inputs."""
    bus = MemoryBus()
    await bus.create_topics(TOPICS)
    await bus.publish(messages)
    return bus


class Stage:
    """A process's life: a runner of its own on a shared bus."""

    def __init__(
        self,
        bus: Bus,
        hooks: StageHooks | None = None,
        core: StageCore | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self.core = core or StageCore(ToyProcessor())
        self.metrics = StageMetrics()
        self.taken: list[int] = []
        self.runner = StageRunner(
            bus=bus,
            core=self.core,
            snapshots=SnapshotStore(bus, EXECUTION_SNAPSHOTS, 0),
            metrics=self.metrics,
            snapshot_every_beats=SNAPSHOT_EVERY,
            hooks=replace(hooks or StageHooks(), after_beat=self._beat_taken),
            urgent_topics=frozenset({ORDERS.name}),
            tracer=tracer,
        )
        self._until = -1
        self._stopping = asyncio.Event()

    async def live(self, until: int) -> None:
        """Recover and run until so many beats of this life are taken."""
        self._until = until
        async with asyncio.timeout(PATIENCE_S):
            await self.runner.recover()
            await self.runner.run(self._stopping)

    def _beat_taken(self, result: BeatResult) -> None:
        self.taken.append(result.stamp.beat)
        if len(self.taken) == self._until:
            self._stopping.set()

    def metric(self, name: str, **labels: str) -> float | None:
        """Return a metric's value."""
        return self.metrics.registry.get_sample_value(name, {"stage": "toy", **labels})


def said(bus: MemoryBus, partition: int = 0) -> list[bytes]:
    """Return the values of a partition, repeats dropped; a repeat must be the same bytes."""
    beats: dict[bytes, bytes] = {}
    for message in bus.log(DECISIONS.name, partition):
        beat = dict(message.headers)["ce_id"]
        assert beats.setdefault(beat, message.value) == message.value
    return list(beats.values())


@pytest.fixture
async def undisturbed() -> list[bytes]:
    """Return what a stage says that never crashes."""
    bus = await make_bus(inputs(BEATS))
    await Stage(bus).live(BEATS)
    return said(bus)


async def test_runner_works_through_a_run_and_counts() -> None:
    """One beat after another, each said on every output partition."""
    bus = await make_bus(inputs(BEATS))
    stage = Stage(bus)

    await stage.live(BEATS)

    assert stage.taken == list(range(BEATS))
    assert len(said(bus)) == BEATS
    assert said(bus, 0) == said(bus, 1)
    assert stage.metric("tidegate_stage_beats_total") == BEATS
    assert stage.metric("tidegate_stage_beat_number") == BEATS - 1
    assert stage.metric("tidegate_stage_beat_seconds_count") == BEATS
    assert stage.metric("tidegate_stage_alignment_wait_seconds_count") == BEATS
    assert stage.metric("tidegate_stage_stale_shards") == 0
    assert stage.metric("tidegate_stage_dead_letters_total", topic=ORDERS.name) == 0


async def test_runner_saves_a_snapshot_when_due_and_at_the_end_of_a_run() -> None:
    """What a restart costs is bounded by the cadence, and a finished run costs nothing."""
    bus = await make_bus(inputs(BEATS))
    stage = Stage(bus)

    await stage.live(BEATS)
    keys = [message.key for message in bus.log(EXECUTION_SNAPSHOTS.name)]
    last = await SnapshotStore(bus, EXECUTION_SNAPSHOTS, 0).load()

    assert keys.count(b"manifest/0") + keys.count(b"manifest/1") == 3
    assert stage.metric("tidegate_stage_snapshots_total") == 3
    assert (stage.metric("tidegate_stage_snapshot_bytes") or 0) > 100
    assert last is not None
    assert (last.run_spec, last.finished_runs) == ("", ("run-a",))


@pytest.mark.parametrize("crash_at", range(1, BEATS))
async def test_runner_stopped_at_any_beat_goes_on_with_the_same_bytes(
    crash_at: int, undisturbed: list[bytes]
) -> None:
    """Start-up and crash recovery are one path."""
    bus = await make_bus(inputs(BEATS))

    await Stage(bus).live(crash_at)
    second = Stage(bus)
    first_beat = (crash_at // SNAPSHOT_EVERY) * SNAPSHOT_EVERY
    await second.live(BEATS - first_beat)

    assert second.taken == list(range(first_beat, BEATS))
    assert said(bus) == undisturbed


async def test_runner_after_an_upgrade_that_reads_no_older_snapshot_says_so_and_reads_the_log(
    undisturbed: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A memory of another format is no reason to crash: the log has all that it was made of."""
    bus = await make_bus(inputs(BEATS))
    await Stage(bus).live(BEATS - 1)
    monkeypatch.setattr(snapshots, "FORMAT_VERSION", snapshots.FORMAT_VERSION + 1)
    upgraded = Stage(bus)

    with capture_logs() as logs:
        await upgraded.live(BEATS)

    assert [line["event"] for line in logs[:3]] == 2 * ["snapshot_passed_over"] + [
        "stage_starts_from_nothing"
    ]
    assert "format_version must be" in logs[0]["reason"]
    assert said(bus) == undisturbed


async def beats_left(bus: MemoryBus) -> int:
    """Return how many beats a new process will take, going by the snapshots."""
    snapshot = await SnapshotStore(bus, EXECUTION_SNAPSHOTS, 0).load()
    if snapshot is None:
        return BEATS
    return 0 if snapshot.finished_runs else BEATS - snapshot.next_beat


@pytest.mark.parametrize("is_kept", [True, False])
async def test_runner_crash_at_any_write_goes_on_with_the_same_bytes(
    undisturbed: list[bytes], *, is_kept: bool
) -> None:
    """Whether or not the last write before the crash was kept, readers see one history."""
    bus = FailingBus(await make_bus(inputs(BEATS)))
    await Stage(bus).live(BEATS)

    for call in range(bus.call_count):
        log = await make_bus(inputs(BEATS))
        crashing = Stage(FailingBus(log, fail_at_call=call, is_kept=is_kept))
        with pytest.raises(TransientError, match=f"call {call} was told to fail"):
            await crashing.live(BEATS)
        left = await beats_left(log)
        if left:
            await Stage(log).live(left)
        assert said(log) == undisturbed


@asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[asyncio.Task[None]]:
    """Run a stage beside the test, and cancel it as a killed process."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(stage.live(-1))
        yield task
        task.cancel()


async def until(condition: Callable[[], bool], moved: Callable[[], Awaitable[None]]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await moved()


@pytest.mark.parametrize("crash_at", range(BEATS))
async def test_runner_killed_while_it_waits_goes_on_with_the_same_bytes(
    crash_at: int, undisturbed: list[bytes]
) -> None:
    """A kill takes effect wherever the stage is, also in the middle of a beat's messages."""
    messages = inputs(BEATS)
    bus = await make_bus(messages[: 5 * crash_at + 3])
    killed = Stage(bus)

    async with running(killed):
        await until(lambda: len(killed.taken) == crash_at + 1, lambda: bus.wait_for_growth(0.01))
    await bus.publish(messages[5 * crash_at + 3 :])
    second = Stage(bus)
    first_beat = ((crash_at + 1) // SNAPSHOT_EVERY) * SNAPSHOT_EVERY
    if crash_at < BEATS - 1:
        await second.live(BEATS - first_beat)

    assert said(bus) == undisturbed


async def test_runner_publishes_dead_letters_and_goes_on() -> None:
    """Nothing is dropped silently: the letter says where and why, and is counted."""
    messages = inputs(3)
    broken = [replace(messages[0], headers=()), replace(messages[2], value=BAD_VALUE)]
    bus = await make_bus([broken[0], *messages[:2], broken[1], *messages[3:]])
    stage = Stage(bus)

    await stage.live(3)
    ticks, scores = (
        [decode_event(DeadLetter, m.value) for m in bus.log(topic.dead_letters)]
        for topic in (TICKS, SCORES)
    )

    assert [(letter.offset, letter.stage) for letter in ticks + scores] == [(0, "toy-0")] * 2
    assert "headers must include ce_run" in ticks[0].reason
    assert bus.log(SCORES.dead_letters)[0].key == b"0/0"
    assert stage.metric("tidegate_stage_dead_letters_total", topic=TICKS.name) == 1


async def test_runner_dead_letter_is_told_while_a_beat_is_awaited() -> None:
    """A broken message must not stay hidden until the next beat."""
    bus = await make_bus([replace(inputs(1)[0], headers=())])

    async with running(Stage(bus)):
        await until(lambda: bool(bus.log(TICKS.dead_letters)), lambda: bus.wait_for_growth(0.01))

    assert len(bus.log(TICKS.dead_letters)) == 1


async def test_runner_hands_side_inputs_to_their_takers() -> None:
    """Requests and the journal are no slots; they start where the hook says."""
    place = TopicPartition(REQUESTS.name, 0)
    requests = [Message(REQUESTS.name, 0, b"%d" % number) for number in range(3)]
    bus = await make_bus([*requests, *inputs(2)])
    taken: list[bytes] = []
    calls: list[int] = []

    async def before_beat() -> None:
        calls.append(len(taken))

    hooks = StageHooks(
        side_inputs={place: lambda message: taken.append(message.value)},
        side_positions=lambda: {place: 1},
        before_beat=before_beat,
    )

    await Stage(bus, hooks).live(2)

    assert taken == [b"1", b"2"]
    assert len(calls) >= 2


async def test_runner_first_beat_finds_its_run_begun_before_the_hook() -> None:
    """The journal's first entry is written for a run; nothing else may come to wake the stage."""
    bus = await make_bus(inputs(1))
    runs: list[str | None] = []

    async def before_beat() -> None:
        runs.append(stage.core.run.run_id if stage.core.run else None)

    stage = Stage(bus, StageHooks(before_beat=before_beat))
    await stage.live(1)

    assert runs[-1] == "run-a"


async def test_runner_asks_the_hook_again_when_it_is_time_though_nothing_comes() -> None:
    """A shard that is late says nothing, and that is just when the journal is to be written."""
    bus = await make_bus([])
    asked = asyncio.Event()
    calls: list[int] = []

    async def before_beat() -> float | None:
        calls.append(1)
        if len(calls) == 3:
            asked.set()
        return 0.001 if len(calls) < 3 else None

    async with running(Stage(bus, StageHooks(before_beat=before_beat))):
        async with asyncio.timeout(PATIENCE_S):
            await asked.wait()

    assert len(calls) == 3


async def test_runner_counts_what_a_beat_was_taken_without() -> None:
    """Nobody is late silently."""
    bus = await make_bus([m for m in whole_beat(0, is_last=True) if m != score(0, 1)])
    fold = JournalFold()
    fold.offer(make_journal_entry(0, late=[late(SCORES, 1, 0)]), 0)
    stage = Stage(bus, core=StageCore(ToyProcessor(slots=SLOTS), fold))

    await stage.live(1)

    assert stage.metric("tidegate_stage_late_inputs_total") == 1
    assert stage.metric("tidegate_stage_stale_shards") == 1


async def test_serve_stage_says_where_it_is_and_closes_the_bus() -> None:
    """The local stack shows it, and Kubernetes asks whether it is ready."""
    bus = ClosableBus()
    await bus.create_topics(TOPICS)
    await bus.publish(inputs(2))
    service = Service("toy", ServiceSettings())
    seen: list[tuple[bool, dict[str, object]]] = []

    async def before_beat() -> None:
        seen.append((service.health.is_ready, service.health.status()))
        if len(stage.taken) == 2:
            service.stopping.set()

    stage = Stage(bus, StageHooks(before_beat=before_beat))
    async with asyncio.timeout(PATIENCE_S):
        await serve_stage(service, bus, stage.runner, stage.core)

    assert (True, {"stage": "toy-0", "run": "run-a", "next_beat": 1}) in seen
    assert (service.health.is_ready, bus.is_closed) == (False, True)


async def test_serve_stage_that_cannot_recover_closes_the_bus() -> None:
    """A connection that is left open would bury the reason under warnings."""
    bus = ClosableBus()
    service = Service("toy", ServiceSettings())
    stage = Stage(bus)

    with pytest.raises(KeyError):
        await serve_stage(service, bus, stage.runner, stage.core)

    assert (service.health.is_ready, bus.is_closed) == (False, True)


class ClosableBus(MemoryBus):
    """A memory bus that notes its end."""

    is_closed = False

    async def close(self) -> None:
        self.is_closed = True


class WatchedBus(MemoryBus):
    """A memory bus that notes what its readers were told to rest."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[tuple[str, TopicPartition]] = []

    async def open_reader(
        self, positions: Mapping[TopicPartition, int], *, is_urgent: bool = False
    ) -> Reader:
        reader = await super().open_reader(positions, is_urgent=is_urgent)
        return _WatchedReader(reader, self.notes)


class _WatchedReader:
    def __init__(self, reader: Reader, notes: list[tuple[str, TopicPartition]]) -> None:
        self._reader = reader
        self._notes = notes

    async def poll(self, timeout_seconds: float) -> list[Message]:
        return await self._reader.poll(min(timeout_seconds, 0.01))

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        self._notes += [("pause", place) for place in partitions]
        self._reader.pause(partitions)

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        self._notes += [("resume", place) for place in partitions]
        self._reader.resume(partitions)

    def answered_ns(self) -> int:
        return self._reader.answered_ns()

    async def close(self) -> None:
        await self._reader.close()


async def test_runner_partition_far_ahead_is_paused_and_resumed() -> None:
    """Every queue has a limit, and nothing of what waited is lost."""
    count = 3 * BACKLOG_MAX
    bus = WatchedBus()
    await bus.create_topics(TOPICS)
    messages = inputs(count)
    ahead = TopicPartition(SCORES.name, 0)
    late = [message for message in messages if message.topic != SCORES.name]
    await bus.publish([message for message in messages if message.topic == SCORES.name])
    stage = Stage(bus)

    async with running(stage):
        await until(lambda: bool(bus.notes), lambda: bus.wait_for_growth(0.01))
        backlog = stage.core.backlog()[ahead]
        await bus.publish(late)
        await until(lambda: len(stage.taken) == count, lambda: bus.wait_for_growth(0.01))

    assert bus.notes[0] == ("pause", ahead)
    assert BACKLOG_MAX <= backlog < 2 * BACKLOG_MAX
    assert ("resume", ahead) in bus.notes
    assert stage.taken == list(range(count))


async def test_runner_that_waits_for_one_topic_tells_how_far_the_others_are() -> None:
    """A dashboard shows which input is missing; a stage that has ended shows nothing old."""
    bus = await make_bus([])
    messages = [each for each in inputs(5) if each.topic != SCORES.name]
    await bus.publish(messages)
    stage = Stage(bus)

    def lag(topic: str) -> float | None:
        return stage.metric("tidegate_stage_consumer_lag_messages", topic=topic)

    async with running(stage):
        await until(
            lambda: stage.core.backlog()[TopicPartition(TICKS.name, 1)] == 5,
            lambda: bus.wait_for_growth(0.01),
        )
        await stage.runner._watch.look()

        assert stage.metric("tidegate_stage_lag_beats") == 5
        assert (lag(TICKS.name), lag(ORDERS.name), lag(SCORES.name)) == (10, 10, 0)
        assert (stage.metric("tidegate_stage_poll_age_seconds") or 0) < PATIENCE_S
    assert lag(TICKS.name) is None
    assert stage.metric("tidegate_stage_lag_beats") is None
