"""The shell of a live run: the log says where to go on, and nothing piles up before the broker."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from tidegate_common.bus.base import NewTopic
from tidegate_common.bus.headers import frame_message, origin_of, run_spec_of, stamp_of
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.codec import decode_event
from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId
from tidegate_common.errors import InvariantError
from tidegate_common.events.ingest import RejectBatch
from tidegate_common.events.message import Message
from tidegate_common.events.topics import REJECTS, TICKS
from tidegate_common.frames.codec import decode_frame
from tidegate_common.frames.frame import Frame, empty_rows
from tidegate_common.market.calendar import TradingCalendar
from tidegate_common.market.sessions import shanghai_ns
from tidegate_common.testing.builders import make_tick_message
from tidegate_common.testing.quote_lines import QuoteLine, sina_line, text_answer
from tidegate_ingest.adapters.reject_log import RejectLog
from tidegate_ingest.adapters.tick_echo import OvertakenError
from tidegate_ingest.engine.live_sequencer import LiveRun, LiveSequencer
from tidegate_ingest.engine.quote_text import ParsedPayload, parse_payload
from tidegate_ingest.live_shell import Lead, LivePublisher
from tidegate_ingest.shell import PRODUCER

MONDAY = 20260914
CODES = ("sh600000", "sh600004", "sh600006", "sz000001")
INSTRUMENTS = (1_600_000, 1_600_004, 1_600_006, 2_000_001)
OPENING, CLOSING = 37_806, 54_060
NOW_NS = shanghai_ns(MONDAY, OPENING)
BAD = QuoteLine(code="sh000001")


class Script:
    """A feed that says the same shares every three seconds, then the day's end, and no more."""

    is_patient = False

    def __init__(self, polls: int, start_seconds: int = OPENING) -> None:
        self._seconds = [start_seconds + 3 * poll for poll in range(polls)] + [CLOSING]
        self.before_poll: Callable[[int], Awaitable[None]] | None = None

    async def next_quotes(
        self, is_wanted: Callable[[int], bool]
    ) -> tuple[Sequence[ParsedPayload], int]:
        """Return the next poll's answer."""
        # From poll to poll is longer than a beat takes to be kept and read back.
        for _ in range(20):
            await asyncio.sleep(0)
        seconds = self._seconds.pop(0)
        if self.before_poll is not None:
            await self.before_poll(seconds)
        now_ns = shanghai_ns(MONDAY, seconds)
        assert is_wanted(now_ns)
        clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        lines = [sina_line(QuoteLine(code=code, time=clock)) for code in CODES]
        return [parse_payload(text_answer(*lines))], now_ns


class SlowBus(MemoryBus):
    """A bus that keeps messages only when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.is_open = asyncio.Event()
        self.is_drained = asyncio.Event()
        self.waiting = 0

    async def post(self, messages: Sequence[Message]) -> Awaitable[None]:
        """Append, and leave it open when they are kept."""
        await super().publish(messages)
        self.waiting += 1
        return self._keep()

    async def _keep(self) -> None:
        await self.is_open.wait()
        self.waiting -= 1
        if not self.waiting:
            self.is_drained.set()


async def make_bus(shard_count: int, bus: MemoryBus | None = None) -> MemoryBus:
    """Return a bus with the topic of ticks."""
    bus = bus or MemoryBus()
    await bus.create_topics([NewTopic(TICKS.name, shard_count)])
    return bus


def make_publisher(bus: MemoryBus, shard_count: int = 1) -> LivePublisher:
    """Return the publisher of a run of four shares and one day."""
    calendar = TradingCalendar(np.array([MONDAY]), first_date=MONDAY, last_date=MONDAY)
    run = LiveRun(RunId("live"), "{}", np.array(INSTRUMENTS), 1)
    sequencer = LiveSequencer(run, calendar)
    return LivePublisher(bus=bus, sequencer=sequencer, run_id="live", shard_count=shard_count)


def beats(bus: MemoryBus, shard: int = 0) -> list[int]:
    """Return the beats of the run on a shard's partition."""
    messages = bus.log(TICKS.name, shard)
    origins = [origin_of(message) for message in messages if message.headers]
    return [origin.beat for origin in origins if origin.run_id == "live"]


def kinds(bus: MemoryBus, shard: int = 0) -> list[BeatKind]:
    """Return what the beats of a shard are."""
    return [stamp_of(message).kind for message in bus.log(TICKS.name, shard)]


@pytest.mark.parametrize("shard_count", [1, 3])
async def test_live_publisher_sends_a_day_on_every_shard(shard_count: int) -> None:
    """One message a shard and beat, and the run ends with its day."""
    bus = await make_bus(shard_count)
    publisher = make_publisher(bus, shard_count)

    await publisher.recover()
    await publisher.publish(Script(polls=3))

    for shard in range(shard_count):
        assert beats(bus, shard) == list(range(6))
        assert kinds(bus, shard) == [BeatKind.OPEN, *[BeatKind.TICK] * 4, BeatKind.CLOSE]
        assert run_spec_of(bus.log(TICKS.name, shard)[0]) == "{}"
    opens = [decode_frame(bus.log(TICKS.name, shard)[0].value) for shard in range(shard_count)]
    seen = sorted(int(number) for frame in opens for number in frame.rows.instrument)
    assert seen == list(INSTRUMENTS)


