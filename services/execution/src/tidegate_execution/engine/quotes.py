"""The last quote of every instrument of the day, and what the next one says beside it.

The last one is what an order or a cancel finds on arrival.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Phase
from tidegate_common.domain.ids import EXCHANGE_STEP
from tidegate_common.domain.units import BoolArray, Int64Array
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.frames.rows import QuoteRows
from tidegate_common.market.sessions import phases_at, shanghai_seconds
from tidegate_execution.engine.reference import DayReference
from tidegate_execution.engine.snapshots import Ladder, Snapshot, levels_of

# Not a phase: no quote of the instrument was seen today.
UNSEEN = 255


@dataclass(frozen=True, slots=True)
class LastQuotes:
    """Last quotes, one row an instrument, as the day's reference data have them.

    phase : (n,) uint8, `Phase` or `UNSEEN`; the locked part of the opening call, which no feed
        tells, by the session table.
    volume_shares : (n,) int64, the highest cumulative volume seen.
    bid_e4, ask_e4, last_e4 : (n,) int64, best and last prices, 0 for none.
    """

    phase: NDArray[np.uint8]
    volume_shares: Int64Array
    bid_e4: Int64Array
    ask_e4: Int64Array
    last_e4: Int64Array

    @classmethod
    def unseen(cls, count: int) -> "LastQuotes":
        """Return the quotes of a day that begins."""
        zeros = np.zeros(count, np.int64)
        return cls(np.full(count, UNSEEN, np.uint8), zeros, zeros, zeros, zeros)

    def advanced(self, rows: QuoteRows, stamp: BeatStamp, day: DayReference) -> "LastQuotes":
        """Return the quotes after a frame; instruments without reference data are left out."""
        at = day.rows_of(rows.instrument)
        is_known = at >= 0
        if not is_known.all():
            rows, at = rows.take(is_known), at[is_known]
        after = replace(self, **{name: getattr(self, name).copy() for name in _COLUMNS})
        after.phase[at] = _told_phases(rows, stamp, day.board[at])
        after.volume_shares[at] = np.maximum(self.volume_shares[at], rows.volume_shares)
        after.bid_e4[at] = rows.bid_price_e4[:, 0]
        after.ask_e4[at] = rows.ask_price_e4[:, 0]
        after.last_e4[at] = rows.last_e4
        return after


def read_snapshots(
    rows: QuoteRows,
    instruments: Int64Array,
    day: DayReference,
    before: LastQuotes,
) -> Iterator[tuple[int, Snapshot]]:
    """Yield instruments of a frame, in their order, and what their quotes say.

    Parameters
    ----------
    instruments : (m,) int64, sorted; those that the frame or the day does not have are left out.
    """
    rows = rows.take(np.isin(rows.instrument, instruments))
    at = day.rows_of(rows.instrument)
    rows, at = rows.take(at >= 0), at[at >= 0]
    phase_before = before.phase[at]
    grown = np.maximum(rows.volume_shares - before.volume_shares[at], 0)
    columns = (
        rows.phase,
        phase_before,
        rows.last_e4,
        np.where(phase_before == UNSEEN, 0, grown),
        rows.bid_price_e4,
        rows.bid_shares,
        rows.ask_price_e4,
        rows.ask_shares,
    )
    # One conversion a column: value by value it would cost more than the matching.
    values = zip(*(column.tolist() for column in columns), strict=True)
    for instrument, quote in zip(rows.instrument.tolist(), values, strict=True):
        phase, earlier, last_e4, traded_shares, bid_e4, bid_shares, ask_e4, ask_shares = quote
        bids = Ladder(is_bid=True, levels=levels_of(bid_e4, bid_shares))
        asks = Ladder(is_bid=False, levels=levels_of(ask_e4, ask_shares))
        yield instrument, Snapshot(phase, earlier, last_e4, traded_shares, bids, asks)


_COLUMNS = ("phase", "volume_shares", "bid_e4", "ask_e4", "last_e4")


def _told_phases(
    rows: QuoteRows,
    stamp: BeatStamp,
    board: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """Return the feed's phases, the locked part of the opening call told apart by the table."""
    is_call: BoolArray = rows.phase == Phase.OPEN_CALL
    if not is_call.any():
        return rows.phase
    table = phases_at(
        exchanges=rows.instrument // EXCHANGE_STEP,
        boards=board,
        trade_date=stamp.trade_date,
        seconds_of_day=shanghai_seconds(stamp.ts_event_ns),
    )
    is_locked = is_call & (table == Phase.OPEN_CALL_LOCKED)
    return np.where(is_locked, Phase.OPEN_CALL_LOCKED, rows.phase).astype(np.uint8)
