"""Ingest's shell: where to go on, how far ahead, how fast."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Iterator, Sequence
from itertools import islice

import pytest
from prometheus_client import CollectorRegistry

from tidegate_common.bus.base import NewTopic, TopicPartition
from tidegate_common.bus.headers import origin_of, stamp_of
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.clock import ManualClock
from tidegate_common.events.message import Message
from tidegate_common.events.topics import PORTFOLIOS, TICKS
from tidegate_common.frames.codec import decode_frame
from tidegate_common.frames.frame import Frame
from tidegate_common.testing.builders import (
    BEAT_NS,
    make_beat_message,
    make_frame,
    make_quote_rows,
    make_tick_message,
)
from tidegate_ingest.metrics import IngestMetrics
from tidegate_ingest.shell import (
    GAP_SECONDS_MAX,
    PRODUCER,
    UNKEPT_FRAMES_MAX,
    Pacer,
    Progress,
    Publisher,
)


async def make_bus(messages: Sequence[Message] = (), shard_count: int = 1) -> MemoryBus:
    """Return a bus with ticks."""
    bus = MemoryBus()
    await bus.create_topics([NewTopic(TICKS.name, shard_count), NewTopic(PORTFOLIOS.name, 2)])
    await bus.publish(messages)
    return bus


def make_publisher(
    bus: MemoryBus,
    *,
    shard_count: int = 1,
    pacer: Pacer | None = None,
    progress: Progress | None = None,
) -> Publisher:
    """Return a publisher of run-a that may be two beats ahead."""
    return Publisher(
        bus=bus,
        run_id="run-a",
        shard_count=shard_count,
        pacer=pacer,
        progress=progress,
        ahead_beats_max=2,
    )


def frames(count: int) -> Iterator[Frame]:
    """Yield a feed of four instruments."""
    for beat in range(count):
        yield make_frame(beat, rows=make_quote_rows(4), is_last=beat == count - 1)


def beats(bus: MemoryBus, shard: int = 0) -> list[int]:
    """Return the beats on a shard's partition."""
    return [origin_of(message).beat for message in bus.log(TICKS.name, shard)]


@pytest.mark.parametrize(
    ("logs", "expected"),
    [
        (([], []), 0),
        (([0, 1, 2], [0, 1, 2]), 3),
        (([0, 1, 2], [0, 1]), 2),
        (([], [0, 1]), 0),
        (([0, 1, 2, 3, 1, 2], [0, 1, 2, 3]), 4),
        (([0, 1, 3, 4], [0, 1, 2, 3, 4]), 2),
        (([0, 1, 3, 4, 2, 3], [0, 1, 2, 3, 4]), 4),
        ((list(range(300)), list(range(299))), 299),
        ((list(range(40)), list(range(40))), 40),
    ],
)
async def test_publisher_goes_on_at_the_first_beat_that_some_shard_lacks(
    logs: tuple[list[int], list[int]], expected: int
) -> None:
    """After a crash the feed is opened again; what is there is not sent again.

    What stands ahead of its turn was put aside by its readers, so it is sent again.
    """
    messages = [
        make_tick_message(beat, shard=shard) for shard, said in enumerate(logs) for beat in said
    ]
    bus = await make_bus(messages, shard_count=2)

    assert await make_publisher(bus, shard_count=2).first_missing_beat() == expected


async def test_publisher_looks_past_what_is_not_its_own() -> None:
    """Foreign messages and other runs behind ours say nothing about our beats."""
    bus = await make_bus(
        [
            *(make_tick_message(beat) for beat in range(3)),
            Message(TICKS.name, 0, b"hello"),
            make_tick_message(7, producer="ingest-9"),
            make_tick_message(9, run_id="run-b"),
        ]
    )

    assert await make_publisher(bus).first_missing_beat() == 3


