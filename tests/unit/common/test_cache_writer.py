"""The cache writer: the newest, at most every so often, until it is written."""

import asyncio
from collections.abc import Sequence

from structlog.testing import capture_logs

from tidegate_common.clock import ManualClock
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.runtime.cache_report import CacheReport
from tidegate_common.runtime.metrics import StageMetrics
from tidegate_common.store.cache_writer import CacheWriter
from tidegate_common.store.stamped import PutOutcome
from tidegate_common.testing.builders import make_stamp

EVERY_SECONDS = 0.1
PATIENT_SECONDS = 5.0


class ListedCache:
    """Keeps the beats that it is given, after as many failures as it is told to have."""

    def __init__(self, *, failures: int = 0) -> None:
        self.beats: list[int] = []
        self._failures = failures
        self._grown = asyncio.Event()

    async def put(self, stamp: BeatStamp) -> bool:
        self.beats.append(stamp.beat)
        self._grown.set()
        is_kept = self._failures == 0
        self._failures = max(self._failures - 1, 0)
        return is_kept

    async def until(self, beats: Sequence[int]) -> None:
        """Return when these beats have come."""
        async with asyncio.timeout(PATIENT_SECONDS):
            while self.beats != list(beats):
                self._grown.clear()
                await self._grown.wait()


def writer_of(cache: ListedCache, clock: ManualClock | None = None) -> CacheWriter:
    """Return a writer to a cache."""
    return CacheWriter(cache.put, every_seconds=EVERY_SECONDS, clock=clock or ManualClock())


async def test_writer_writes_only_the_newest_of_many_beats() -> None:
    """A replay takes thousands of beats a second; nobody reads them all."""
    clock, cache = ManualClock(), ListedCache()
    writer = writer_of(cache, clock)
    for beat in range(5):
        writer.beat_taken(make_stamp(beat))

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(writer.run())
        await cache.until([4])
        writer.beat_taken(make_stamp(5))
        await cache.until([4, 5])
        task.cancel()

    assert clock.monotonic_seconds() == 2 * EVERY_SECONDS


async def test_writer_whose_write_fails_writes_again() -> None:
    """What Redis missed while it was away is made up for, without a new beat."""
    cache = ListedCache(failures=2)
    writer = writer_of(cache)
    writer.beat_taken(make_stamp(7))

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(writer.run())
        await cache.until([7, 7, 7])
        task.cancel()
    await writer.flush()

    assert cache.beats == [7, 7, 7]


async def test_writer_flush_writes_what_is_not_written_yet() -> None:
    """The last beat before a stop must not be lost."""
    cache = ListedCache()
    writer = writer_of(cache)

    await writer.flush()
    writer.beat_taken(make_stamp(1))
    await writer.flush()
    await writer.flush()

    assert cache.beats == [1]


async def test_writer_beat_during_a_write_is_written_too() -> None:
    """The write took the state of before."""
    stamps: list[int] = []

    async def put(stamp: BeatStamp) -> bool:
        stamps.append(stamp.beat)
        if stamp.beat == 1:
            writer.beat_taken(make_stamp(2))
        return True

    writer = CacheWriter(put, every_seconds=EVERY_SECONDS, clock=ManualClock())
    writer.beat_taken(make_stamp(1))

    await writer.flush()
    await writer.flush()
    await writer.flush()

    assert stamps == [1, 2]


async def test_writer_cut_short_in_a_write_writes_again() -> None:
    """A stop cancels the writing; what it was about to write is flushed."""
    started, cache = asyncio.Event(), ListedCache()

    async def put(stamp: BeatStamp) -> bool:
        if started.is_set():
            return await cache.put(stamp)
        started.set()
        await asyncio.Event().wait()
        return True

    writer = CacheWriter(put, every_seconds=EVERY_SECONDS, clock=ManualClock())
    writer.beat_taken(make_stamp(3))
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(writer.run())
        await started.wait()
        task.cancel()

    await writer.flush()

    assert cache.beats == [3]


async def test_writer_without_a_new_beat_writes_again_now_and_then() -> None:
    """A server that came back empty after the run's last beat is filled again."""
    cache = ListedCache()
    writer = CacheWriter(
        cache.put,
        every_seconds=EVERY_SECONDS,
        clock=ManualClock(),
        refill_seconds=0.01,
    )

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(writer.run())
        # Long enough that it has looked before there was anything.
        await asyncio.wait([task], timeout=0.05)
        writer.beat_taken(make_stamp(4))
        await cache.until([4, 4, 4])
        task.cancel()


def test_report_says_once_that_a_cache_is_left_alone_and_that_it_is_back() -> None:
    """A failure alone is a busy moment; each one is counted."""
    metrics = StageMetrics()
    with capture_logs() as logs:
        report = CacheReport(metrics, stage="risk", cache="portfolios")
        for outcome in ("failed", "written", "failed", "skipped", "skipped", "written", "written"):
            report.tell(PutOutcome(outcome), "TimeoutError" if outcome == "failed" else "")

    lines = [(line["event"], line["log_level"]) for line in logs]
    counts = {
        outcome: metrics.registry.get_sample_value(
            "tidegate_stage_cache_writes_total", {"stage": "risk", "outcome": outcome}
        )
        for outcome in PutOutcome
    }
    assert lines == [("cache_left_alone", "warning"), ("cache_refilled", "info")]
    assert (logs[0]["reason"], logs[1]["skipped_writes"]) == ("TimeoutError", 2)
    assert counts == {"written": 3, "failed": 2, "skipped": 2}
