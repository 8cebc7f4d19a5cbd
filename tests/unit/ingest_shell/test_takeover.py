"""A sequencer that feeds, stands by, takes over, yields and leaves."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tidegate_common.bus.base import NewTopic
from tidegate_common.bus.headers import frame_message, origin_of
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.clock import ManualClock
from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.enums import LeaseState
from tidegate_common.events.ingest import Lease
from tidegate_common.events.message import Message
from tidegate_common.events.topics import LEASES, TICKS
from tidegate_common.frames.frame import Frame
from tidegate_common.testing.builders import RUN_ID, make_frame
from tidegate_ingest.adapters.lease_log import LeaseLog
from tidegate_ingest.engine.lease import Candidate
from tidegate_ingest.metrics import IngestMetrics
from tidegate_ingest.shell import PRODUCER, Cursor, Publisher, Replay, Sequencer

BEATS = 8


def frames() -> Iterator[Frame]:
    """Yield a feed of eight beats."""
    for beat in range(BEATS):
        yield make_frame(beat, is_last=beat == BEATS - 1)


def make_lease(epoch: int, *, state: LeaseState = LeaseState.HELD, next_beat: int = 0) -> Lease:
    """Return a lease of another sequencer."""
    return Lease(RUN_ID, epoch, "other", 1, state, next_beat)


class Stage:
    """A bus with one sequencer, which stops before a beat until it is let on.

    gate : the beat before which it stops.
    """

    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.clock = ManualClock()
        self.stopping = asyncio.Event()
        self.metrics = IngestMetrics()
        self.gate = BEATS
        self.opened = asyncio.Event()
        self.reached = asyncio.Event()
        self.candidate = Candidate(RUN_ID, instance="me", started_ns=2)
        self.cursor = Cursor(frames)
        self.leases = LeaseLog(
            self.bus, self.candidate, self.clock, next_beat=lambda: self.publisher.kept_to
        )
        self.publisher = Publisher(
            bus=self.bus,
            run_id=RUN_ID,
            shard_count=1,
            pacer=None,
            progress=None,
            ahead_beats_max=100,
            permit=self._permit,
        )
        self.sequencer = Sequencer(
            candidate=self.candidate,
            leases=self.leases,
            duty=Replay(
                self.publisher,
                self.cursor,
                lambda frames: self.publisher.publish(frames, self.stopping),
            ),
            metrics=self.metrics,
        )

    async def _permit(self) -> None:
        await self.leases.permit()
        if self.publisher.next_beat >= self.gate:
            self.reached.set()
            await self.opened.wait()

    async def say(self, *leases: Lease) -> None:
        """Say leases of others."""
        await self.bus.publish([Message(LEASES.name, 0, encode_event(each)) for each in leases])

    async def send(self, *beats: int) -> None:
        """Send frames as another sequencer does."""
        await self.bus.publish([frame_message(make_frame(beat), PRODUCER) for beat in beats])

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Have the sequencer at work inside the block, and wait for its end."""
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            tasks.create_task(self.sequencer.run(self.stopping))
            yield

    @property
    def beats(self) -> list[int]:
        """The beats in the log."""
        return [origin_of(message).beat for message in self.bus.log(TICKS.name)]

    @property
    def last_lease(self) -> Lease:
        """The last lease in the log."""
        return decode_event(Lease, self.bus.log(LEASES.name)[-1].value)


@pytest.fixture
async def stage() -> Stage:
    """Return a bus with one sequencer on it."""
    stage = Stage()
    await stage.bus.create_topics([NewTopic(TICKS.name, 1), NewTopic(LEASES.name, 1)])
    return stage


async def test_sequencer_alone_feeds_the_run_and_says_that_it_is_done(stage: Stage) -> None:
    """Who stands by has nothing left to do, and ends too."""
    async with stage.running():
        pass

    assert stage.beats == list(range(BEATS))
    assert stage.last_lease == Lease(RUN_ID, 1, "me", 2, LeaseState.DONE, BEATS)
    assert stage.metrics.active._value.get() == 1
    assert stage.metrics.takeovers._value.get() == 0


async def test_sequencer_that_stands_by_keeps_its_place_and_ends_with_the_run(
    stage: Stage,
) -> None:
    """It says nothing, and goes forward in the feed, to its end and not beyond."""
    await stage.say(make_lease(1))

    async with stage.running():
        await stage.leases.until(lambda: stage.candidate.epoch == 1)
        await stage.say(make_lease(1, next_beat=5))
        await stage.leases.until(lambda: stage.cursor.next_beat == 5)
        await stage.say(make_lease(1, next_beat=BEATS + 3))
        await stage.leases.until(lambda: stage.cursor.is_at_end)
        await stage.say(make_lease(1, state=LeaseState.DONE, next_beat=BEATS))

    assert stage.beats == []
    assert stage.last_lease == make_lease(1, state=LeaseState.DONE, next_beat=BEATS)


async def test_sequencer_takes_over_at_the_first_missing_beat(stage: Stage) -> None:
    """Not where the other one said that it was: it may have sent more, or less may be kept."""
    await stage.send(0, 1, 2)
    await stage.say(make_lease(1, next_beat=5))

    async with stage.running():
        await stage.leases.until(lambda: stage.cursor.next_beat == 5)
        await stage.say(make_lease(1, state=LeaseState.RESIGNED, next_beat=5))

    assert stage.beats == list(range(BEATS))
    assert stage.metrics.takeovers._value.get() == 1
    assert stage.metrics.epoch._value.get() == 2


async def test_sequencer_that_lost_its_lease_stops_and_may_take_over_again(stage: Stage) -> None:
    """Taken for dead while it was held up, it stands by until the other one leaves."""
    stage.gate = 3

    async with stage.running():
        await stage.reached.wait()
        await stage.say(make_lease(2, next_beat=3))
        await stage.leases.until(lambda: stage.candidate.epoch == 2)
        await stage.send(3, 4)
        stage.gate = BEATS
        await stage.say(make_lease(2, state=LeaseState.RESIGNED, next_beat=5))

    assert stage.beats == list(range(BEATS))
    assert stage.last_lease.epoch == 3


async def test_sequencer_told_to_stop_resigns(stage: Stage) -> None:
    """The next one goes on at once."""
    stage.gate = 3

    async with stage.running():
        await stage.reached.wait()
        stage.stopping.set()

    assert stage.beats == [0, 1, 2]
    assert stage.last_lease.state is LeaseState.RESIGNED


async def test_sequencer_told_to_stop_while_standing_by_says_nothing(stage: Stage) -> None:
    """The lease is not its own to give up."""
    await stage.say(make_lease(1))

    async with stage.running():
        await stage.leases.until(lambda: stage.candidate.epoch == 1)
        stage.stopping.set()

    assert stage.last_lease == make_lease(1)


def test_cursor_goes_forward_by_reading_and_back_by_opening_again() -> None:
    """The feed gives the same frames every time."""
    cursor = Cursor(frames)

    cursor.seek(3)
    forward = next(cursor).stamp.beat
    cursor.seek(1)
    back = [frame.stamp.beat for frame in cursor]
    cursor.seek(BEATS + 5)

    assert (forward, back) == (3, [1, 2, 3, 4, 5, 6, 7])
    assert (cursor.next_beat, cursor.is_at_end) == (BEATS, True)