async def test_publisher_sends_from_the_next_beat_on() -> None:
    """A feed starts from its beginning, however far the log is."""
    bus = await make_bus()
    publisher = make_publisher(bus)
    publisher.next_beat = 2

    await publisher.publish(frames(5), asyncio.Event())

    assert beats(bus) == [2, 3, 4]
    assert publisher.next_beat == 5


async def test_publisher_says_every_beat_on_every_shard() -> None:
    """One message a shard and beat, also where a shard has nothing to say."""
    bus = await make_bus(shard_count=3)

    await make_publisher(bus, shard_count=3).publish(frames(100), asyncio.Event())
    parts = [decode_frame(bus.log(TICKS.name, shard)[0].value) for shard in range(3)]

    assert [beats(bus, shard) for shard in range(3)] == [list(range(100))] * 3
    assert sorted(i for part in parts for i in part.rows.instrument) == [
        1_600_000,
        1_600_001,
        1_600_002,
        1_600_003,
    ]
    assert [part.shard for part in parts] == [0, 1, 2]
    assert {origin_of(bus.log(TICKS.name)[0]).producer} == {PRODUCER}
    assert stamp_of(bus.log(TICKS.name)[-1]).is_last


async def test_publisher_told_to_stop_ends() -> None:
    """A stop is over within seconds, also in the middle of a day."""
    bus = await make_bus()
    stopping = asyncio.Event()
    stopping.set()

    await make_publisher(bus).publish(frames(5), stopping)

    assert beats(bus) == []


async def test_publisher_does_not_run_away_from_risk() -> None:
    """At full speed the slowest risk partition sets the pace."""
    bus = await make_bus()
    progress = Progress("run-a", 2)
    publisher = make_publisher(bus, progress=progress)
    reader = await bus.open_reader(
        {TopicPartition(PORTFOLIOS.name, partition): 0 for partition in (0, 1)}
    )

    async def say(partition: int, beat: int, run_id: str = "run-a") -> int:
        producer = f"risk-{partition}"
        said = make_beat_message(
            PORTFOLIOS, beat, producer=producer, partition=partition, run_id=run_id
        )
        await bus.publish([Message(PORTFOLIOS.name, partition, b"foreign"), said])
        for _ in range(20):
            await asyncio.sleep(0)
        return len(beats(bus))

    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(progress.follow(reader, ManualClock()))
        sending = tasks.create_task(publisher.publish(frames(6), asyncio.Event()))
        while len(beats(bus)) < 2:
            await bus.wait_for_growth(1)
        seen = [
            await say(0, 0),
            await say(1, 5, "run-b"),
            await say(1, 0),
            await say(0, 3),
            await say(0, 1),
            await say(1, 1),
            await say(1, 3),
        ]
        await sending
        following.cancel()

    assert seen == [2, 2, 3, 3, 3, 4, 6]


async def test_publisher_counts_what_it_sends_and_knows_its_market_time() -> None:
    """After the run's last beat there is none: nothing is in session any more."""
    metrics, bus = IngestMetrics(CollectorRegistry()), await make_bus()
    publisher = Publisher(
        bus=bus,
        run_id="run-a",
        shard_count=1,
        pacer=None,
        progress=None,
        ahead_beats_max=2,
        metrics=metrics,
    )
    times = []

    await publisher.publish(islice(frames(3), 2), asyncio.Event())
    times.append(publisher.ts_event_ns)
    await publisher.publish(frames(3), asyncio.Event())
    times.append(publisher.ts_event_ns)

    assert metrics.beats._value.get() == 3
    assert metrics.rows._value.get() == 12
    assert times == [make_frame(1).stamp.ts_event_ns, 0]


