"""The recommendations stage on a real broker and a real Redis, killed in the middle."""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.integration.test_service_process import command_of, free_port, run_to_end
from tests.unit.signals.recommending import make_batch, make_spec, split_scores

from tidegate_common.bus.base import Bus, NewTopic, TopicPartition
from tidegate_common.bus.beats import BeatResult, StageCore
from tidegate_common.bus.headers import beat_message, frame_message
from tidegate_common.bus.kafka import KafkaBus, KafkaConfig
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.bus.snapshots import SnapshotStore
from tidegate_common.codec import encode_event
from tidegate_common.errors import TransientError
from tidegate_common.events.message import Message, Origin
from tidegate_common.events.topics import (
    RECOMMENDATIONS,
    RECOMMENDATIONS_SNAPSHOTS,
    SCORES,
    TICKS,
)
from tidegate_common.frames.codec import encode_scores
from tidegate_common.frames.frame import Frame, empty_rows
from tidegate_common.runtime.metrics import StageMetrics
from tidegate_common.runtime.stage import StageHooks, StageRunner
from tidegate_common.runtime.system_clock import SystemClock
from tidegate_common.store.cache_writer import CacheWriter
from tidegate_common.store.redis import CachedRecommendations, RecommendationCache
from tidegate_common.store.stamped import PutOutcome
from tidegate_common.testing.fakes import FailingBus
from tidegate_signals.shell import RecommendationProcessor

PATIENCE_S = 30.0
BEATS = 60
SNAPSHOT_EVERY = 20
SHARDS = 2
SPEC = make_spec()
SAID = TopicPartition(RECOMMENDATIONS.name, 0)
NOWHERE_REDIS = "redis://127.0.0.1:1/0"
TOPICS = [
    NewTopic(TICKS.name, SHARDS),
    NewTopic(SCORES.name, SHARDS),
    NewTopic(RECOMMENDATIONS.name, 1),
    NewTopic(RECOMMENDATIONS_SNAPSHOTS.name, 1, is_compacted=True),
]


def inputs() -> list[Message]:
    """Return the frames and scores of two shards; every third beat scores another instrument."""
    messages = []
    for beat in range(BEATS):
        letter, score_e6 = "abcdefgh"[beat % 8], 1_000 * (beat % 7) - 3_000
        scores = {"cross": {letter: score_e6}} if beat % 3 == 0 else {}
        batch = make_batch(beat, scores)
        stamp = replace(batch.stamp, is_last=beat == BEATS - 1)
        spec = encode_event(SPEC).decode() if beat == 0 else ""
        for said in split_scores(replace(batch, stamp=stamp), SHARDS):
            frame = Frame(stamp, said.shard, empty_rows(stamp.kind), spec)
            origin = Origin(stamp.run_id, beat, f"signals-{said.shard}")
            messages += [
                frame_message(frame, "ingest-0"),
                beat_message(SCORES, said.shard, origin, encode_scores(said)),
            ]
    return messages


@pytest.fixture(
    params=[
        pytest.param("kafka_address", marks=pytest.mark.broker),
        pytest.param("apache_kafka_address", marks=pytest.mark.apache_kafka),
    ],
)
async def bus(request: pytest.FixtureRequest, topic_prefix: str) -> AsyncIterator[KafkaBus]:
    """Start a bus with the stage's inputs."""
    address = request.getfixturevalue(request.param)
    bus = KafkaBus(KafkaConfig(address, topic_prefix=topic_prefix, fetch_max_wait_ms=5))
    await bus.start()
    await bus.create_topics(TOPICS)
    await bus.publish(inputs())
    yield bus
    await bus.close()


async def live(bus: Bus, cache: RecommendationCache) -> CachedRecommendations:
    """Run the stage until the run is over, or it fails; return what it came to."""
    stopping = asyncio.Event()
    processor = RecommendationProcessor(SHARDS)
    newest: list[CachedRecommendations] = []

    def beat_taken(result: BeatResult) -> None:
        found = processor.newest(result.stamp)
        assert found is not None
        newest.append(found)
        writer.beat_taken(result.stamp)
        if result.stamp.is_last:
            stopping.set()

    writer = CacheWriter(lambda _: cache.put(newest[-1]), every_seconds=0.01, clock=SystemClock())
    runner = StageRunner(
        bus=bus,
        core=StageCore(processor),
        snapshots=SnapshotStore(bus, RECOMMENDATIONS_SNAPSHOTS, 0),
        metrics=StageMetrics(),
        snapshot_every_beats=SNAPSHOT_EVERY,
        hooks=StageHooks(after_beat=beat_taken),
    )
    async with asyncio.timeout(PATIENCE_S):
        await runner.recover()
        await runner.run(stopping)
        await writer.flush()
    return newest[-1]


