"""One suite for every bus: in memory, the embedded broker, Apache Kafka."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import numpy as np
import pytest
from aiokafka import AIOKafkaProducer

from tidegate_common.bus.base import Bus, NewTopic, Reader, TopicPartition
from tidegate_common.bus.beats import StageSnapshot
from tidegate_common.bus.kafka import KafkaBus, KafkaConfig
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.bus.snapshots import SnapshotStore, encode_snapshot
from tidegate_common.engine import EngineState
from tidegate_common.errors import ConfigError, TransientError
from tidegate_common.events.message import Message
from tidegate_common.events.topics import EXECUTION_SNAPSHOTS

PATIENCE_S = 20.0
TOPIC = "suite.words.v1"
OTHER = "suite.numbers.v1"
PRODUCERS, PRODUCER_MESSAGES = 4, 400
COMPACTED = EXECUTION_SNAPSHOTS.name
FIRST, SECOND = TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)
TOPICS = [NewTopic(TOPIC, 2), NewTopic(OTHER, 1), NewTopic(COMPACTED, 1, is_compacted=True)]


def kafka_bus(address: str, prefix: str) -> KafkaBus:
    """Return a bus with the settings that the embedded broker wants."""
    return KafkaBus(KafkaConfig(address, topic_prefix=prefix, fetch_max_wait_ms=5))


@pytest.fixture(
    params=[
        "memory",
        pytest.param("kafka_address", marks=pytest.mark.broker),
        pytest.param("apache_kafka_address", marks=pytest.mark.apache_kafka),
    ],
)
async def bus(request: pytest.FixtureRequest, topic_prefix: str) -> AsyncIterator[Bus]:
    """Start a bus with its topics."""
    bus: Bus = MemoryBus()
    if request.param != "memory":
        bus = kafka_bus(request.getfixturevalue(request.param), topic_prefix)
    await bus.start()
    await bus.create_topics(TOPICS)
    yield bus
    await bus.close()


def word(text: str, partition: int = 0, topic: str = TOPIC) -> Message:
    """Return a message with everything set."""
    headers = (("ce_id", text.encode()), ("ce_empty", b""))
    return Message(topic, partition, text.encode(), key=f"key-{text}".encode(), headers=headers)


def values(messages: Sequence[Message], place: TopicPartition) -> list[bytes]:
    """Return the values of one partition, in the order in which they came."""
    return [
        message.value
        for message in messages
        if TopicPartition(message.topic, message.partition) == place
    ]


async def read(reader: Reader, count: int) -> list[Message]:
    """Return the next messages; fail when they do not come."""
    messages: list[Message] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(messages) < count:
            messages += await reader.poll(0.2)
    return messages


async def read_from(bus: Bus, positions: Mapping[TopicPartition, int], count: int) -> list[Message]:
    """Return the first messages from given positions."""
    reader = await bus.open_reader(positions)
    try:
        return await read(reader, count)
    finally:
        await reader.close()


async def test_bus_published_messages_come_in_order_of_their_partition(bus: Bus) -> None:
    """Order within a partition is all that beats ask of a bus."""
    sent = [word(f"{number}", number % 2) for number in range(40)]

    await bus.publish(sent)
    got = await read_from(bus, {FIRST: 0, SECOND: 0}, 40)

    assert values(got, FIRST) == [b"%d" % number for number in range(0, 40, 2)]
    assert values(got, SECOND) == [b"%d" % number for number in range(1, 40, 2)]


async def test_bus_published_message_keeps_key_headers_and_place(bus: Bus) -> None:
    """Headers carry the beat, so not one of them may be lost or reordered."""
    sent = [word("a"), word("b"), Message(TOPIC, 0, b"bare")]

    await bus.publish(sent)
    got = await read_from(bus, {FIRST: 0}, 3)

    assert [message.offset for message in got] == [0, 1, 2]
    assert [(m.key, m.headers, m.topic, m.partition) for m in got] == [
        (m.key, m.headers, m.topic, m.partition) for m in sent
    ]


async def test_bus_end_offsets_count_every_message(bus: Bus) -> None:
    """Recovery reads up to the end offset: one too few loses a message, one too many hangs."""
    empty = await bus.end_offsets([FIRST, SECOND])
    await bus.publish([word(f"{number}") for number in range(7)])

    ends = await bus.end_offsets([FIRST, SECOND])

    assert (empty, ends) == ({FIRST: 0, SECOND: 0}, {FIRST: 7, SECOND: 0})


async def test_bus_reader_from_the_middle_starts_at_its_offset(bus: Bus) -> None:
    """A snapshot says from where to read again."""
    await bus.publish([word(f"{number}") for number in range(6)])

    got = await read_from(bus, {FIRST: 4}, 2)

    assert [(message.offset, message.value) for message in got] == [(4, b"4"), (5, b"5")]


async def test_bus_reader_at_the_end_waits_for_news(bus: Bus) -> None:
    """A stage that is up to date gets the next beat, and nothing before it."""
    await bus.publish([word("old")])
    reader = await bus.open_reader({FIRST: 1})

    before = await reader.poll(0.05)
    await bus.publish([word("new")])
    got = await read(reader, 1)
    await reader.close()

    assert (before, [message.value for message in got]) == ([], [b"new"])


async def test_bus_reader_that_is_closed_before_it_has_read_is_closed(bus: Bus) -> None:
    """Nothing of its client may tell who closes it that it was cancelled itself."""
    reader = await bus.open_reader({FIRST: 0})

    await reader.close()

    await bus.publish([word("a")])
    assert values(await read_from(bus, {FIRST: 0}, 1), FIRST) == [b"a"]


async def test_bus_reader_of_two_topics_reads_both(bus: Bus) -> None:
    """A stage reads ticks and orders through one connection."""
    await bus.publish([word("a"), word("1", topic=OTHER), word("b")])

    got = await read_from(bus, {FIRST: 0, TopicPartition(OTHER, 0): 0}, 3)

    assert values(got, FIRST) == [b"a", b"b"]
    assert values(got, TopicPartition(OTHER, 0)) == [b"1"]


async def test_bus_paused_partition_rests_until_it_is_resumed(bus: Bus) -> None:
    """A slow stage holds a bounded backlog and loses nothing by it."""
    reader = await bus.open_reader({FIRST: 0, SECOND: 0})
    reader.pause([FIRST])
    await bus.publish([word("a"), word("b", 1), word("c", 1)])

    while_paused = await read(reader, 2)
    still_paused = await reader.poll(0.05)
    reader.resume([FIRST])
    after = await read(reader, 1)
    await reader.close()

    assert values(while_paused, SECOND) == [b"b", b"c"]
    assert still_paused == []
    assert values(after, FIRST) == [b"a"]


async def test_bus_create_topics_again_keeps_what_is_there(bus: Bus) -> None:
    """The job that creates topics runs at every start."""
    await bus.publish([word("a")])

    await bus.create_topics([*TOPICS, NewTopic("suite.late.v1", 3)])

    assert await bus.end_offsets([FIRST, TopicPartition("suite.late.v1", 2)]) == {
        FIRST: 1,
        TopicPartition("suite.late.v1", 2): 0,
    }


async def test_bus_create_topics_with_other_partitions_is_a_config_error(bus: Bus) -> None:
    """With another number of shards the old log means something else."""
    with pytest.raises(ConfigError, match=r"suite\.words\.v1 must have 3 partitions, has 2"):
        await bus.create_topics([NewTopic(TOPIC, 3)])


async def test_bus_message_of_900_kb_passes(bus: Bus) -> None:
    """A whole-market frame is large, and a message is one record."""
    large = bytes(range(256)) * 3_600

    await bus.publish([Message(TOPIC, 0, large), word("after")])
    got = await read_from(bus, {FIRST: 0}, 2)

    assert [message.value for message in got] == [large, b"after"]


async def test_bus_posts_are_kept_in_the_order_of_the_calls(bus: Bus) -> None:
    """Beats are handed over without waiting, so their order rests on the bus."""
    kept = [await bus.post([word(f"{number}"), word(f"{number}", 1)]) for number in range(20)]
    for beat in kept:
        await beat

    got = await read_from(bus, {FIRST: 0, SECOND: 0}, 40)

    assert values(got, FIRST) == [b"%d" % number for number in range(20)]
    assert values(got, SECOND) == values(got, FIRST)


async def test_bus_publish_to_a_partition_that_is_not_there_is_a_transient_error(bus: Bus) -> None:
    """A message must not vanish because its topic was never created."""
    with pytest.raises(TransientError):
        await bus.publish([word("a", partition=9)])


async def test_snapshot_store_saved_snapshot_is_loaded_by_another(bus: Bus) -> None:
    """A new process finds what the last one left; a snapshot may be larger than a message."""
    noise = np.random.default_rng(7).integers(0, 2**62, 150_000)
    snapshots = [
        StageSnapshot("{}", beat, ("r0",), {FIRST: beat}, EngineState({"n": beat}, {"x": noise}))
        for beat in (5, 9)
    ]
    store = SnapshotStore(bus, EXECUTION_SNAPSHOTS, 0)
    nothing = await store.load()
    for snapshot in snapshots:
        packed = await store.save(snapshot)

    async def find_copy() -> bytes:
        return packed

    loaded = await SnapshotStore(bus, EXECUTION_SNAPSHOTS, 0).load()
    copied = await SnapshotStore(bus, EXECUTION_SNAPSHOTS, 0, find_copy=find_copy).load()

    assert nothing is None
    assert len(packed) > 1_000_000
    assert loaded is not None
    assert (loaded.next_beat, loaded.positions, loaded.engine.values) == (9, {FIRST: 9}, {"n": 9})
    assert np.array_equal(loaded.engine.arrays["x"], noise)
    assert copied is not None
    assert encode_snapshot(copied) == encode_snapshot(loaded)


@pytest.mark.broker
async def test_kafka_bus_two_prefixes_do_not_meet(kafka_address: str, topic_prefix: str) -> None:
    """Deployments share a broker by their prefixes."""
    one, two = kafka_bus(kafka_address, topic_prefix), kafka_bus(kafka_address, f"{topic_prefix}b.")
    for bus in (one, two):
        await bus.start()
        await bus.create_topics(TOPICS)

    await one.publish([word("a")])
    ends = [await bus.end_offsets([FIRST]) for bus in (one, two)]
    for bus in (one, two):
        await bus.close()

    assert ends == [{FIRST: 1}, {FIRST: 0}]


@pytest.mark.broker
async def test_kafka_bus_header_without_value_reads_as_empty(
    kafka_address: str, topic_prefix: str
) -> None:
    """Kafka allows null headers and null values; a foreign one must not stop a stage."""
    bus = kafka_bus(kafka_address, topic_prefix)
    await bus.start()
    await bus.create_topics(TOPICS)
    async with AIOKafkaProducer(bootstrap_servers=kafka_address) as foreign:
        await foreign.send_and_wait(
            topic_prefix + TOPIC, None, key=b"key", partition=0, headers=[("ce_run", None)]
        )

    got = await read_from(bus, {FIRST: 0}, 1)
    await bus.close()

    assert (got[0].value, got[0].headers) == (b"", (("ce_run", b""),))


@pytest.mark.broker
async def test_kafka_reader_knows_when_the_broker_answered_it(
    kafka_address: str, topic_prefix: str
) -> None:
    """An answer that there is nothing counts; of a paused reader nobody can tell."""
    bus = kafka_bus(kafka_address, topic_prefix)
    await bus.start()
    await bus.create_topics(TOPICS)
    reader = await bus.open_reader({FIRST: 0, SECOND: 0})
    before = reader.answered_ns()

    async with asyncio.timeout(PATIENCE_S):
        while not reader.answered_ns():
            await reader.poll(0.05)
    reader.pause([FIRST])
    half_paused = reader.answered_ns()
    reader.pause([SECOND])

    assert (before, reader.answered_ns()) == (0, 0)
    assert half_paused > 10**18
    await bus.close()


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (KafkaConfig("127.0.0.1:1", connect_timeout_seconds=0.5), "no Kafka broker answers at"),
        (KafkaConfig("127.0.0.1:port"), "127.0.0.1:port"),
        (KafkaConfig("127.0.0.1:1", security_protocol="TLS"), "security_protocol"),
    ],
)
async def test_kafka_bus_that_cannot_connect_is_a_config_error_within_the_bound(
    config: KafkaConfig, text: str
) -> None:
    """A wrong address is the user's to mend, and one line says so."""
    async with asyncio.timeout(3):
        with pytest.raises(ConfigError) as caught:
            await KafkaBus(config).start()

    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.broker
