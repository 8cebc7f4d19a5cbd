"""Publishes a feed's frames, one message a shard and beat.

Ingest keeps no snapshot: a feed gives the same frames every time, so after a crash it is opened
again and goes on at the first beat that is not in the log of every shard.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Iterator, Sequence

from tidegate_common.bus.base import Bus, Reader, TopicPartition
from tidegate_common.bus.headers import frame_message, origin_of
from tidegate_common.clock import Clock
from tidegate_common.domain.ids import shards_of
from tidegate_common.errors import ContractError
from tidegate_common.events.message import Message
from tidegate_common.events.topics import TICKS
from tidegate_common.frames.frame import Frame, split_frame

PRODUCER = "ingest-0"
# Frames handed over but not yet kept; bounds memory when the broker is slow.
UNKEPT_FRAMES_MAX = 64
# Market time without news for longer than this, such as lunch or a night, is not waited for.
GAP_SECONDS_MAX = 60.0
_POLL_SECONDS = 0.5
_LOOK_EVERY_SECONDS = 0.5
_LOOK_BACK = 16
_LOOK_BACK_SECONDS_MAX = 30.0


class Pacer:
    """Holds beats back until their time, `speed` market seconds a second."""

    def __init__(self, clock: Clock, speed: float) -> None:
        self._clock = clock
        self._speed = speed
        self._due = clock.monotonic_seconds()
        self._last_ns: int | None = None

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


class Publisher:
    """Sends one run's frames."""

    def __init__(
        self,
        *,
        bus: Bus,
        run_id: str,
        shard_count: int,
        pacer: Pacer | None,
        progress: Progress | None,
        ahead_beats_max: int,
    ) -> None:
        self._bus = bus
        self._run_id = run_id
        self._shard_count = shard_count
        self._pacer = pacer
        self._progress = progress
        self._ahead_max = ahead_beats_max
        self._unkept: deque[Awaitable[None]] = deque()
        self._free_to = ahead_beats_max
        self.next_beat = 0

    async def first_missing_beat(self) -> int:
        """Return the first beat that is not in the log of every shard."""
        places = [TopicPartition(TICKS.name, shard) for shard in range(self._shard_count)]
        ends = await self._bus.end_offsets(places)
        lasts = [await self._last_beat(place, ends[place]) for place in places]
        return min(lasts) + 1

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
        self._unkept.append(await self._bus.post(self._messages(frame)))
        await self._settle(UNKEPT_FRAMES_MAX)
        self.next_beat = beat + 1

    def _messages(self, frame: Frame) -> Sequence[Message]:
        if self._shard_count == 1:
            return [frame_message(frame, PRODUCER)]
        shard = shards_of(frame.rows.instrument, self._shard_count)
        return [
            frame_message(part, PRODUCER) for part in split_frame(frame, shard, self._shard_count)
        ]

    async def _settle(self, allowed: int) -> None:
        while len(self._unkept) > allowed:
            await self._unkept.popleft()

    async def _last_beat(self, place: TopicPartition, end: int) -> int:
        """Return the last beat of our run on a partition, -1 if there is none."""
        if end == 0:
            return -1
        # Foreign messages may stand behind ours: look back a little before sending all again.
        start = max(0, end - _LOOK_BACK)
        reader = await self._bus.open_reader({place: start})
        last, offset = -1, start - 1
        try:
            async with asyncio.timeout(_LOOK_BACK_SECONDS_MAX):
                while offset < end - 1:
                    for message in await reader.poll(_POLL_SECONDS):
                        offset = message.offset
                        last = max(last, self._beat_of(message))
        finally:
            await reader.close()
        return last

    def _beat_of(self, message: Message) -> int:
        try:
            origin = origin_of(message)
        except ContractError:
            return -1
        is_ours = origin.run_id == self._run_id and origin.producer == PRODUCER
        return origin.beat if is_ours else -1