@pytest.mark.parametrize("kept", range(1, 7))
async def test_live_publisher_after_a_crash_goes_on_at_the_next_beat(kept: int) -> None:
    """What is in the log is not said again, and no number is left out."""
    whole = await make_bus(2)
    await make_publisher(whole, 2).publish(Script(polls=3))
    bus = await make_bus(2)
    for shard in range(2):
        await bus.publish(whole.log(TICKS.name, shard)[:kept])
    publisher = make_publisher(bus, 2)

    await publisher.recover()
    await publisher.publish(Script(polls=1, start_seconds=OPENING + 30))

    for shard in range(2):
        found = beats(bus, shard)
        assert found == list(range(len(found)))
        assert kinds(bus, shard)[-1] == BeatKind.CLOSE
        assert kinds(bus, shard).count(BeatKind.OPEN) == 1


async def test_live_publisher_after_a_torn_beat_fills_up_the_shards_that_lack_it() -> None:
    """A beat that some shard has cannot be said otherwise on another: there it is empty."""
    whole = await make_bus(2)
    await make_publisher(whole, 2).publish(Script(polls=3))
    bus = await make_bus(2)
    await bus.publish(whole.log(TICKS.name, 0)[:4])
    await bus.publish(whole.log(TICKS.name, 1)[:2])
    await bus.publish([Message(TICKS.name, 1, b"hello"), make_tick_message(9, run_id="other")])
    publisher = make_publisher(bus, 2)

    await publisher.recover()

    assert beats(bus, 0) == beats(bus, 1) == [0, 1, 2, 3]
    filled = bus.log(TICKS.name, 1)[-2:]
    same = bus.log(TICKS.name, 0)[2:4]
    assert [stamp_of(message) for message in filled] == [stamp_of(message) for message in same]
    assert [len(decode_frame(message.value).rows) for message in filled] == [0, 0]


async def test_live_publisher_after_a_torn_open_fills_it_up_with_the_run() -> None:
    """The first beat carries the run's settings on every shard."""
    whole = await make_bus(2)
    await make_publisher(whole, 2).publish(Script(polls=1))
    bus = await make_bus(2)
    await bus.publish(whole.log(TICKS.name, 0)[:1])
    publisher = make_publisher(bus, 2)

    await publisher.recover()

    filled = bus.log(TICKS.name, 1)
    assert [run_spec_of(message) for message in filled] == ["{}"]
    assert kinds(bus, 1) == [BeatKind.OPEN]


async def test_live_publisher_finds_its_run_behind_others() -> None:
    """A real broker keeps weeks of runs: only this one is read."""
    bus = await make_bus(2)
    others = [make_tick_message(7, shard=shard, run_id="other") for shard in range(2)] * 1_500
    await bus.publish(others)
    await make_publisher(bus, 2).publish(Script(polls=1))
    cut = await make_bus(2)
    for shard in range(2):
        await cut.publish(bus.log(TICKS.name, shard)[:-1])
    await cut.publish(others[:10])
    publisher = make_publisher(cut, 2)

    await publisher.recover()
    await publisher.publish(Script(polls=0))

    assert beats(cut, 0) == beats(cut, 1) == [0, 1, 2, 3, 4]


async def test_live_publisher_with_a_hole_in_its_log_stops() -> None:
    """Beats have no gaps: what is behind one cannot be trusted."""
    bus = await make_bus(1)
    await make_publisher(bus).publish(Script(polls=2))
    broken = await make_bus(1)
    messages = bus.log(TICKS.name)
    await broken.publish([messages[0], messages[2]])

    with pytest.raises(InvariantError, match="must have beat 1, found: 2"):
        await make_publisher(broken).recover()


async def test_live_publisher_after_a_frame_that_is_broken_goes_on_behind_it() -> None:
    """What nobody can decode was a beat all the same, and must not stop the day."""
    bus = await make_bus(1)
    await make_publisher(bus).publish(Script(polls=1))
    broken = await make_bus(1)
    messages = bus.log(TICKS.name)
    await broken.publish([messages[0], replace(messages[1], value=b"?")])
    publisher = make_publisher(broken)

    await publisher.recover()
    await publisher.publish(Script(polls=1, start_seconds=OPENING + 30))

    assert beats(broken) == [0, 1, 2, 3, 4]