class SlowBus(MemoryBus):
    """A bus that keeps nothing until it is told to.

    waiting : of what was handed over. most : how many waited at most.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.most = 0

    async def post(self, messages: Sequence[Message]) -> Awaitable[None]:
        await self.publish(messages)
        self.waiting.append(asyncio.get_running_loop().create_future())
        self.most = max(self.most, len(self.waiting))
        return self.waiting[-1]


async def test_publisher_of_a_slow_broker_slows_its_feed() -> None:
    """What was not kept yet is bounded, and so is what is read ahead; nothing is lost."""
    count = 3 * UNKEPT_FRAMES_MAX
    bus = SlowBus()
    await bus.create_topics([NewTopic(TICKS.name, 1)])
    publisher = make_publisher(bus)
    read: list[int] = []

    def told() -> Iterator[Frame]:
        for frame in frames(count):
            read.append(frame.stamp.beat)
            yield frame

    async def keep_one(number: int) -> tuple[int, int]:
        while len(beats(bus)) < min(UNKEPT_FRAMES_MAX + 1 + number, count):
            await bus.wait_for_growth(1)
        for _ in range(5):
            await asyncio.sleep(0)
        seen = len(read) - number, publisher.kept_to
        bus.waiting.popleft().set_result(None)
        return seen

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(publisher.publish(told(), asyncio.Event()))
        seen = [await keep_one(number) for number in range(count)]

    assert beats(bus) == list(range(count))
    assert bus.most == UNKEPT_FRAMES_MAX + 1
    assert seen[: count - bus.most] == [(bus.most, number) for number in range(count - bus.most)]
    assert publisher.kept_to == count


async def test_publisher_that_begins_again_goes_on_from_there_at_its_pace() -> None:
    """What another one sent meanwhile is not made up for, nor is anything still waited for."""
    bus, clock = await make_bus(), ManualClock()
    publisher = make_publisher(bus, pacer=Pacer(clock, 1.0))
    await publisher.publish(frames(2), asyncio.Event())
    clock.advance(1_000.0)

    publisher.begin(3)
    started = clock.monotonic_seconds()
    await publisher.publish(frames(6), asyncio.Event())

    assert beats(bus) == [0, 1, 3, 4, 5]
    assert clock.monotonic_seconds() - started == 6.0
    assert publisher.kept_to == 6


async def test_publisher_asks_before_each_frame() -> None:
    """Who has lost the right to send finds out before it sends."""
    bus = await make_bus()
    asked: list[int] = []

    async def permit() -> None:
        asked.append(len(beats(bus)))

    publisher = Publisher(
        bus=bus,
        run_id="run-a",
        shard_count=1,
        pacer=None,
        progress=None,
        ahead_beats_max=2,
        permit=permit,
    )
    await publisher.publish(frames(3), asyncio.Event())

    assert asked == [0, 1, 2]


async def test_pacer_holds_beats_to_the_market_s_time() -> None:
    """At 60x a three-second beat comes every twentieth of a second."""
    clock = ManualClock()
    pacer = Pacer(clock, 60.0)
    times = []

    for beat in range(4):
        await pacer.wait_for(beat * BEAT_NS)
        times.append(clock.monotonic_seconds())

    assert times == pytest.approx([0.0, 0.05, 0.10, 0.15])


async def test_pacer_that_is_late_does_not_wait() -> None:
    """What was lost to a slow broker is made up for."""
    clock = ManualClock()
    pacer = Pacer(clock, 1.0)
    await pacer.wait_for(0)
    clock.advance(10.0)

    await pacer.wait_for(BEAT_NS)
    await pacer.wait_for(4 * BEAT_NS)

    assert clock.monotonic_seconds() == 12.0


async def test_pacer_gap_in_the_market_is_cut_short() -> None:
    """Lunch and the night are not waited for."""
    clock = ManualClock()
    pacer = Pacer(clock, 2.0)
    await pacer.wait_for(0)

    await pacer.wait_for(5_400 * 1_000_000_000)

    assert clock.monotonic_seconds() == GAP_SECONDS_MAX / 2


async def test_publisher_paced_sends_all() -> None:
    """Pace changes when beats are sent, not what."""
    bus = await make_bus()
    clock = ManualClock()

    await make_publisher(bus, pacer=Pacer(clock, 1.0)).publish(frames(3), asyncio.Event())

    assert beats(bus) == [0, 1, 2]
    assert clock.monotonic_seconds() == 6.0
