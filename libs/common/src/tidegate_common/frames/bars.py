"""Bars that ended in a beat, of every period."""

from dataclasses import dataclass

from tidegate_common.domain.units import Int64Array
from tidegate_common.frames.frame import BeatStamp

DAY_PERIOD_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class BarBatch:
    """The bars of one shard that ended in one beat.

    All columns are (n,) int64, sorted by (period_seconds, ts_end_ns, instrument), no such key
    twice.

    period_seconds : length of the bar, > 0; `DAY_PERIOD_SECONDS` for a day.
    ts_end_ns : market time at the end of the bar, UTC epoch.
    open_e4, high_e4, low_e4, close_e4 : > 0: an instrument that was not traded has no bar.
    volume_shares, amount_fen : of the bar.
    """

    stamp: BeatStamp
    shard: int
    period_seconds: Int64Array
    ts_end_ns: Int64Array
    instrument: Int64Array
    open_e4: Int64Array
    high_e4: Int64Array
    low_e4: Int64Array
    close_e4: Int64Array
    volume_shares: Int64Array
    amount_fen: Int64Array

    def __len__(self) -> int:
        """Return the number of bars."""
        return len(self.instrument)
