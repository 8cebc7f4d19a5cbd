"""Sequencers that are killed and stopped: another one goes on, and the log shows no trace of it."""

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tidegate_common.bus.base import NewTopic, Reader, TopicPartition
from tidegate_common.bus.beats import StageCore
from tidegate_common.bus.headers import frame_message, origin_of
from tidegate_common.bus.kafka import KafkaBus, KafkaConfig
from tidegate_common.bus.processor import Slot
from tidegate_common.codec import encode_event
from tidegate_common.domain.enums import LeaseState
from tidegate_common.domain.ids import RunId, shards_of
from tidegate_common.events.message import Message
from tidegate_common.events.run import FeedSpec, RunSpec, SyntheticSpec
from tidegate_common.events.topics import LEASES, TICKS
from tidegate_common.frames.frame import split_frame
from tidegate_common.runtime.system_clock import SystemClock
from tidegate_common.testing.builders import FEED
from tidegate_common.testing.fakes import ToyProcessor
from tidegate_ingest.adapters.feed import open_feed
from tidegate_ingest.adapters.lease_log import LeaseLog
from tidegate_ingest.engine.lease import Candidate

SHARDS = 2
# The synthetic day has four hours, so a beat has 55 s; at this speed that is 55 ms.
BEATS_PER_DAY = 260
SPEED = "1000x"
# Each is several times what a quiet machine takes.
PATIENCE_S = 120.0
# What a takeover takes is printed; the bound only says that there is one.
TAKEOVER_S_MAX = 30.0
LEAD_BEATS = 15
LOOK_S = 0.05

SPEC = RunSpec(
    run_id=RunId("takeover"),
    accounts=(),
    strategies=(),
    feed=FeedSpec(synthetic=SyntheticSpec(instrument_count=12, beats_per_day=BEATS_PER_DAY)),
)


