"""Which part of a day's volume each half hour has."""

from collections.abc import Iterable
from typing import Final

import numpy as np

from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.units import Float64Array, Int64Array
from tidegate_common.frames.frame import Frame
from tidegate_common.frames.rows import QuoteRows, ReferenceRows
from tidegate_common.market.sessions import shanghai_ns

# Where half hours end, in seconds of the day; the calls are in the first and in the last.
HALF_HOURS: Final = (36_000, 37_800, 39_600, 41_400, 48_600, 50_400, 52_200, 54_000)
NAMES: Final = ("9:30", "10:00", "10:30", "11:00", "13:00", "13:30", "14:00", "14:30")


def profile_of_bars(day: Int64Array, end_seconds: Int64Array, volume: Int64Array) -> Float64Array:
    """Return the mean part of each half hour, from bars that do not cross one.

    Parameters
    ----------
    day : (n,) int64, a number for each day of each share.
    end_seconds : (n,) int64, of the bars, in seconds of the day.
    volume : (n,) int64, >= 0.
    """
    half_hour = np.searchsorted(HALF_HOURS, end_seconds)
    count = len(HALF_HOURS)
    cells = (int(day.max()) + 1) * count
    parts = np.bincount(day * count + half_hour, weights=volume, minlength=cells)
    return _mean_parts(parts.reshape(-1, count).astype(np.float64))


def profile_of_frames(frames: Iterable[Frame]) -> Float64Array:
    """Return the mean part of each half hour, from whole days of quotes."""
    tables: list[Float64Array] = []
    for frame in frames:
        rows = frame.rows
        if isinstance(rows, ReferenceRows):
            instrument, ends = rows.instrument, _ends_ns(frame.stamp.trade_date)
            volumes = np.zeros((len(HALF_HOURS), len(rows)), dtype=np.int64)
        elif isinstance(rows, QuoteRows):
            # What was traded when a half hour ended stays so; later ones go on from there.
            at = np.searchsorted(ends, frame.stamp.ts_event_ns)
            volumes[at:, np.searchsorted(instrument, rows.instrument)] = rows.volume_shares
        elif frame.stamp.kind is BeatKind.CLOSE:
            volumes[-1] = rows.volume_shares
            tables.append(np.diff(volumes, axis=0, prepend=0).T.astype(np.float64))
    return _mean_parts(np.concatenate(tables))


def _ends_ns(trade_date: int) -> Int64Array:
    # What comes after the last half hour, the closing call's match, is a part of it.
    return np.array([shanghai_ns(trade_date, seconds) for seconds in HALF_HOURS[:-1]])


def _mean_parts(table: Float64Array) -> Float64Array:
    traded = table[table.sum(axis=1) > 0]
    parts: Float64Array = (traded / traded.sum(axis=1, keepdims=True)).mean(axis=0)
    return parts
