"""The phase that a quote says, and the one that only the session table knows."""

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Phase
from tidegate_common.domain.ids import EXCHANGE_STEP
from tidegate_common.domain.units import BoolArray
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.frames.rows import QuoteRows
from tidegate_common.market.sessions import phases_at, shanghai_seconds
from tidegate_execution.engine.reference import DayReference, rows_among


def told_phases(rows: QuoteRows, stamp: BeatStamp, day: DayReference) -> NDArray[np.uint8]:
    """Return the feed's phases, the locked part of the opening call told apart by the table.

    Returns
    -------
    (n,) uint8, `Phase`; as the feed has it where an instrument has no reference data.
    """
    is_call: BoolArray = rows.phase == Phase.OPEN_CALL
    if not is_call.any():
        return rows.phase
    is_call &= rows_among(day.instrument, rows.instrument) >= 0
    instrument, phases = rows.instrument[is_call], rows.phase.copy()
    table = phases_at(
        exchanges=instrument // EXCHANGE_STEP,
        boards=day.board[rows_among(day.instrument, instrument)],
        trade_date=stamp.trade_date,
        seconds_of_day=shanghai_seconds(stamp.ts_event_ns),
    )
    is_locked = table == Phase.OPEN_CALL_LOCKED
    phases[is_call] = np.where(is_locked, Phase.OPEN_CALL_LOCKED, Phase.OPEN_CALL)
    return phases