async def test_live_publisher_before_a_slow_broker_holds_one_beat_and_the_newest_quotes() -> None:
    """Ten polls while the broker stands still wait for it, and no queue grows."""
    bus = SlowBus()
    await make_bus(1, bus)
    script = Script(polls=12)
    publisher = make_publisher(bus)

    async def open_late(seconds: int) -> None:
        assert bus.waiting <= 2
        if seconds == OPENING + 33:
            bus.is_open.set()
            await bus.is_drained.wait()

    script.before_poll = open_late

    await publisher.publish(script)

    assert publisher.conflated == 10
    assert kinds(bus) == [BeatKind.OPEN, *[BeatKind.TICK] * 3, BeatKind.CLOSE]
    newest = decode_frame(bus.log(TICKS.name, 0)[2].value).stamp
    assert newest.ts_event_ns == shanghai_ns(MONDAY, OPENING + 33)


class StuckBus(MemoryBus):
    """A bus that keeps frames, and refused rows only some time after the day is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.is_open = asyncio.Event()

    async def post(self, messages: Sequence[Message]) -> Awaitable[None]:
        """Append frames."""
        if stamp_of(messages[0]).kind is BeatKind.CLOSE:
            asyncio.get_running_loop().call_later(0.05, self.is_open.set)
        return await super().post(messages)

    async def publish(self, messages: Sequence[Message]) -> None:
        """Append frames; wait with what is refused."""
        if messages[0].topic == REJECTS.name:
            await self.is_open.wait()
        await super().publish(messages)


async def permitted() -> None:
    """Let every beat be sent."""


class RacedBus(MemoryBus):
    """A bus on which another sequencer says a beat on shard 0 just before this one does."""

    async def post(self, messages: Sequence[Message]) -> Awaitable[None]:
        """Append, the other one's frame first."""
        (ours,) = messages
        if (stamp := stamp_of(ours)).beat == 3:
            theirs = replace(stamp, ts_event_ns=stamp.ts_event_ns + 1)
            frame = Frame(theirs, 0, empty_rows(theirs.kind))
            await self.publish([frame_message(frame, PRODUCER)])
        return await super().post(messages)


async def test_live_publisher_that_is_late_on_shard_0_says_nothing_on_the_others() -> None:
    """What the beat is shard 0 has told: the others must not be told otherwise."""
    bus = await make_bus(2, RacedBus())
    publisher = make_publisher(bus, 2)

    with pytest.raises(ExceptionGroup) as failure:
        await publisher.publish(Script(polls=9))

    assert failure.group_contains(OvertakenError)
    assert (beats(bus, 0), beats(bus, 1)) == ([0, 1, 2, 3, 3], [0, 1, 2])


async def test_live_publisher_says_no_beat_without_the_lease() -> None:
    """A sequencer that was held up may have a successor."""
    bus = await make_bus(1)
    await bus.create_topics([NewTopic(REJECTS.name, 1)])
    publisher = make_publisher(bus)
    asked, is_held = asyncio.Event(), asyncio.Event()

    async def permit() -> None:
        asked.set()
        await is_held.wait()

    publisher._lead = Lead(permit, 1, RejectLog(bus, RunId("live")), lambda: None)
    script = Script(polls=8)

    async def hold(seconds: int) -> None:
        if seconds == CLOSING:
            await asked.wait()
            before.extend(beats(bus))
            is_held.set()
            for _ in range(20):
                await asyncio.sleep(0)

    before: list[int] = []
    script.before_poll = hold

    await publisher.publish(script)

    assert publisher.conflated == 7
    assert (before, beats(bus)) == ([], [0, 1, 2, 3])


async def test_live_publisher_does_not_wait_for_the_log_of_refused_rows() -> None:
    """They are said beside the beats, and all of them before the run is over."""
    bus = StuckBus()
    await make_bus(1, bus)
    await bus.create_topics([NewTopic(REJECTS.name, 1)])
    publisher = make_publisher(bus)
    publisher._lead = Lead(permitted, 4, RejectLog(bus, RunId("live")), lambda: None)
    script = Script(polls=3)
    before: list[int] = []

    async def break_quotes(seconds: int) -> None:
        publisher._sequencer.offer(parse_payload(text_answer(sina_line(BAD))), NOW_NS)
        if seconds == CLOSING:
            before.extend(beats(bus))

    script.before_poll = break_quotes

    await publisher.publish(script)

    said = [decode_event(RejectBatch, message.value) for message in bus.log(REJECTS.name)]
    assert before == [0, 1, 2, 3]
    assert [(batch.epoch, batch.sequence) for batch in said] == [(4, 0)]
    assert [(row.row, row.reason) for row in said[0].rows] == [(1, "not_a_share")]


async def test_live_publisher_of_a_patient_feed_makes_every_message_a_beat() -> None:
    """A client that can wait loses nothing where the log is slow."""
    bus = SlowBus()
    await make_bus(1, bus)
    bus.is_open.set()
    script = Script(polls=20)
    script.is_patient = True
    publisher = make_publisher(bus)

    await publisher.publish(script)

    assert (publisher.conflated, publisher.unwanted, bus.waiting) == (0, 0, 0)
    assert beats(bus) == list(range(23))