async def test_bus_of_several_producers_brings_every_message(
    kafka_address: str,
    topic_prefix: str,
) -> None:
    """A stage that missed one of another's messages would stand still for ever.

    The embedded broker gives offsets a moment before it shows what is there.
    """
    buses = [kafka_bus(kafka_address, topic_prefix) for _ in range(PRODUCERS)]
    for bus in buses:
        await bus.start()
    await buses[0].create_topics(TOPICS)
    reader = await buses[0].open_reader({FIRST: 0})

    async def speak(bus: Bus) -> None:
        for number in range(PRODUCER_MESSAGES):
            await bus.publish([word(f"{number}")])

    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(read(reader, PRODUCERS * PRODUCER_MESSAGES))
        for bus in buses:
            tasks.create_task(speak(bus))
    for bus in buses:
        await bus.close()

    offsets = [message.offset for message in reading.result()]
    assert offsets == list(range(PRODUCERS * PRODUCER_MESSAGES))


@pytest.mark.apache_kafka
async def test_bus_hole_that_stays_is_passed_over_after_a_while(
    apache_kafka_address: str,
    topic_prefix: str,
) -> None:
    """A transaction's end takes an offset and is no message; readers wait for it, then go on."""
    bus = kafka_bus(apache_kafka_address, topic_prefix)
    await bus.start()
    await bus.create_topics(TOPICS)
    producer = AIOKafkaProducer(
        bootstrap_servers=apache_kafka_address,
        transactional_id=f"{topic_prefix}hole",
    )
    await producer.start()
    async with producer.transaction():
        await producer.send_and_wait(topic_prefix + TOPIC, b"a", partition=0)
    await producer.stop()
    async with asyncio.timeout(PATIENCE_S):
        # The end is written a moment after the producer heard of it.
        while await bus.end_offsets([FIRST]) != {FIRST: 2}:
            pass
    await bus.publish([word("b")])
    reader = await bus.open_reader({FIRST: 0})

    first = await read(reader, 1)
    held_back = await reader.poll(0.5)
    late = await read(reader, 1)
    await bus.close()

    assert (values(first, FIRST), held_back, values(late, FIRST)) == ([b"a"], [], [b"b"])
