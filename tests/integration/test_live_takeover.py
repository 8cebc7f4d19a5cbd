"""Sequencers of a live run that are killed: another one goes on with the living market."""

import asyncio
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from tidegate_common.bus.base import NewTopic, Reader, TopicPartition
from tidegate_common.bus.headers import origin_of, stamp_of
from tidegate_common.bus.kafka import KafkaBus, KafkaConfig
from tidegate_common.codec import encode_event
from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId
from tidegate_common.events.message import Message
from tidegate_common.events.run import FeedSpec, LiveSpec, RunSpec
from tidegate_common.events.topics import LEASES, REJECTS, TICKS
from tidegate_common.frames.codec import decode_frame
from tidegate_common.market.sessions import shanghai_ns
from tidegate_common.testing.quote_server import QuoteMarket, serving_quotes

SHARDS = 2
# From 09:35 on a beat comes every 50 ms; the run is left long before the day ends.
SPEED, START, START_SECONDS, DATE = 60, "09:35:00", 9 * 3_600 + 35 * 60, 20260914
KILLS = 3
LEAD_BEATS = 5
PATIENCE_S = 120.0
# What a takeover takes is printed; the bound only says that there is one.
TAKEOVER_S_MAX = 30.0
SPEC = RunSpec(
    run_id=RunId("live-takeover"),
    accounts=(),
    strategies=(),
    feed=FeedSpec(
        live=LiveSpec(("sina",), ("600000.SH", "600004.SH", "600006.SH", "000001.SZ")),
        day_count_max=1,
    ),
)


class Ticks:
    """What stands in the log, and when each beat was first seen whole."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.seen = [time.monotonic()]
        self._last = dict.fromkeys(range(SHARDS), -1)
        self._grown = asyncio.Event()

    @property
    def beat(self) -> int:
        """The last beat that is there whole."""
        return min(self._last.values())

    async def follow(self, reader: Reader) -> None:
        """Read for ever."""
        while True:
            for message in await reader.poll(0.5):
                self.messages.append(message)
                beat = origin_of(message).beat
                before = self.beat
                self._last[message.partition] = max(self._last[message.partition], beat)
                if self.beat > before:
                    self.seen.append(time.monotonic())
            self._grown.set()

    async def until(self, beat: int) -> None:
        """Return when a beat is there whole."""
        async with asyncio.timeout(PATIENCE_S):
            while self.beat < beat:
                self._grown.clear()
                await self._grown.wait()

    def longest_pause(self, since: float) -> float:
        """Return the longest time without a new beat, from the last one before a time on."""
        first = max(index for index, at in enumerate(self.seen) if at <= since)
        times = self.seen[first:]
        return max(later - earlier for earlier, later in pairwise(times))


@asynccontextmanager
async def sequencers(environment: dict[str, str]) -> AsyncIterator[dict[int, Process]]:
    """Have sequencers, one more than are killed, by the port on which they say how they are."""
    found: dict[int, Process] = {}
    processes: list[Process] = []
    try:
        for _ in range(KILLS + 1):
            command = (sys.executable, "-m", "tidegate_ingest")
            processes.append(
                await asyncio.create_subprocess_exec(*command, env=environment, stderr=PIPE)
            )
        for process in processes:
            assert process.stderr is not None
            line = json.loads(await process.stderr.readline())
            found[line["http_port"]] = process
        yield found
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def kill_active(crew: dict[int, Process]) -> None:
    """Kill the one that says that it is active, once one does."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for port, process in crew.items():
                if b'"role":"active"' in (await status(port)).replace(b" ", b""):
                    del crew[port]
                    process.send_signal(signal.SIGKILL)
                    return


async def status(port: int) -> bytes:
    """Return what a sequencer says of itself."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /status HTTP/1.0\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer


def settings(address: str, topic_prefix: str, spec_file: Path, url: str) -> dict[str, str]:
    """Return what a sequencer is told."""
    inherited = {key: text for key, text in os.environ.items() if not key.startswith("TIDEGATE_")}
    anchor = f"{shanghai_ns(DATE, START_SECONDS)}@{time.time_ns()}@{SPEED}"
    return inherited | {
        "TIDEGATE_LOG_FORMAT": "json",
        "TIDEGATE_KAFKA__BOOTSTRAP_SERVERS": address,
        "TIDEGATE_KAFKA__TOPIC_PREFIX": topic_prefix,
        "TIDEGATE_KAFKA__FETCH_MAX_WAIT_MS": "20",
        "TIDEGATE_SHARD_COUNT": str(SHARDS),
        "TIDEGATE_INGEST_RUN_SPEC_FILE": str(spec_file),
        "TIDEGATE_INGEST_LIVE__SINA_URL": url,
        "TIDEGATE_INGEST_LIVE__REHEARSAL": anchor,
        "TIDEGATE_INGEST_LIVE__REQUESTS_PER_SECOND_MAX": "100",
    }


@pytest.fixture
async def bus(kafka_address: str, topic_prefix: str) -> AsyncIterator[KafkaBus]:
    """Start a bus with what ingest writes."""
    bus = KafkaBus(KafkaConfig(kafka_address, topic_prefix=topic_prefix, fetch_max_wait_ms=20))
    await bus.start()
    await bus.create_topics(
        [NewTopic(TICKS.name, SHARDS), NewTopic(LEASES.name, 1), NewTopic(REJECTS.name, 1)]
    )
    yield bus
    await bus.close()


# Three takeovers of three seconds.
@pytest.mark.broker
@pytest.mark.timeout(600)
async def test_live_run_whose_active_sequencer_is_killed_again_and_again_has_no_gap(
    kafka_address: str, topic_prefix: str, bus: KafkaBus, tmp_path: Path
) -> None:
    """Each beat is on every shard, once, in order and with one stamp; the market goes on."""
    spec_file = tmp_path / "run.json"
    spec_file.write_bytes(encode_event(SPEC))
    places = [TopicPartition(TICKS.name, shard) for shard in range(SHARDS)]
    reader = await bus.open_reader(dict.fromkeys(places, 0))
    ticks, pauses = Ticks(), []

    with serving_quotes(QuoteMarket(START, SPEED)) as url:
        environment = settings(kafka_address, topic_prefix, spec_file, url)
        async with sequencers(environment) as crew, asyncio.TaskGroup() as tasks:
            following = tasks.create_task(ticks.follow(reader))
            for _ in range(KILLS):
                await ticks.until(ticks.beat + LEAD_BEATS)
                since = time.monotonic()
                await kill_active(crew)
                # Beats that were under way still come.
                await ticks.until(ticks.beat + 2 * LEAD_BEATS)
                pauses.append(round(ticks.longest_pause(since), 2))
            following.cancel()
    await reader.close()

    print(pauses, "seconds")  # noqa: T201  # shown
    assert max(pauses) < TAKEOVER_S_MAX
    stamps = [
        [stamp_of(message) for message in ticks.messages if message.partition == shard]
        for shard in range(SHARDS)
    ]
    for told in stamps:
        assert [stamp.beat for stamp in told] == list(range(len(told)))
        times = [stamp.ts_event_ns for stamp in told]
        assert times == sorted(times)
        assert [stamp.kind for stamp in told[:2]] == [BeatKind.OPEN, BeatKind.TICK]
    assert all(first == second for first, second in zip(*stamps, strict=False))
    # Quotes go on after the last takeover.
    assert any(len(decode_frame(message.value).rows) for message in ticks.messages[-LEAD_BEATS:])
