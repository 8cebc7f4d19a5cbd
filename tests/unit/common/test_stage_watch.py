"""What operators see of a stage's reading, by a clock and a bus that do what they are told."""

from collections.abc import Sequence

import pytest

from tidegate_common.bus.base import NewTopic, TopicPartition
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.clock import ManualClock
from tidegate_common.errors import TransientError
from tidegate_common.events.message import Message
from tidegate_common.events.topics import SCORES, TICKS
from tidegate_common.runtime.metrics import StageMetrics
from tidegate_common.runtime.stage_watch import LAG_EVERY_SECONDS, StageWatch

FRAMES, SECOND_FRAMES = TopicPartition(TICKS.name, 0), TopicPartition(TICKS.name, 1)
SCORES_0 = TopicPartition(SCORES.name, 0)
START_NS = 1_000_000_000_000


class Answers:
    """A reader whose broker answered when it is told."""

    def __init__(self, answered_ns: int = 0) -> None:
        self.ns = answered_ns

    async def poll(self, timeout_seconds: float) -> list[Message]:
        """Return nothing."""
        return []

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Do nothing."""

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Do nothing."""

    def answered_ns(self) -> int:
        """Return what was set."""
        return self.ns

    async def close(self) -> None:
        """Do nothing."""


class LostBus(MemoryBus):
    """A bus whose ends are not to be had while it is told so."""

    def __init__(self) -> None:
        super().__init__()
        self.is_lost = False
        self.asked = 0

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the ends, or raise."""
        self.asked += 1
        if self.is_lost:
            message = "expected an answer of Kafka, found: nothing"
            raise TransientError(message)
        return await super().end_offsets(partitions)


class EnoughError(Exception):
    """Somebody slept for the last time."""


class StoppingClock(ManualClock):
    """A clock on which one can sleep so often."""

    def __init__(self, sleeps: int) -> None:
        super().__init__(START_NS)
        self._sleeps = sleeps

    async def sleep(self, seconds: float) -> None:
        """Move on, or end what sleeps."""
        if not self._sleeps:
            raise EnoughError
        self._sleeps -= 1
        await super().sleep(seconds)


class Watched:
    """A watch over a stage that has read so much."""

    def __init__(self, bus: MemoryBus, clock: ManualClock) -> None:
        self.clock = clock
        self.metrics = StageMetrics()
        self.positions = {FRAMES: 0, SECOND_FRAMES: 0, SCORES_0: 0}
        self.watch = self.another(bus)

    def another(self, bus: MemoryBus) -> StageWatch:
        """Return a watch over one more shard of the stage in the same process."""
        return StageWatch(
            bus=bus,
            metrics=self.metrics,
            clock=self.clock,
            stage="toy",
            positions=lambda: self.positions,
            backlog_beats=lambda: 7,
        )

    def lag(self, topic: str) -> float | None:
        """Return what the metrics say."""
        labels = {"stage": "toy", "topic": topic}
        return self.metrics.registry.get_sample_value(
            "tidegate_stage_consumer_lag_messages", labels
        )

    def of_stage(self, name: str) -> float | None:
        """Return what the metrics say of the stage."""
        return self.metrics.registry.get_sample_value(name, {"stage": "toy"})


@pytest.fixture
async def bus() -> LostBus:
    """Return a bus with four frames in two shards and one message of scores."""
    bus = LostBus()
    await bus.create_topics([NewTopic(TICKS.name, 2), NewTopic(SCORES.name, 1)])
    frames = [Message(TICKS.name, shard, b"") for shard in (0, 0, 0, 1)]
    await bus.publish([*frames, Message(SCORES.name, 0, b"")])
    return bus


async def test_watch_lag_is_what_each_topic_has_beyond_the_position(bus: LostBus) -> None:
    """A position ahead of an end that was looked up before is no negative lag."""
    watched = Watched(bus, ManualClock(START_NS))
    watched.positions |= {FRAMES: 1, SCORES_0: 5}

    with watched.watch.watching([]):
        before = watched.lag(TICKS.name)
        await watched.watch.look()

        assert before == 0
        assert watched.lag(TICKS.name) == 3
        assert watched.lag(SCORES.name) == 0


async def test_watch_lag_of_two_shards_in_a_process_is_their_sum(bus: LostBus) -> None:
    """One that is given away takes its part along, and the last one the series."""
    watched = Watched(bus, ManualClock(START_NS))
    other = watched.another(bus)

    with watched.watch.watching([]):
        with other.watching([]):
            await watched.watch.look()
            await other.look()
            together = watched.lag(TICKS.name)
        alone = watched.lag(TICKS.name)

    assert (together, alone, watched.lag(TICKS.name)) == (8, 4, None)
    assert watched.of_stage("tidegate_stage_poll_age_seconds") is None


async def test_watch_looks_every_so_often_and_survives_a_lost_broker(bus: LostBus) -> None:
    """Metrics must not end a stage; the last look stays."""
    clock = StoppingClock(2)
    watched = Watched(bus, clock)
    await watched.watch.look()
    bus.is_lost = True

    with watched.watch.watching([]):
        with pytest.raises(EnoughError):
            await watched.watch.run()

        assert watched.lag(TICKS.name) == 4
    assert bus.asked == 4
    assert clock.monotonic_seconds() == START_NS / 1e9 + 2 * LAG_EVERY_SECONDS


def test_watch_poll_age_is_of_the_reader_that_is_silent_for_longest() -> None:
    """One dead reader among living ones holds the stage up."""
    watched = Watched(MemoryBus(), ManualClock(START_NS))

    with watched.watch.watching([Answers(), Answers()]):
        watched.clock.advance(3)
        watched.watch.returned(1)
        watched.clock.advance(2)

        assert watched.of_stage("tidegate_stage_poll_age_seconds") == 5


def test_watch_poll_age_counts_a_broker_that_does_not_answer() -> None:
    """A reader comes back empty-handed for ever while its broker is dead."""
    watched = Watched(MemoryBus(), ManualClock(START_NS))
    reader = Answers(START_NS)

    with watched.watch.watching([reader]):
        watched.clock.advance(60)
        watched.watch.returned()
        silent = watched.watch.silent_seconds()
        reader.ns = START_NS + 61_000_000_000

        assert silent == 60
        assert watched.watch.silent_seconds() == 0


def test_watch_backlog_is_looked_up_when_it_is_scraped() -> None:
    """A gauge that nobody sets is never old."""
    watched = Watched(MemoryBus(), ManualClock(START_NS))

    with watched.watch.watching([]):
        assert watched.of_stage("tidegate_stage_lag_beats") == 7
