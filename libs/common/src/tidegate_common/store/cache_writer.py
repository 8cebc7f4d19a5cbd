"""Keeps a cache near the present, beside the beats and never in their way."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from tidegate_common.clock import Clock
from tidegate_common.frames.frame import BeatStamp

Put = Callable[[BeatStamp], Awaitable[bool]]

# A server that came back empty is filled again within so long, also when no beat comes any more.
REFILL_SECONDS = 2.0


class CacheWriter:
    """Writes what is newest at most every so often, and again now and then when nothing is new.

    Parameters
    ----------
    put : stores what holds as of a beat and tells whether it came through; never raises.
    every_seconds : shortest time between two writes.
    refill_seconds : longest time between two writes, once there is something to write.
    """

    def __init__(
        self,
        put: Put,
        *,
        every_seconds: float,
        clock: Clock,
        refill_seconds: float = REFILL_SECONDS,
    ) -> None:
        self._put = put
        self._every_seconds = every_seconds
        self._refill_seconds = refill_seconds
        self._clock = clock
        self._newest: BeatStamp | None = None
        self._fresh = asyncio.Event()

    def beat_taken(self, stamp: BeatStamp) -> None:
        """Note that there is something new to write."""
        self._newest = stamp
        self._fresh.set()

    async def run(self) -> None:
        """Write for ever; a write that fails is made up for by the next."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._refill_seconds):
                    await self._fresh.wait()
            if self._newest is None:
                continue
            self._fresh.set()
            await self._clock.sleep(self._every_seconds)
            await self.flush()

    async def flush(self) -> None:
        """Write what is newest, unless it is written."""
        stamp = self._newest
        if stamp is None or not self._fresh.is_set():
            return
        # A beat that was taken meanwhile, or a write cut short, leaves something to write.
        if await self._put(stamp) and self._newest is stamp:
            self._fresh.clear()
