"""One stage on real brokers: killed in the middle, it goes on with the same bytes."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tidegate_common.bus.base import Bus, NewTopic, TopicPartition
from tidegate_common.bus.beats import BeatResult, StageCore
from tidegate_common.bus.kafka import KafkaBus, KafkaConfig
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.bus.snapshots import SnapshotStore
from tidegate_common.errors import TransientError
from tidegate_common.events.message import Message
from tidegate_common.events.topics import DECISIONS, EXECUTION_SNAPSHOTS, ORDERS, SCORES, TICKS
from tidegate_common.runtime.metrics import StageMetrics
from tidegate_common.runtime.stage import StageHooks, StageRunner
from tidegate_common.testing.builders import make_beat_message, make_tick_message
from tidegate_common.testing.fakes import FailingBus, ToyProcessor

PATIENCE_S = 30.0
BEATS = 60
SNAPSHOT_EVERY = 20
SAID = TopicPartition(DECISIONS.name, 0)
TOPICS = [
    NewTopic(TICKS.name, 2),
    NewTopic(SCORES.name, 1),
    NewTopic(ORDERS.name, 1),
    NewTopic(DECISIONS.name, 2),
    NewTopic(EXECUTION_SNAPSHOTS.name, 1, is_compacted=True),
]


def inputs() -> list[Message]:
    """Return all that the toy waits for."""
    messages = []
    for beat in range(BEATS):
        messages += [
            make_tick_message(beat, shard=shard, is_last=beat == BEATS - 1) for shard in (0, 1)
        ]
        messages.append(make_beat_message(SCORES, beat, producer="signals-0"))
        messages += [
            make_beat_message(ORDERS, beat, producer=f"risk-{number}") for number in (0, 1)
        ]
    return messages


@pytest.fixture(
    params=[
        pytest.param("kafka_address", marks=pytest.mark.broker),
        pytest.param("apache_kafka_address", marks=pytest.mark.apache_kafka),
    ],
)
async def bus(request: pytest.FixtureRequest, topic_prefix: str) -> AsyncIterator[KafkaBus]:
    """Start a bus with the toy's inputs."""
    address = request.getfixturevalue(request.param)
    config = KafkaConfig(address, topic_prefix=topic_prefix, fetch_max_wait_ms=5)
    bus = KafkaBus(config)
    await bus.start()
    await bus.create_topics(TOPICS)
    await bus.publish(inputs())
    yield bus
    await bus.close()


async def live(bus: Bus) -> None:
    """Run a stage until the run is over, or it fails."""
    stopping = asyncio.Event()

    def beat_taken(result: BeatResult) -> None:
        if result.stamp.is_last:
            stopping.set()

    runner = StageRunner(
        bus=bus,
        core=StageCore(ToyProcessor()),
        snapshots=SnapshotStore(bus, EXECUTION_SNAPSHOTS, 0),
        metrics=StageMetrics(),
        snapshot_every_beats=SNAPSHOT_EVERY,
        hooks=StageHooks(after_beat=beat_taken),
        urgent_topics=frozenset({ORDERS.name}),
    )
    async with asyncio.timeout(PATIENCE_S):
        await runner.recover()
        await runner.run(stopping)


async def said(bus: Bus) -> list[Message]:
    """Return all that the stage said on a partition."""
    end = (await bus.end_offsets([SAID]))[SAID]
    reader = await bus.open_reader({SAID: 0})
    messages: list[Message] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(messages) < end:
            messages += await reader.poll(0.2)
    await reader.close()
    return messages


async def test_stage_killed_in_the_middle_says_the_same_again(bus: KafkaBus) -> None:
    """A repeat is byte for byte what was said before, and no beat is lost."""
    memory = MemoryBus()
    await memory.create_topics(TOPICS)
    await memory.publish(inputs())
    await live(memory)
    expected = [(message.headers, message.value) for message in await said(memory)]

    for call in (35, 15):
        with pytest.raises(TransientError, match="was told to fail"):
            await live(FailingBus(bus, fail_at_call=call))
    await live(bus)
    found = [(message.headers, message.value) for message in await said(bus)]

    assert len(found) > len(expected) == BEATS
    assert list(dict(found).items()) == expected