async def said(bus: Bus) -> list[Message]:
    """Return all that the stage said."""
    end = (await bus.end_offsets([SAID]))[SAID]
    reader = await bus.open_reader({SAID: 0})
    messages: list[Message] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(messages) < end:
            messages += await reader.poll(0.2)
    await reader.close()
    return messages


async def memory_bus() -> MemoryBus:
    """Return a bus in memory with the stage's inputs."""
    bus = MemoryBus()
    await bus.create_topics(TOPICS)
    await bus.publish(inputs())
    return bus


async def test_recommendations_killed_in_the_middle_are_the_same_also_in_the_cache(
    bus: KafkaBus,
    redis_url: str,
) -> None:
    """A repeat is byte for byte what was said before, no news is lost, the cache has the newest."""
    cache = RecommendationCache(
        redis_url,
        key_prefix=f"test:{secrets.token_hex(6)}:",
        put_timeout_seconds=5,
    )
    told: list[PutOutcome] = []
    nowhere = RecommendationCache(
        NOWHERE_REDIS,
        key_prefix="",
        tell=lambda outcome, _: told.append(outcome),
    )
    memory = await memory_bus()
    newest = await live(memory, nowhere)
    expected = [(message.headers, message.value) for message in await said(memory)]

    for call in (35, 15):
        with pytest.raises(TransientError, match="was told to fail"):
            await live(FailingBus(bus, fail_at_call=call), cache)
    await live(bus, cache)
    found = [(message.headers, message.value) for message in await said(bus)]

    assert BEATS / 6 < len(expected) <= BEATS / 3
    assert len(found) > len(expected)
    assert list(dict(found).items()) == expected
    assert await cache.get() == newest
    await cache.close()
    await nowhere.close()


async def test_recommendations_without_redis_are_said_all_the_same() -> None:
    """Redis down changes nothing but the cache."""
    memory = await memory_bus()
    told: list[PutOutcome] = []
    nowhere = RecommendationCache(
        NOWHERE_REDIS,
        key_prefix="",
        tell=lambda outcome, _: told.append(outcome),
    )

    newest = await live(memory, nowhere)

    assert (newest.beat, newest.strategies) == (BEATS - 1, ("cross", "reversal"))
    assert len(await said(memory)) > BEATS / 6
    assert PutOutcome.FAILED in told
    await nowhere.close()


@pytest.mark.parametrize(
    ("setting", "value", "text"),
    [
        ("TIDEGATE_SIGNALS_ROLE", "luck", "Input should be 'scores' or 'recommendations'"),
        ("TIDEGATE_REDIS__URL", "postgres://127.0.0.1", "expected a redis:// address"),
    ],
)
def test_recommendations_with_a_wrong_setting_exit_2_with_one_line(
    setting: str,
    value: str,
    text: str,
) -> None:
    """Restarting will not help, so the supervisor must not try."""
    given = {"TIDEGATE_SIGNALS_ROLE": "recommendations", "TIDEGATE_LOG_LEVEL": "error"}

    done = run_to_end(command_of("tidegate_signals"), **(given | {setting: value}))

    assert done.returncode == 2
    assert text in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_recommendations_without_a_broker_exit_2_with_one_line() -> None:
    """Within the bound, and naming the address."""
    address = f"127.0.0.1:{free_port()}"

    done = run_to_end(
        command_of("tidegate_signals"),
        TIDEGATE_SIGNALS_ROLE="recommendations",
        TIDEGATE_KAFKA__BOOTSTRAP_SERVERS=address,
        TIDEGATE_KAFKA__CONNECT_TIMEOUT_SECONDS="0.3",
        TIDEGATE_LOG_LEVEL="error",
    )

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(
        f"no Kafka broker answers at {address} (waited 0.3 s)"
    )


def test_recommendations_role_does_not_load_faust() -> None:
    """It costs a second of every start and 30 MB, and only the other role needs it."""
    code = "import sys, tidegate_signals.__main__; sys.exit('faust' in sys.modules)"

    done = run_to_end([sys.executable, "-c", code])

    assert done.returncode == 0, done.stderr