@dataclass
class Ticks:
    """What stands in the log of frames, with the time at which we saw it.

    news : time and number of each beat when it was first seen whole.
    """

    messages: list[Message] = field(default_factory=list)
    news: list[tuple[float, int]] = field(default_factory=lambda: [(0.0, -1)])
    _last: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(SHARDS), -1))
    _grown: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def beat(self) -> int:
        """The last beat that is there whole."""
        return self.news[-1][1]

    async def follow(self, reader: Reader) -> None:
        """Read for ever."""
        while True:
            for message in await reader.poll(0.5):
                self.messages.append(message)
                last = self._last[message.partition]
                self._last[message.partition] = max(last, origin_of(message).beat)
            if min(self._last.values()) > self.beat:
                now = asyncio.get_running_loop().time()
                self.news.append((now, min(self._last.values())))
            grown, self._grown = self._grown, asyncio.Event()
            grown.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Return when something is so."""
        async with asyncio.timeout(PATIENCE_S):
            while not is_so():
                await self._grown.wait()

    def longest_pause(self, since: float) -> float:
        """Return the longest time without a new beat, from the last one before a time on."""
        times = [time for time, _ in self.news]
        first = max(index for index, time in enumerate(times) if time <= since)
        return max(b - a for a, b in zip(times[first:], times[first + 1 :], strict=False))


@dataclass
class Sequencer:
    """An ingest process."""

    process: Process
    port: int

    async def status(self, client: httpx.AsyncClient) -> dict[str, Any]:
        """Return what it says of itself."""
        answer = await client.get(f"http://127.0.0.1:{self.port}/status")
        status: dict[str, Any] = answer.json()
        return status


class Crew:
    """The sequencers of a run that are there."""

    def __init__(self, environment: dict[str, str], client: httpx.AsyncClient) -> None:
        self._environment = environment
        self._client = client
        self.members: list[Sequencer] = []

    async def hire(self, count: int) -> None:
        """Start some, and wait until they are ready."""
        for _ in range(count):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tidegate_ingest"),
                env=self._environment,
                stderr=PIPE,
            )
            self.members.append(Sequencer(process, 0))
        for member in self.members:
            assert member.process.stderr is not None
            line = json.loads(await member.process.stderr.readline())
            member.port = line["http_port"]
            await self._until(member, lambda status: "role" in status)

    async def active(self) -> Sequencer:
        """Return the one that says that it is active, once one does."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for member in self.members:
                    if (await member.status(self._client))["role"] == "active":
                        return member
                await asyncio.sleep(LOOK_S)

    async def beat_number(self) -> float:
        """Return what the active one's metric says of the beat that it sends next."""
        member = await self.active()
        answer = await self._client.get(f"http://127.0.0.1:{member.port}/metrics")
        found = re.search(r"^tidegate_ingest_beat_number (\S+)$", answer.text, re.MULTILINE)
        assert found is not None
        return float(found[1])

    async def until_it_stands_by(self, member: Sequencer) -> None:
        """Return when a sequencer says that it stands by."""
        await self._until(member, lambda status: status["role"] == "standby")

    async def _until(self, member: Sequencer, is_so: Callable[[dict[str, Any]], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not is_so(await member.status(self._client)):  # noqa: ASYNC110  # a process
                await asyncio.sleep(LOOK_S)

    async def dismiss(self, how: signal.Signals) -> Sequencer:
        """Signal the active one, and count it out."""
        member = await self.active()
        self.members.remove(member)
        member.process.send_signal(how)
        return member


@asynccontextmanager
async def crew_of(environment: dict[str, str]) -> AsyncIterator[Crew]:
    """Have sequencers; those that are left are killed."""
    async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
        crew = Crew(environment, client)
        try:
            yield crew
        finally:
            for member in crew.members:
                if member.process.returncode is None:
                    member.process.kill()
                    await member.process.wait()


@asynccontextmanager
async def starting_line(bus: KafkaBus) -> AsyncIterator[None]:
    """Hold the lease of the run inside the block, so that nobody else begins."""
    candidate = Candidate(SPEC.run_id, instance="starter", started_ns=1)
    leases = LeaseLog(bus, candidate, SystemClock(), next_beat=lambda: 0)
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(leases.follow())
        await leases.permit()
        yield
        await leases.leave(LeaseState.RESIGNED)
        following.cancel()


@pytest.fixture(
    params=[
        pytest.param("kafka_address", marks=pytest.mark.broker),
        pytest.param("apache_kafka_address", marks=pytest.mark.apache_kafka),
    ],
)
def address(request: pytest.FixtureRequest) -> str:
    """Return the address of a broker."""
    found: str = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def bus(address: str, topic_prefix: str) -> AsyncIterator[KafkaBus]:
    """Start a bus with what ingest writes."""
    bus = KafkaBus(KafkaConfig(address, topic_prefix=topic_prefix, fetch_max_wait_ms=20))
    await bus.start()
    await bus.create_topics([NewTopic(TICKS.name, SHARDS), NewTopic(LEASES.name, 1)])
    yield bus
    await bus.close()


def environment(address: str, topic_prefix: str, spec_file: Path) -> dict[str, str]:
    """Return what a sequencer is told."""
    inherited = {key: text for key, text in os.environ.items() if not key.startswith("TIDEGATE_")}
    return inherited | {
        "TIDEGATE_LOG_FORMAT": "json",
        "TIDEGATE_KAFKA__BOOTSTRAP_SERVERS": address,
        "TIDEGATE_KAFKA__TOPIC_PREFIX": topic_prefix,
        "TIDEGATE_KAFKA__FETCH_MAX_WAIT_MS": "20",
        "TIDEGATE_SHARD_COUNT": str(SHARDS),
        "TIDEGATE_INGEST_RUN_SPEC_FILE": str(spec_file),
        "TIDEGATE_INGEST_SPEED": SPEED,
    }


def expected_messages() -> list[Message]:
    """Return the run's messages as one undisturbed sequencer says them."""
    return [
        frame_message(part, FEED)
        for frame in open_feed(SPEC).frames()
        for part in split_frame(frame, shards_of(frame.rows.instrument, SHARDS), SHARDS)
    ]


def said(message: Message) -> tuple[object, ...]:
    """Return all of a message but its place in the log."""
    return message.partition, origin_of(message).beat, message.key, message.headers, message.value


def outcome(messages: list[Message]) -> tuple[list[str], int, int]:
    """Return what a stage makes of a log: its words, the repeats and the dead letters."""
    core = StageCore(ToyProcessor(slots=tuple(Slot(TICKS, shard, FEED) for shard in range(SHARDS))))
    for message in messages:
        core.receive(message)
    words: list[str] = []
    while (result := core.advance()) is not None:
        words.append(result.messages[0].value.decode())
    return words, core.repeat_count, len(core.take_dead_letters())


def placed(messages: list[Message]) -> list[Message]:
    """Return messages with the offsets that they would have in an empty log."""
    counts = dict.fromkeys(range(SHARDS), 0)
    found = []
    for each in messages:
        message = Message(
            each.topic, each.partition, each.value, each.key, each.headers, counts[each.partition]
        )
        found.append(message)
        counts[each.partition] += 1
    return found


async def disturb(crew: Crew, ticks: Ticks) -> dict[str, float]:
    """Kill the active sequencer, again and again; return how long each takeover took."""
    pauses: dict[str, float] = {}
    loop = asyncio.get_running_loop()

    async def lead(after: int) -> None:
        await ticks.until(lambda: ticks.beat >= after + LEAD_BEATS)

    async def strike(name: str, how: signal.Signals) -> Sequencer:
        since, beat = loop.time(), ticks.beat
        member = await crew.dismiss(how)
        # Frames that were under way still come.
        await ticks.until(lambda: ticks.beat > beat and ticks.longest_pause(since) > 1.0)
        await lead(ticks.beat)
        pauses[name] = round(ticks.longest_pause(since), 2)
        return member

    await lead(-1)
    # What an autoscaler measures the lag of signals from.
    assert await crew.beat_number() > 0
    await strike("first kill", signal.SIGKILL)
    await strike("second kill", signal.SIGKILL)
    zombie = await strike("stop", signal.SIGSTOP)
    zombie.process.send_signal(signal.SIGCONT)
    await crew.until_it_stands_by(zombie)
    crew.members.append(zombie)
    await strike("third kill", signal.SIGKILL)
    return pauses


# Fifteen seconds of market and four takeovers of three seconds.
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_run_whose_active_sequencer_is_killed_again_and_again_is_whole(
    address: str,
    topic_prefix: str,
    bus: KafkaBus,
    tmp_path: Path,
) -> None:
    """No gap, no renumbering, every repeat the same bytes; a stage takes the undisturbed run."""
    spec_file = tmp_path / "run.json"
    spec_file.write_bytes(encode_event(SPEC))
    places = [TopicPartition(TICKS.name, shard) for shard in range(SHARDS)]
    reader = await bus.open_reader(dict.fromkeys(places, 0))
    expected = placed(expected_messages())
    ticks = Ticks()

    async with (
        crew_of(environment(address, topic_prefix, spec_file)) as crew,
        asyncio.TaskGroup() as tasks,
    ):
        following = tasks.create_task(ticks.follow(reader))
        async with starting_line(bus):
            await crew.hire(4)
        pauses = await disturb(crew, ticks)
        await ticks.until(lambda: ticks.beat == BEATS_PER_DAY + 1)
        async with asyncio.timeout(PATIENCE_S):
            codes = [await member.process.wait() for member in crew.members]
        following.cancel()
    firsts = {said(message)[:2]: said(message) for message in reversed(ticks.messages)}
    words, repeat_count, dead_letter_count = outcome(ticks.messages)

    print(pauses, "seconds,", repeat_count, "repeats")  # noqa: T201  # shown
    assert codes == [0]
    assert firsts == {said(message)[:2]: said(message) for message in expected}
    assert {said(message) for message in ticks.messages} == set(firsts.values())
    assert (words, dead_letter_count) == (outcome(expected)[0], 0)
    assert max(pauses.values()) < TAKEOVER_S_MAX
