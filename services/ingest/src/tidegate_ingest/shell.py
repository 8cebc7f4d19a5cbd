"""Publishes a feed's frames, one message a shard and beat, while this sequencer is the active one.

Ingest keeps no snapshot: a feed gives the same frames every time, so after a crash it is opened
again and goes on at the first beat that is not in the log of every shard. A standby does just that
when the active one is gone.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Protocol

from tidegate_common.bus.base import Bus, Reader, TopicPartition
from tidegate_common.bus.headers import frame_message, origin_of
from tidegate_common.clock import Clock
from tidegate_common.domain.enums import LeaseState
from tidegate_common.domain.ids import shards_of
from tidegate_common.errors import ContractError
from tidegate_common.events.message import Message
from tidegate_common.events.topics import TICKS
from tidegate_common.frames.frame import Frame, split_frame
from tidegate_common.runtime.logging import get_logger
from tidegate_common.runtime.system_clock import SystemClock
from tidegate_common.runtime.tracing import FeedTracer, Tracer
from tidegate_ingest.adapters.lease_log import LeaseLog
from tidegate_ingest.engine.lease import Candidate
from tidegate_ingest.metrics import IngestMetrics

PRODUCER = "ingest-0"
# Frames handed over but not yet kept; bounds memory when the broker is slow.
UNKEPT_FRAMES_MAX = 64
# Market time without news for longer than this, such as lunch or a night, is not waited for.
GAP_SECONDS_MAX = 60.0
_POLL_SECONDS = 0.5
_LOOK_EVERY_SECONDS = 0.5
# All that a sequencer may have had under way when it ended, and some foreign messages behind it.
_LOOK_BACK = UNKEPT_FRAMES_MAX + 16
_LOOK_BACK_SECONDS_MAX = 30.0
# A standby goes forward in its feed by so many beats at once, so that it can be stopped.
_SEEK_BEATS = 1_000


class Pacer:
    """Holds beats back until their time, `speed` market seconds a second."""

    def __init__(self, clock: Clock, speed: float) -> None:
        self._clock = clock
        self._speed = speed
        self._last_ns: int | None = None
        self.restart()

    def restart(self) -> None:
        """Let the next beat be due now: what others sent until now is not to be made up for."""
        self._due = self._clock.monotonic_seconds()
        self._last_ns = None

    async def wait_for(self, ts_event_ns: int) -> None:
        """Return when a beat of that market time is due."""
        if self._last_ns is not None:
            gap = min((ts_event_ns - self._last_ns) / 1e9, GAP_SECONDS_MAX)
            self._due += gap / self._speed
        self._last_ns = ts_event_ns
        wait = self._due - self._clock.monotonic_seconds()
        if wait > 0:
            await self._clock.sleep(wait)


class Progress:
    """Knows how far risk is, so that ingest does not run away from it."""

    def __init__(self, run_id: str, partition_count: int) -> None:
        self._run_id = run_id
        self._beats = dict.fromkeys(range(partition_count), -1)
        self._moved = asyncio.Event()

    async def follow(self, reader: Reader, clock: Clock) -> None:
        """Read what risk says, for ever."""
        while True:
            for message in await reader.poll(_POLL_SECONDS):
                self._take(message)
            # Looking rarely is enough, and spares the broker a fetch a beat.
            await clock.sleep(_LOOK_EVERY_SECONDS)

    def _take(self, message: Message) -> None:
        try:
            origin = origin_of(message)
        except ContractError:
            # Not ours to judge: the recorder puts it aside.
            return
        if origin.run_id == self._run_id:
            self._beats[message.partition] = max(self._beats[message.partition], origin.beat)
            self._moved.set()

    async def wait_until(self, beat: int) -> None:
        """Return when all risk partitions have taken a beat."""
        while min(self._beats.values()) < beat:
            self._moved.clear()
            await self._moved.wait()


class Cursor(Iterator[Frame]):
    """A place in a feed: goes forward by reading, back by opening the feed again.

    Used by one thread at a time; another one waits.

    next_beat : of the frame that comes next.
    """

    def __init__(self, open_frames: Callable[[], Iterator[Frame]]) -> None:
        self._open_frames = open_frames
        self._frames = open_frames()
        self._lock = threading.RLock()
        self.next_beat = 0
        self.is_at_end = False

    def __next__(self) -> Frame:
        """Return the next frame."""
        with self._lock:
            frame = next(self._frames, None)
            if frame is None:
                self.is_at_end = True
                raise StopIteration
            self.next_beat = frame.stamp.beat + 1
            return frame

    def seek(self, beat: int) -> None:
        """Go to a beat, or to the feed's end. Reads files: not on the event loop."""
        with self._lock:
            if beat < self.next_beat:
                self._frames = self._open_frames()
                self.next_beat, self.is_at_end = 0, False
            while self.next_beat < beat and next(self, None) is not None:
                pass


