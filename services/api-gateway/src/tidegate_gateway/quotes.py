"""The newest quotes, fetched from Redis at most every so often, however many ask."""

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from tidegate_common.frames.frame import BeatStamp, Frame, merge_frames
from tidegate_common.frames.rows import QuoteRows

# Half of the time in which they are written anew.
FRESH_SECONDS = 0.25
# A page of 100 quotes has 60 kB, the largest ten times as much.
_PAGES_MAX = 64


class Quotes(Protocol):
    """Where quotes are; `QuoteCache` in production."""

    async def get(self) -> list[Frame]:
        """Return the newest run's quotes, one frame a shard; TransientError when not to be had."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest quotes of all instruments.

    stamp : of the last beat that all shards know.
    rows : sorted by instrument.
    pages : answers that were made of them, by what was asked.
    """

    stamp: BeatStamp
    rows: QuoteRows
    pages: dict[Hashable, bytes] = field(default_factory=dict, compare=False)

    def page(self, asked: Hashable, render: Callable[[], bytes]) -> bytes:
        """Return an answer, made once as long as these are the newest quotes."""
        found = self.pages.get(asked)
        if found is None:
            found = render()
            if len(self.pages) < _PAGES_MAX:
                self.pages[asked] = found
        return found

    def row_of(self, instrument: int) -> int | None:
        """Return the row of an instrument, None where it has none."""
        row = int(np.searchsorted(self.rows.instrument, instrument))
        is_there = row < len(self.rows) and int(self.rows.instrument[row]) == instrument
        return row if is_there else None


class QuoteBoard:
    """The newest quotes, not older than a moment."""

    def __init__(self, quotes: Quotes, *, fresh_seconds: float = FRESH_SECONDS) -> None:
        self._quotes = quotes
        self._fresh_seconds = fresh_seconds
        self._fetching = asyncio.Lock()
        self._fetched_at = float("-inf")
        self._newest: Newest | None = None

    async def newest(self) -> Newest | None:
        """Return the newest quotes, None before there are any.

        Raises
        ------
        TransientError
            If they are not to be had: what was fetched before is not shown as new.
        """
        seconds = asyncio.get_running_loop().time
        async with self._fetching:
            # The others that ask meanwhile find it fetched.
            if seconds() - self._fetched_at >= self._fresh_seconds:
                self._newest = _newest(await self._quotes.get())
                self._fetched_at = seconds()
        return self._newest


def _newest(frames: list[Frame]) -> Newest | None:
    if not frames:
        return None
    rows = merge_frames(frames).rows
    assert isinstance(rows, QuoteRows), "the cache holds quotes only"
    return Newest(min((frame.stamp for frame in frames), key=lambda stamp: stamp.beat), rows)
