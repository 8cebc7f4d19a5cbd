"""The market's figures of one beat and instrument, out of the log: the day is in no archive yet.

A partition of the frames has a message a beat, run after run, and after a crash some beats again.
So from one message to the next the beat grows by one at most, and whoever goes back as many
messages as a beat is too far on never goes too far: a few looks find a beat of the newest runs.
"""

import asyncio
from typing import Final

import numpy as np

from tidegate_common.bus.base import Bus, TopicPartition
from tidegate_common.bus.headers import origin_of
from tidegate_common.domain.ids import shard_of
from tidegate_common.errors import ContractError, TransientError
from tidegate_common.events.message import Message
from tidegate_common.events.topics import TICKS
from tidegate_common.frames.codec import decode_frame
from tidegate_common.frames.frame import Frame
from tidegate_common.frames.rows import BarRows, QuoteRows
from tidegate_common.store.stamped import CircuitBreaker
from tidegate_gateway.archive import FramePlace, FrameRow

# In so many beats each instrument has spoken; frames of a whole market are 5 MB.
BEATS_BACK: Final = 20
# The newest run, a crash or two of its feed, and a run or two before it.
_LOOKS_MAX: Final = 8
_READERS_MAX: Final = 2


class FrameLog:
    """Reads frames of the log, a few readers at a time.

    Parameters
    ----------
    shard_count : partitions of the frames.
    timeout_seconds : longest wait for an answer.
    """

    def __init__(self, bus: Bus, *, shard_count: int, timeout_seconds: float) -> None:
        self._bus = bus
        self._shard_count = shard_count
        self._timeout_seconds = timeout_seconds
        self._readers = asyncio.Semaphore(_READERS_MAX)
        self._breaker: CircuitBreaker | None = None

    @property
    def is_left_alone(self) -> bool:
        """Whether the broker failed so often that it is not asked, but for a try now and then."""
        return self._breaker is not None and self._breaker.is_open

    async def row(self, place: FramePlace) -> FrameRow | None:
        """Return what was said last of an instrument up to a beat of a day.

        None where the log does not have it (any more), nothing was said in `BEATS_BACK` beats, the
        broker is away, or it takes too long.
        """
        if self._breaker is None:
            self._breaker = CircuitBreaker(asyncio.get_running_loop().time)
        if not self._breaker.lets_through():
            return None
        partition = TopicPartition(TICKS.name, shard_of(place.instrument, self._shard_count))
        try:
            async with asyncio.timeout(self._timeout_seconds), self._readers:
                messages = await self._up_to(partition, place.run_id, place.beat)
        except (TransientError, TimeoutError):
            self._breaker.failed()
            return None
        self._breaker.succeeded()
        for frame in reversed(_frames(messages)):
            stamp, rows = frame.stamp, frame.rows
            is_of_day = (stamp.run_id, stamp.trade_date) == (place.run_id, place.trade_date)
            if is_of_day and stamp.beat <= place.beat and isinstance(rows, QuoteRows | BarRows):
                found = np.flatnonzero(rows.instrument == place.instrument)
                if len(found):
                    return FrameRow(stamp, rows.take(found))
        return None

    async def _up_to(self, partition: TopicPartition, run_id: str, beat: int) -> list[Message]:
        """Return the messages of the last beats up to one, none where that is not there."""
        ends = await self._bus.end_offsets([partition])
        offset = ends[partition] - 1
        for _ in range(_LOOKS_MAX):
            messages = await self._read(partition, offset, offset) if offset >= 0 else []
            if not messages:
                return []
            try:
                origin = origin_of(messages[-1])
            except ContractError:
                # Nobody knows whose it is; the one before it will do.
                offset -= 1
                continue
            if origin.run_id != run_id:
                offset -= origin.beat + 1
            elif origin.beat > beat:
                offset -= origin.beat - beat
            elif origin.beat == beat:
                return await self._read(partition, max(0, offset - BEATS_BACK), offset)
            else:
                return []
        return []

    async def _read(self, partition: TopicPartition, first: int, last: int) -> list[Message]:
        """Return what the log still has between two offsets, both included."""
        reader = await self._bus.open_reader({partition: first})
        found: list[Message] = []
        try:
            while not found or found[-1].offset < last:
                found += await reader.poll(self._timeout_seconds)
        finally:
            await reader.close()
        return [message for message in found if message.offset <= last]


def _frames(messages: list[Message]) -> list[Frame]:
    """Return the frames of messages; one that cannot be decoded says nothing."""
    found = []
    for message in messages:
        try:
            found.append(decode_frame(message.value))
        except ContractError:
            continue
    return found