class Duty(Protocol):
    """What the active sequencer of a run does."""

    async def keep_up(self, beat: int) -> None:
        """Be ready to go on from a beat: another sequencer has come so far."""

    async def feed(self) -> None:
        """Go on after what is in the log; return when all frames are kept."""


class Replay:
    """Sends a feed that gives the same frames every time.

    Parameters
    ----------
    lead : sends frames from the publisher's `next_beat` on, to their end.
    """

    def __init__(
        self,
        publisher: "Publisher",
        cursor: Cursor,
        lead: Callable[[Iterator[Frame]], Awaitable[None]],
    ) -> None:
        self._publisher = publisher
        self._cursor = cursor
        self._lead = lead

    async def keep_up(self, beat: int) -> None:
        """Go forward in the feed."""
        cursor = self._cursor
        while cursor.next_beat < beat and not cursor.is_at_end:
            # In steps, so that a standby can be stopped.
            step = min(beat, cursor.next_beat + _SEEK_BEATS)
            await asyncio.to_thread(cursor.seek, step)

    async def feed(self) -> None:
        """Send from the first beat on that is not in the log of every shard."""
        publisher = self._publisher
        publisher.begin(await publisher.first_missing_beat())
        get_logger().info("feed_started", next_beat=publisher.next_beat)
        await asyncio.to_thread(self._cursor.seek, publisher.next_beat)
        await self._lead(self._cursor)


class Sequencer:
    """Does its duty while it holds the lease of the run; else stands by."""

    def __init__(
        self,
        *,
        candidate: Candidate,
        leases: LeaseLog,
        duty: Duty,
        metrics: IngestMetrics,
    ) -> None:
        self._candidate = candidate
        self._leases = leases
        self._duty = duty
        self._metrics = metrics
        self._log = get_logger()

    async def run(self, stopping: asyncio.Event) -> bool:
        """Return when all frames are kept, whoever sent them, or when told to stop; tell which."""
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(self._leases.follow())
            is_over = await _finish(self._serve(), unless=stopping.wait())
            # Told to stop, the work ends too, whole or not.
            is_done = is_over and not stopping.is_set()
            await self._leases.leave(LeaseState.DONE if is_done else LeaseState.RESIGNED)
            following.cancel()
        return is_done

    async def _serve(self) -> None:
        candidate, metrics = self._candidate, self._metrics
        while True:
            await self._stand_by()
            if not candidate.is_active:
                return
            self._log.info("lease_held", epoch=candidate.epoch)
            metrics.active.set(1)
            metrics.epoch.set(candidate.epoch)
            if candidate.epoch > 1:
                metrics.takeovers.inc()
            is_lost = self._leases.until(lambda: not candidate.is_active)
            if await _finish(self._duty.feed(), unless=is_lost):
                return
            metrics.active.set(0)
            self._log.warning("lease_lost", epoch=candidate.epoch)

    async def _stand_by(self) -> None:
        """Return when the lease is held, or the run is done."""
        candidate, told = self._candidate, 0
        while not (candidate.is_active or candidate.is_done):
            if candidate.next_beat > told:
                told = candidate.next_beat
                await self._duty.keep_up(told)
            else:
                await self._leases.until(self._has_news(told))

    def _has_news(self, told: int) -> Callable[[], bool]:
        candidate = self._candidate
        return lambda: candidate.is_active or candidate.is_done or candidate.next_beat > told


async def _finish(
    work: Coroutine[None, None, None], *, unless: Coroutine[None, None, object]
) -> bool:
    """Run some work to its end, unless something else ends first; tell whether it ended."""
    async with asyncio.TaskGroup() as tasks:
        working, other = tasks.create_task(work), tasks.create_task(unless)
        await asyncio.wait({working, other}, return_when=asyncio.FIRST_COMPLETED)
        for task in (working, other):
            task.cancel()
    return not working.cancelled()


