"""What is the memory bus's own; what it shares with Kafka is in the bus suite."""

import asyncio

import pytest

from tidegate_common.bus.base import NewTopic, TopicPartition
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.errors import ConfigError, TransientError
from tidegate_common.events.message import Message

PLACE = TopicPartition("words.v1", 0)


async def make_bus() -> MemoryBus:
    """Return a started bus with a topic."""
    bus = MemoryBus()
    await bus.start()
    await bus.create_topics([NewTopic("words.v1", 1)])
    return bus


async def test_memory_bus_poll_returns_when_something_is_published() -> None:
    """A reader that waits wakes up at once, not when its time is over."""
    bus = await make_bus()
    reader = await bus.open_reader({PLACE: 0})
    nothing = await reader.poll(0)

    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(reader.poll(60))
        await asyncio.sleep(0)
        await (await bus.post([Message("words.v1", 0, b"a")]))
    await reader.close()
    await bus.close()

    assert nothing == []
    assert waiting.result() == bus.log("words.v1") == [Message("words.v1", 0, b"a", offset=0)]


async def test_memory_bus_reader_brings_a_long_log_in_parts() -> None:
    """Every batch has a limit."""
    bus = await make_bus()
    await bus.publish([Message("words.v1", 0, b"%d" % number) for number in range(600)])
    reader = await bus.open_reader({PLACE: 0})

    sizes = [len(await reader.poll(0)) for _ in range(3)]

    assert sizes == [500, 100, 0]


async def test_memory_bus_paused_partition_rests() -> None:
    """As Kafka's: what is paused is not read, and nothing of it is lost."""
    bus = await make_bus()
    reader = await bus.open_reader({PLACE: 0})
    reader.pause([PLACE])
    await bus.publish([Message("words.v1", 0, b"a")])

    paused = await reader.poll(0)
    reader.resume([PLACE])
    resumed = await reader.poll(0)

    assert (len(paused), len(resumed)) == (0, 1)


async def test_memory_bus_unknown_partition_is_a_transient_error() -> None:
    """As with Kafka, a message cannot make a topic."""
    bus = await make_bus()

    with pytest.raises(TransientError, match=r"words\.v1 has no partition 1"):
        await bus.publish([Message("words.v1", 1, b"a")])


async def test_memory_bus_other_partition_count_is_a_config_error() -> None:
    """As with Kafka, a topic keeps the number of its partitions."""
    bus = await make_bus()

    with pytest.raises(ConfigError, match="must have 2 partitions, has 1"):
        await bus.create_topics([NewTopic("words.v1", 2)])
    assert await bus.end_offsets([PLACE]) == {PLACE: 0}
