"""What is older than the retention goes: partitions of the tables, days of the archive.

Old is what is both of old trade dates and recorded long ago, so that a replay of old days stays as
long as a day that was live.
"""

import asyncio
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tidegate_common.clock import Clock
from tidegate_common.errors import TransientError
from tidegate_common.market.sessions import NS_PER_SECOND, shanghai_date
from tidegate_common.runtime.logging import get_logger
from tidegate_recorder.adapters.tables import Tables

_DAY_SECONDS = 86_400
# Readers of a partition that is to go hold it up; the next try is soon enough.
_RETRY_SECONDS = 600
_DATE_DIGITS = 8


@dataclass(frozen=True, slots=True)
class RetentionOptions:
    """How long things stay, in days; 0 for ever.

    archive_dir : None where there is no archive.
    """

    tables_days: int = 0
    archive_days: int = 0
    archive_dir: Path | None = None


class Retention:
    """Looks once a day for what is too old."""

    def __init__(self, tables: Tables, options: RetentionOptions, clock: Clock) -> None:
        self._tables = tables
        self._options = options
        self._clock = clock
        self._log = get_logger().bind(stage="recorder")
        self._due_seconds = clock.monotonic_seconds()

    async def sweep_if_due(self) -> None:
        """Remove what is too old, if that was not done today; trouble waits for the next try."""
        now_seconds = self._clock.monotonic_seconds()
        if now_seconds < self._due_seconds:
            return
        try:
            dropped = await self._sweep_tables()
            days = await asyncio.to_thread(self._sweep_archive)
        except (TransientError, OSError) as error:
            self._due_seconds = now_seconds + _RETRY_SECONDS
            self._log.warning("retention_put_off", error=str(error))
            return
        self._due_seconds = now_seconds + _DAY_SECONDS
        if dropped or days:
            self._log.info("retention_applied", partitions=dropped, archived_days=days)

    async def _sweep_tables(self) -> list[str]:
        if not self._options.tables_days:
            return []
        trade_date, recorded_at = self._edge(self._options.tables_days)
        return await self._tables.drop_before(trade_date // 100, recorded_at)

    def _sweep_archive(self) -> list[str]:
        """Remove the old days, and the runs that have none left; return their folders."""
        directory = self._options.archive_dir
        if directory is None or not self._options.archive_days:
            return []
        trade_date, recorded_at = self._edge(self._options.archive_days)
        removed = []
        for folder in sorted(directory.glob(f"*/{'[0-9]' * _DATE_DIGITS}")):
            is_old = folder.stat().st_mtime < recorded_at.timestamp()
            if int(folder.name) < trade_date and is_old:
                shutil.rmtree(folder)
                removed.append(f"{folder.parent.name}/{folder.name}")
                if not any(folder.parent.iterdir()):
                    folder.parent.rmdir()
        return removed

    def _edge(self, days: int) -> tuple[int, datetime]:
        """Return the trade date and the time before which things are too old."""
        edge_ns = self._clock.now_ns() - days * _DAY_SECONDS * NS_PER_SECOND
        return shanghai_date(edge_ns), datetime.fromtimestamp(edge_ns / NS_PER_SECOND, UTC)