class Publisher:
    """Sends one run's frames.

    Parameters
    ----------
    permit : returns when the next frame may be sent; None where it always may.
    next_beat : the beat to send next.
    ts_event_ns : market time of the beat sent last, 0 before the first and after the run's last.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        run_id: str,
        shard_count: int,
        pacer: Pacer | None,
        progress: Progress | None,
        ahead_beats_max: int,
        permit: Callable[[], Awaitable[None]] | None = None,
        metrics: IngestMetrics | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._bus = bus
        self._metrics = metrics or IngestMetrics()
        self._tracer = FeedTracer(tracer, SystemClock(), producer=PRODUCER)
        self._run_id = run_id
        self._shard_count = shard_count
        self._pacer = pacer
        self._progress = progress
        self._ahead_max = ahead_beats_max
        self._permit = permit
        self._unkept: deque[Awaitable[None]] = deque()
        self._free_to = ahead_beats_max
        self.next_beat = 0
        self.ts_event_ns = 0

    @property
    def kept_to(self) -> int:
        """Return the first beat that is not known to be kept."""
        return self.next_beat - len(self._unkept)

    def begin(self, beat: int) -> None:
        """Send from a beat on, at its pace from now on."""
        self.next_beat = beat
        self._unkept.clear()
        if self._pacer:
            self._pacer.restart()

    async def first_missing_beat(self) -> int:
        """Return the first beat that is not in the log of every shard.

        A message ahead of its turn does not count: its readers have put it aside.
        """
        places = [TopicPartition(TICKS.name, shard) for shard in range(self._shard_count)]
        ends = await self._bus.end_offsets(places)
        # Foreign messages may stand behind ours: look back a little before sending all again.
        starts = {place: max(0, ends[place] - _LOOK_BACK) for place in places}
        due = dict.fromkeys(places, -1)
        reader = await self._bus.open_reader(starts)
        try:
            async with asyncio.timeout(_LOOK_BACK_SECONDS_MAX):
                while any(starts[place] < ends[place] for place in places):
                    for message in await reader.poll(_POLL_SECONDS):
                        place = TopicPartition(message.topic, message.partition)
                        starts[place] = message.offset + 1
                        beat = self._beat_of(message)
                        if beat == due[place] or (due[place] < 0 <= beat):
                            due[place] = beat + 1
        finally:
            await reader.close()
        return max(0, min(due.values()))

    async def publish(self, frames: Iterator[Frame], stopping: asyncio.Event) -> None:
        """Send frames from `next_beat` on, until they end or the service is told to stop."""
        # The first frame may mean reading a large file: not on the event loop.
        frame = await asyncio.to_thread(next, frames, None)
        while frame is not None and not stopping.is_set():
            if frame.stamp.beat >= self.next_beat:
                await self._send(frame)
            frame = next(frames, None)
        await self._settle(0)

    async def _send(self, frame: Frame) -> None:
        beat = frame.stamp.beat
        if self._pacer:
            await self._pacer.wait_for(frame.stamp.ts_event_ns)
        if self._progress and beat >= self._free_to:
            # In bursts of half the allowance: many frames in one fetch cost all stages less.
            await self._progress.wait_until(beat - self._ahead_max // 2 - 1)
            self._free_to = beat + self._ahead_max // 2
        if self._permit:
            await self._permit()
        messages = self._tracer.carry(frame.stamp, self._messages(frame))
        self._unkept.append(await self._bus.post(messages))
        self._tracer.tell(frame, message_count=len(messages))
        self.next_beat = beat + 1
        self.ts_event_ns = 0 if frame.stamp.is_last else frame.stamp.ts_event_ns
        self._metrics.sent(frame)
        await self._settle(UNKEPT_FRAMES_MAX)

    def _messages(self, frame: Frame) -> Sequence[Message]:
        if self._shard_count == 1:
            return [frame_message(frame, PRODUCER)]
        shard = shards_of(frame.rows.instrument, self._shard_count)
        return [
            frame_message(part, PRODUCER) for part in split_frame(frame, shard, self._shard_count)
        ]

    async def _settle(self, allowed: int) -> None:
        while len(self._unkept) > allowed:
            await self._unkept[0]
            self._unkept.popleft()

    def _beat_of(self, message: Message) -> int:
        try:
            origin = origin_of(message)
        except ContractError:
            return -1
        is_ours = origin.run_id == self._run_id and origin.producer == PRODUCER
        return origin.beat if is_ours else -1
