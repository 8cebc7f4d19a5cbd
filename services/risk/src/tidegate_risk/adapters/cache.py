"""Keeps the portfolio cache near the present, beside the beats and never in their way."""

import asyncio
from collections.abc import Callable

from tidegate_common.clock import Clock
from tidegate_common.events.portfolio import PortfolioState
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.store.redis import PortfolioCache

Portfolios = Callable[[], tuple[PortfolioState, ...]]


class CacheWriter:
    """Writes the newest portfolios at most every so often.

    Parameters
    ----------
    portfolios : returns the books of all accounts as of the last beat.
    every_seconds : shortest time between two writes.
    """

    def __init__(
        self,
        cache: PortfolioCache,
        portfolios: Portfolios,
        *,
        every_seconds: float,
        clock: Clock,
    ) -> None:
        self._cache = cache
        self._portfolios = portfolios
        self._every_seconds = every_seconds
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
            await self._fresh.wait()
            await self._clock.sleep(self._every_seconds)
            self._fresh.clear()
            if not await self._write():
                self._fresh.set()

    async def close(self) -> None:
        """Write what is newest, and let go of the connection."""
        if self._fresh.is_set():
            await self._write()
        await self._cache.close()

    async def _write(self) -> bool:
        stamp = self._newest
        if stamp is None:
            return True
        return await self._cache.put(stamp.run_id, stamp.beat, self._portfolios())
