"""Keeps the newest quotes in Redis, beside the recording and never in its way.

The recorder reads every frame anyway and no beat waits for it, so it is the one to do that.
"""

from contextlib import suppress

from tidegate_common.clock import Clock
from tidegate_common.errors import ContractError, TransientError
from tidegate_common.events.message import Message
from tidegate_common.frames.codec import decode_frame
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.store.cache_writer import CacheWriter
from tidegate_common.store.quotes import QuoteCache
from tidegate_recorder.engine.quotes import NewestQuotes


class QuoteCopies:
    """Writes the newest quotes of all shards at most every so often.

    Parameters
    ----------
    every_seconds : shortest time between two writes.
    """

    def __init__(
        self,
        cache: QuoteCache,
        *,
        shard_count: int,
        every_seconds: float,
        clock: Clock,
    ) -> None:
        self._cache = cache
        self._shards = [NewestQuotes() for _ in range(shard_count)]
        self._writer = CacheWriter(self._put, every_seconds=every_seconds, clock=clock)

    async def start(self) -> None:
        """Take up what is there: who speaks seldom would be missing otherwise."""
        with suppress(TransientError):
            for frame in await self._cache.get():
                if frame.shard < len(self._shards):
                    self._shards[frame.shard].take(frame)

    @property
    def is_left_alone(self) -> bool:
        """Whether Redis failed so often that it is not asked, but for a try now and then."""
        return self._cache.is_left_alone

    def take(self, message: Message) -> None:
        """Take a frame's message; the stages put aside what cannot be read."""
        with suppress(ContractError):
            frame = decode_frame(message.value)
            self._shards[message.partition].take(frame)
            self._writer.beat_taken(frame.stamp)

    async def run(self) -> None:
        """Write for ever."""
        await self._writer.run()

    async def close(self) -> None:
        """Write what is not written yet, and let go of Redis."""
        await self._writer.flush()
        await self._cache.close()

    async def _put(self, stamp: BeatStamp) -> bool:
        frames = [shard.newest() for shard in self._shards]
        whole = [frame for frame in frames if frame and frame.stamp.run_id == stamp.run_id]
        # When a run begins, the other shards are about to speak.
        return len(whole) < len(frames) or await self._cache.put(whole)
