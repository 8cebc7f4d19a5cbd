"""The Faust shell without Faust: what happens when shards come and go."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from faust.types import TP

from tidegate_common.bus.base import NewTopic, TopicPartition
from tidegate_common.bus.headers import frame_message, origin_of
from tidegate_common.bus.kafka import KafkaConfig
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.codec import encode_event
from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import AccountId, RunId
from tidegate_common.events.message import Message
from tidegate_common.events.run import AccountSpec, RunSpec, StrategySpec
from tidegate_common.events.topics import SCORES, SIGNALS_SNAPSHOTS, TICKS
from tidegate_common.frames.frame import BeatStamp, Frame
from tidegate_common.frames.rows import BarRows
from tidegate_common.runtime.metrics import StageMetrics
from tidegate_signals.adapters.faust_transport import make_app
from tidegate_signals.adapters.inbox import INBOX_MESSAGES_MAX, Inbox, InboxBus
from tidegate_signals.stream import SignalsStream

SPEC = RunSpec(
    RunId("run-1"),
    (AccountSpec(AccountId("a"), 1),),
    (StrategySpec("cross", "ma_cross", {"fast": 1, "slow": 2}),),
)
PLACE = TopicPartition(TICKS.name, 0)


def record_of(beat: int) -> SimpleNamespace:
    """Return the event in which Faust brings a frame."""
    close = np.array([100_000 + 1_000 * beat], np.int64)
    rows = BarRows(np.array([1_600_519], np.int64), close, close, close, close, close, close)
    stamp = BeatStamp(SPEC.run_id, beat, BeatKind.BAR, 20230201, beat)
    frame = Frame(stamp, 0, rows, encode_event(SPEC).decode() if beat == 0 else "")
    message = frame_message(frame, "ingest-0")
    record = SimpleNamespace(
        partition=0,
        offset=beat,
        key=message.key,
        value=message.value,
        headers=list(message.headers),
        timestamp=1_700_000_000.125,
    )
    return SimpleNamespace(message=record)


class FakeStream:
    """Plays a Faust stream of some events."""

    def __init__(self, *events: SimpleNamespace) -> None:
        self._events = events

    async def events(self) -> AsyncIterator[SimpleNamespace]:
        for event in self._events:
            yield event


async def make_bus() -> MemoryBus:
    """Return a bus with the topics of one shard."""
    bus = MemoryBus()
    names = (TICKS.name, SCORES.name, SIGNALS_SNAPSHOTS.name, TICKS.dead_letters)
    await bus.create_topics([NewTopic(name, 1) for name in names])
    return bus


@asynccontextmanager
async def running_stream(bus: MemoryBus) -> AsyncIterator[SignalsStream]:
    """Yield a stream as it is between the start and the stop of Faust."""
    stream = SignalsStream(
        bus=bus,
        kafka=KafkaConfig("127.0.0.1:1"),
        metrics=StageMetrics(),
        snapshot_every_beats=2,
    )
    async with asyncio.TaskGroup() as stream._tasks:
        yield stream
        await stream._drop(list(stream._shards))


async def wait_for_scores(bus: MemoryBus, count: int) -> list[int]:
    """Return the beats of the scores, once there are so many."""
    async with asyncio.timeout(5):
        while len(bus.log(SCORES.name)) < count:
            await bus.wait_for_growth(1)
    return [origin_of(message).beat for message in bus.log(SCORES.name)]


async def consume(stream: SignalsStream, *beats: int) -> None:
    """Hand the frames of some beats to the agent."""
    events = FakeStream(*(record_of(beat) for beat in beats))
    await stream._consume(events)  # type: ignore[arg-type]  # a fake


async def test_assigned_shard_without_snapshot_starts_at_the_oldest_frame() -> None:
    """Nothing is known, so everything is read."""
    bus = await make_bus()
    async with running_stream(bus) as stream:
        positions = await stream._take_up([0])
        await consume(stream, 0, 1, 2)

        assert positions == {0: 0}
        assert await wait_for_scores(bus, 3) == [0, 1, 2]
        assert stream.assigned.is_set()


async def test_shard_that_comes_back_goes_on_from_its_snapshot() -> None:
    """It says again what it said after the snapshot, the same bytes."""
    bus = await make_bus()
    async with running_stream(bus) as stream:
        await stream._take_up([0])
        await consume(stream, 0, 1, 2)
        await wait_for_scores(bus, 3)
        await stream._on_revoked(None, {TP(TICKS.name, 0)})

        positions = await stream._take_up([0])
        await consume(stream, 2, 3)
        beats = await wait_for_scores(bus, 5)

    assert positions == {0: 2}
    assert beats == [0, 1, 2, 2, 3]
    first, second = (message for message in bus.log(SCORES.name) if origin_of(message).beat == 2)
    assert first.value == second.value


async def test_shard_at_work_tells_its_position_again() -> None:
    """Faust may ask twice; the second time must not lose what was received since."""
    bus = await make_bus()
    async with running_stream(bus) as stream:
        await stream._take_up([0])
        await consume(stream, 0)
        await wait_for_scores(bus, 1)

        assert await stream._take_up([0]) == {0: 1}


async def test_frames_of_a_shard_that_is_not_ours_are_let_go() -> None:
    """Another process has it, and reads them itself."""
    bus = await make_bus()
    async with running_stream(bus) as stream:
        await stream._take_up([0])
        await stream._on_assigned(None, set())
        await consume(stream, 0)

        assert stream.status() == {"stage": "signals", "shards": {}}
    assert bus.log(SCORES.name) == []


async def test_full_inbox_holds_the_agent_back_until_it_is_closed() -> None:
    """Memory is bounded, and a revoked shard must not hold the others up for ever."""
    inbox = Inbox()
    message = Message(TICKS.name, 0, b"")
    for _ in range(INBOX_MESSAGES_MAX):
        await inbox.put(message)
    waiting = asyncio.ensure_future(inbox.put(message))
    await asyncio.sleep(0)
    is_held_back = not waiting.done()

    await inbox.close()
    await asyncio.wait_for(waiting, 1)
    await asyncio.wait_for(inbox.put(message), 1)

    assert is_held_back


async def test_paused_inbox_gives_nothing_until_resumed() -> None:
    """The stage runner pauses a shard whose beats pile up."""
    inbox = Inbox()
    await inbox.put(Message(TICKS.name, 0, b""))

    inbox.pause([PLACE])
    paused = await inbox.poll(0.001)
    inbox.resume([PLACE])
    resumed = await inbox.poll(0.001)
    empty = await inbox.poll(0.001)

    assert [len(messages) for messages in (paused, resumed, empty)] == [0, 1, 0]


async def test_inbox_bus_is_the_real_bus_but_for_its_reader() -> None:
    """Scores and snapshots must not end up in the inbox."""
    real, inbox = await make_bus(), Inbox()
    bus = InboxBus(real, inbox)

    await bus.start()
    await bus.create_topics([NewTopic("more", 1)])
    await bus.publish([Message("more", 0, b"1")])
    await (await bus.post([Message("more", 0, b"2")]))
    await bus.close()

    assert [message.value for message in real.log("more")] == [b"1", b"2"]
    assert await bus.end_offsets([PLACE]) == {PLACE: 0}
    assert await bus.open_reader({PLACE: 0}) is inbox


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ("PLAINTEXT", None),
        ("SSL", "SSL"),
        ("SASL_PLAINTEXT", "SASL_PLAINTEXT"),
        ("SASL_SSL", "SASL_SSL"),
    ],
)
async def test_app_reaches_the_broker_as_the_bus_does(protocol: str, expected: str | None) -> None:
    """One setting says how to reach Kafka, whoever connects."""

    async def positions(_numbers: object) -> dict[int, int]:
        return {}

    kafka = KafkaConfig(
        "one:9092,two:9092",
        security_protocol=protocol,
        sasl_mechanism="SCRAM-SHA-256",
        sasl_username="u",
        sasl_password="p",
    )
    app = make_app(name="signals.test", kafka=kafka, positions=positions)

    credentials = app.conf.broker_credentials
    assert [str(url) for url in app.conf.broker] == ["kafka://one:9092", "kafka://two:9092"]
    assert (credentials.protocol.value if credentials else None) == expected
    assert not app.conf.topic_allow_declare
    assert not app.conf.web_enabled
