"""What signals say on the whole platform: on the log, and as somebody reads it from the gateway."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from tests.e2e.conftest import RUN_SECONDS_MAX, stack

from tidegate_cli.stack_file import read_stack_file
from tidegate_common.bus.base import TopicPartition
from tidegate_common.bus.kafka import KafkaBus, KafkaConfig
from tidegate_common.codec import decode_event
from tidegate_common.domain.ids import shards_of
from tidegate_common.events.run import RunSpec
from tidegate_common.events.topics import BARS, SCORES
from tidegate_common.frames.codec import encode_bars, encode_scores
from tidegate_common.frames.frame import merge_scores, split_frame
from tidegate_common.store.redis import CachedRecommendations
from tidegate_gateway.schemas.recommendations import RecommendationsView
from tidegate_ingest.adapters.feed import open_feed
from tidegate_signals.engine import SignalsEngine
from tidegate_signals.engine.recommendations import RecommendationEngine

SHARD_COUNT = 2
PLACES = [
    TopicPartition(topic.name, shard) for topic in (SCORES, BARS) for shard in range(SHARD_COUNT)
]
READ_SECONDS_MAX = 60.0
# So that the killed ones go on from a snapshot, not from the start.
SNAPSHOTS = {"TIDEGATE_SIGNALS_SNAPSHOT_EVERY_BEATS": "30"}


def expected_recommendations(spec: RunSpec) -> RecommendationsView:
    """Return what the engines make of a run, without any bus."""
    signals, recommendations = SignalsEngine(spec), RecommendationEngine(spec)
    beat = -1
    for frame in open_feed(spec).frames():
        recommendations.on_beat(merge_scores([signals.on_beat(frame).scores]))
        beat = frame.stamp.beat
    current = recommendations.current()
    newest = CachedRecommendations(spec.run_id, beat, recommendations.strategies, current)
    return RecommendationsView.of(newest, None)


def read_recommendations(data_dir: Path, beat: int) -> dict[str, object]:
    """Return what the gateway answers once it is at a beat."""
    deadline = time.monotonic() + RUN_SECONDS_MAX
    while time.monotonic() < deadline:
        file = read_stack_file(data_dir)
        assert file is not None
        with suppress(httpx.HTTPError):
            answer = httpx.get(f"{file.urls['gateway']}/v1/recommendations", timeout=5)
            found: dict[str, object] = answer.json()
            if answer.status_code == 200 and found["beat"] == beat:
                return found
        time.sleep(0.1)
    pytest.fail(f"the gateway has no recommendations of beat {beat} in {RUN_SECONDS_MAX} s")


def expected_values(spec: RunSpec) -> dict[TopicPartition, list[bytes]]:
    """Return what each shard of two says of scores and bars, without any bus."""
    engines = [SignalsEngine(spec) for _ in range(SHARD_COUNT)]
    said: dict[TopicPartition, list[bytes]] = {place: [] for place in PLACES}
    for frame in open_feed(spec).frames():
        shards = shards_of(frame.rows.instrument, SHARD_COUNT)
        for number, part in enumerate(split_frame(frame, shards, SHARD_COUNT)):
            output = engines[number].on_beat(part)
            said[TopicPartition(SCORES.name, number)].append(encode_scores(output.scores))
            if output.bars is not None:
                said[TopicPartition(BARS.name, number)].append(encode_bars(output.bars))
    return said


async def read_values(address: str) -> dict[TopicPartition, list[bytes]]:
    """Return what is on the log of scores and bars, repeats dropped that are the same bytes."""
    bus = KafkaBus(KafkaConfig(address, fetch_max_wait_ms=5))
    await bus.start()
    said: dict[TopicPartition, list[bytes]] = {place: [] for place in PLACES}
    try:
        ends = await bus.end_offsets(PLACES)
        reader = await bus.open_reader(dict.fromkeys(PLACES, 0))
        async with asyncio.timeout(READ_SECONDS_MAX):
            while sum(map(len, said.values())) < sum(ends.values()):
                for message in await reader.poll(0.2):
                    said[TopicPartition(message.topic, message.partition)].append(message.value)
        await reader.close()
    finally:
        await bus.close()
    return {place: list(dict.fromkeys(values)) for place, values in said.items()}


# Runs of the whole stack: on a busy machine they outlast the limit of an ordinary test.
@pytest.mark.timeout(900)
def test_stack_killed_signals_say_what_the_engines_say(tmp_path: Path) -> None:
    """Two shards, both roles killed on the way: log and gateway have what one loop makes of it."""
    market = ("--instruments", 20, "--seed", 5, "--beats", 200)
    options = (*market, "--shards", SHARD_COUNT, "--run-id", "advice", "--speed", "max")
    strategies = ("--strategy", "book_imbalance", "--strategy", "vwap_reversion")

    with stack(tmp_path, *options, *strategies, **SNAPSHOTS) as running:
        running.wait_for_beat(20)
        running.kill("recommendations")
        running.wait_for_beat(80)
        running.kill("signals")
        # One may be far ahead of risk: what the gateway has need not wait for the next start.
        running.wait_for_restart("recommendations", "signals")
        spec = decode_event(RunSpec, (tmp_path / "runs" / "advice.json").read_bytes())
        expected = expected_recommendations(spec)
        assert expected.beat is not None
        found = read_recommendations(tmp_path, expected.beat)
        values = asyncio.run(read_values(running.address("kafka")))

    assert found == expected.model_dump()
    assert [item.strategy for item in expected.items] == ["book_imbalance", "vwap_reversion"]
    assert all(item.top and item.bottom for item in expected.items)
    assert values == expected_values(spec)
    assert all(values.values())
