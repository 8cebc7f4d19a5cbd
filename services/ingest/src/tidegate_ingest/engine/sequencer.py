"""Rows to beats: numbers every step of market time, without gaps.

A day is one OPEN beat, its TICK beats, or BAR beats where the feed has bars of minutes, and one
CLOSE beat; a daily-bar run has nothing between.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Protocol

import numpy as np

from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId
from tidegate_common.domain.units import Int64Array
from tidegate_common.frames.frame import BeatStamp, Frame, FrameRows
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows

# When OPEN and CLOSE beats happen, in seconds of the Shanghai day, unless a row comes before or
# after them.
OPEN_SECONDS = 9 * 3_600
CLOSE_SECONDS = 15 * 3_600


class ToldDay(Protocol):
    """A trading day that can be told beat by beat."""

    @property
    def trade_date(self) -> int:
        """Return the date, YYYYMMDD."""

    def beats(self) -> Iterator[tuple[BeatKind, int, FrameRows]]:
        """Yield kind, market time and rows of OPEN, what is between and CLOSE, in this order."""


@dataclass(frozen=True, slots=True)
class Day:
    """A trading day, ready to be told beat by beat.

    quotes : rows of TICK beat k are `tick_edges[k] : tick_edges[k + 1]`, sorted by instrument.
    tick_edges : (beats + 1,) int64, from 0 to len(quotes).
    tick_ts_ns : (beats,) int64, market time at the end of each TICK beat, non-decreasing.
    open_ts_ns, close_ts_ns : not after the first and not before the last TICK beat.
    """

    trade_date: int
    open_ts_ns: int
    close_ts_ns: int
    reference: ReferenceRows
    quotes: QuoteRows
    tick_edges: Int64Array
    tick_ts_ns: Int64Array
    bars: BarRows

    @property
    def beat_count(self) -> int:
        """Beats of the day: the ticks, the open and the close."""
        return len(self.tick_ts_ns) + 2

    def beats(self) -> Iterator[tuple[BeatKind, int, FrameRows]]:
        """Yield kind, market time and rows of each beat."""
        yield BeatKind.OPEN, self.open_ts_ns, self.reference
        yield from beats_between(BeatKind.TICK, self.quotes, self.tick_edges, self.tick_ts_ns)
        yield BeatKind.CLOSE, self.close_ts_ns, self.bars


def sequence_days(run_id: RunId, days: Iterable[ToldDay], day_count: int) -> Iterator[Frame]:
    """Yield one frame a beat, whole market, shard 0; `is_last` on the run's final beat.

    Parameters
    ----------
    days : `day_count` days, in order of date.
    """
    beat = 0
    for number, day in enumerate(days, start=1):
        for kind, ts_event_ns, rows in day.beats():
            stamp = BeatStamp(
                run_id=run_id,
                beat=beat,
                kind=kind,
                trade_date=day.trade_date,
                ts_event_ns=ts_event_ns,
                is_last=number == day_count and kind is BeatKind.CLOSE,
            )
            yield Frame(stamp=stamp, shard=0, rows=rows)
            beat += 1


def tick_edges(
    ts_event_ns: Int64Array,
    instrument: Int64Array,
    interval_ns: int,
) -> Int64Array:
    """Return where beats begin, and the number of rows as the last edge.

    A beat closes when its cell of the time grid is over or when an instrument would speak twice,
    so that no row is lost; a cell without rows makes no beat.

    Parameters
    ----------
    ts_event_ns, instrument : (n,) int64, sorted by time.
    interval_ns : length of a grid cell, > 0; the grid begins at the epoch.
    """
    count = len(ts_event_ns)
    is_new_cell = np.ones(count, dtype=np.bool_)
    is_new_cell[1:] = np.diff(ts_event_ns // interval_ns) != 0
    cell_starts = np.flatnonzero(is_new_cell)
    cell_start = cell_starts[np.cumsum(is_new_cell) - 1]
    previous = _previous_rows(instrument)
    # Only rows whose instrument spoke before in the same cell can close a beat: they are few.
    repeats = np.flatnonzero(previous >= cell_start)
    extra_starts: list[int] = []
    start = 0
    for row, before in zip(repeats.tolist(), previous[repeats].tolist(), strict=True):
        if before >= start:
            extra_starts.append(row)
            start = row
    edges = [cell_starts, np.array([*extra_starts, count], dtype=np.int64)]
    return np.sort(np.concatenate(edges))


def no_quotes() -> QuoteRows:
    """Return the quotes of a day without TICK beats."""
    zeros, levels = np.zeros(0, np.int64), np.zeros((0, 5), np.int64)
    return QuoteRows(
        instrument=zeros,
        ts_event_ns=zeros,
        phase=np.zeros(0, np.uint8),
        last_e4=zeros,
        volume_shares=zeros,
        amount_fen=zeros,
        bid_price_e4=levels,
        bid_shares=levels,
        ask_price_e4=levels,
        ask_shares=levels,
    )


def beats_between(
    kind: BeatKind,
    rows: QuoteRows | BarRows,
    edges: Int64Array,
    ts_event_ns: Int64Array,
) -> Iterator[tuple[BeatKind, int, FrameRows]]:
    """Yield the beats of rows that stand one beat after the other, without copying them.

    Parameters
    ----------
    edges : (beats + 1,) int64, where beats begin and end.
    ts_event_ns : (beats,) int64, market time of each.
    """
    for (start, end), time in zip(pairwise(edges.tolist()), ts_event_ns.tolist(), strict=True):
        part = type(rows)(*(getattr(rows, field.name)[start:end] for field in fields(rows)))
        yield kind, time, part


def _previous_rows(instrument: Int64Array) -> Int64Array:
    """Return the row where each row's instrument spoke before, -1 for its first."""
    order = np.argsort(instrument, kind="stable")
    is_same = np.diff(instrument[order]) == 0
    previous = np.full(len(instrument), -1, dtype=np.int64)
    previous[order[1:][is_same]] = order[:-1][is_same]
    return previous
