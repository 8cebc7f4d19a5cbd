"""A live run's own frames, read back from the log in the order of beats."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from tidegate_common.bus.base import Bus, TopicPartition
from tidegate_common.bus.headers import origin_of
from tidegate_common.errors import ContractError
from tidegate_common.events.message import Message
from tidegate_common.events.topics import TICKS

_POLL_SECONDS = 0.5
# A day of 5,500 instruments is about a gigabyte.
READ_SECONDS_MAX = 120.0
# Foreign messages may stand behind ours.
_LOOK_BACK = 64
# A run has as many messages on a shard as beats, and a few more where a send was repeated.
_REPEATS_MAX = 1_000
# Messages of a shard that is ahead of another; more are not fetched meanwhile.
_AHEAD_MAX = 256


@dataclass(slots=True)
class _Shard:
    """Where the reading of a shard is.

    last : last beat that was read.
    queue : beats that were read and not given yet.
    """

    place: TopicPartition
    end: int
    offset: int
    last: int = -1
    queue: deque[tuple[int, Message]] = field(default_factory=deque)

    @property
    def is_read(self) -> bool:
        """Whether nothing more comes."""
        return self.offset >= self.end


class LiveLog:
    """The frames of one run and producer on all shards of the tick topic."""

    def __init__(self, bus: Bus, *, run_id: str, producer: str, shard_count: int) -> None:
        self._bus = bus
        self._run_id = run_id
        self._producer = producer
        self._places = [TopicPartition(TICKS.name, shard) for shard in range(shard_count)]

    async def beats(self) -> AsyncIterator[tuple[int, Sequence[Message]]]:
        """Yield each beat of the run, with its first message of every shard that has it.

        Raises
        ------
        TimeoutError
            If the log cannot be read in time.
        """
        ends = await self._bus.end_offsets(self._places)
        places = [place for place in self._places if ends[place]]
        tails = [_Shard(place, ends[place], max(0, ends[place] - _LOOK_BACK)) for place in places]
        async for _ in self._read(tails):
            pass
        shards = [
            _Shard(tail.place, tail.end, max(0, tail.end - tail.last - 1 - _REPEATS_MAX))
            for tail in tails
            if tail.last >= 0
        ]
        async for beat in self._read(shards):
            yield beat

    async def _read(self, shards: Sequence[_Shard]) -> AsyncIterator[tuple[int, Sequence[Message]]]:
        if not shards:
            return
        reader = await self._bus.open_reader({shard.place: shard.offset for shard in shards})
        by_partition = {shard.place.partition: shard for shard in shards}
        try:
            async with asyncio.timeout(READ_SECONDS_MAX):
                while not all(shard.is_read for shard in shards):
                    for message in await reader.poll(_POLL_SECONDS):
                        self._take(by_partition[message.partition], message)
                    for beat in _whole_beats(shards):
                        yield beat
                    ahead = [shard.place for shard in shards if len(shard.queue) > _AHEAD_MAX]
                    reader.pause(ahead)
                    reader.resume([each.place for each in shards if each.place not in ahead])
        finally:
            await reader.close()
        for beat in _whole_beats(shards):
            yield beat

    def _take(self, shard: _Shard, message: Message) -> None:
        """Put a message into its shard's queue, if it is a beat of ours that was not there yet."""
        if message.offset >= shard.end:
            return
        shard.offset = message.offset + 1
        try:
            origin = origin_of(message)
        except ContractError:
            # Not ours to judge: the recorder puts it aside.
            return
        is_ours = origin.run_id == self._run_id and origin.producer == self._producer
        if is_ours and origin.beat > shard.last:
            shard.last = origin.beat
            shard.queue.append((origin.beat, message))


def _whole_beats(shards: Sequence[_Shard]) -> list[tuple[int, Sequence[Message]]]:
    """Take the beats out of the queues that every shard has told, or will not tell any more."""
    beats: list[tuple[int, Sequence[Message]]] = []
    while all(shard.queue or shard.is_read for shard in shards):
        waiting = [shard for shard in shards if shard.queue]
        if not waiting:
            break
        beat = min(shard.queue[0][0] for shard in waiting)
        taken = [shard.queue.popleft()[1] for shard in waiting if shard.queue[0][0] == beat]
        beats.append((beat, taken))
    return beats
