"""Completed bars as they leave the engine."""

from collections.abc import Sequence

import numpy as np

from tidegate_common.domain.units import Int64Array
from tidegate_common.frames.bars import DAY_PERIOD_SECONDS, BarBatch
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.frames.rows import BarRows
from tidegate_signals.engine.bars import CompletedBars
from tidegate_signals.engine.features.spec import Period

PERIOD_SECONDS = {Period.MINUTE_1: 60, Period.MINUTE_5: 300, Period.MINUTE_15: 900}
_COLUMNS = ("open_e4", "high_e4", "low_e4", "close_e4", "volume_shares", "amount_fen")


def bar_batch(
    stamp: BeatStamp,
    shard: int,
    completed: Sequence[tuple[CompletedBars, Int64Array]],
    day: BarRows | None,
) -> BarBatch | None:
    """Return the bars that a beat completed, None where there are none.

    Parameters
    ----------
    completed : bars with the instrument of each.
    day : the day's bars of what traded, at its CLOSE beat.
    """
    parts = [
        _part(bars, instruments, PERIOD_SECONDS[bars.period], bars.ts_end_ns)
        for bars, instruments in completed
    ]
    if day is not None:
        parts.append(_part(day, day.instrument, DAY_PERIOD_SECONDS, stamp.ts_event_ns))
    if not any(part.shape[1] for part in parts):
        return None
    joined = np.concatenate(parts, axis=1)
    period_seconds, ts_end_ns, instrument = joined[:3]
    columns = joined[:, np.lexsort((instrument, ts_end_ns, period_seconds))]
    return BarBatch(stamp, shard, *columns)


def _part(
    bars: CompletedBars | BarRows,
    instruments: Int64Array,
    period_seconds: int,
    ts_end_ns: int,
) -> Int64Array:
    """Return bars as the columns of a batch, (9, n)."""
    count = len(instruments)
    return np.stack(
        [
            np.full(count, period_seconds, np.int64),
            np.full(count, ts_end_ns, np.int64),
            instruments,
            *(getattr(bars, name) for name in _COLUMNS),
        ],
    )
