"""What of risk is in Redis: every account's books for readers, and the newest snapshot.

No decision reads either. Both are written beside the beats, at most every so often; the snapshot
only once the topic has it.
"""

import asyncio
from collections.abc import Callable, Iterable

from tidegate_common.clock import Clock
from tidegate_common.events.portfolio import AccountBooks
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.runtime.cache_report import CacheReport
from tidegate_common.runtime.metrics import StageMetrics
from tidegate_common.store.cache_writer import CacheWriter
from tidegate_common.store.redis import (
    SNAPSHOT_TIMEOUT_SECONDS,
    PortfolioCache,
    SnapshotCache,
)
from tidegate_risk.settings import RiskSettings

STAGE = "risk"


class RedisCopies:
    """Keeps Redis in step with one risk partition.

    Parameters
    ----------
    books : returns the run and the accounts' books after the last beat.
    """

    def __init__(
        self,
        settings: RiskSettings,
        metrics: StageMetrics,
        clock: Clock,
        *,
        books: Callable[[], tuple[str, Iterable[AccountBooks]]],
    ) -> None:
        url, prefix = settings.redis.address(), settings.redis.key_prefix
        self._portfolios = PortfolioCache(
            url,
            key_prefix=prefix,
            tell=CacheReport(metrics, stage=STAGE, cache="portfolios").tell,
        )
        self._snapshots = SnapshotCache(
            url,
            key_prefix=prefix,
            put_timeout_seconds=SNAPSHOT_TIMEOUT_SECONDS,
            tell=CacheReport(metrics, stage=STAGE, cache="snapshots").tell,
        )
        caches = (self._portfolios, self._snapshots)
        metrics.breaker_open.probe(
            lambda: any(cache.is_left_alone for cache in caches), STAGE, "redis"
        )
        self._producer = f"{STAGE}-{settings.partition}"
        self._books = books
        self._packed = b""
        self._writers = [
            CacheWriter(put, every_seconds=settings.cache_every_seconds, clock=clock)
            for put in (self._put_books, self._put_snapshot)
        ]

    def beat_taken(self, stamp: BeatStamp) -> None:
        """Note that there are new books."""
        self._writers[0].beat_taken(stamp)

    def snapshot_saved(self, stamp: BeatStamp, packed: bytes) -> None:
        """Note that the topic has a new snapshot."""
        self._packed = packed
        self._writers[1].beat_taken(stamp)

    async def newest_snapshot(self) -> bytes | None:
        """Return the partition's snapshot, packed; None if it is not to be had; never raises."""
        return await self._snapshots.get(self._producer)

    async def run(self) -> None:
        """Write for ever."""
        async with asyncio.TaskGroup() as tasks:
            for writer in self._writers:
                tasks.create_task(writer.run())

    async def close(self) -> None:
        """Write what is not written yet, and let go of Redis."""
        for writer in self._writers:
            await writer.flush()
        await self._portfolios.close()
        await self._snapshots.close()

    async def _put_books(self, _stamp: BeatStamp) -> bool:
        return await self._portfolios.put(*self._books())

    async def _put_snapshot(self, stamp: BeatStamp) -> bool:
        return await self._snapshots.put(self._producer, stamp, self._packed)
