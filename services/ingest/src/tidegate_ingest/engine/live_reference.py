"""A live day's reference rows, from the first quotes of the day."""

from dataclasses import replace

import numpy as np

from tidegate_common.domain.enums import LimitState
from tidegate_common.domain.units import BoolArray
from tidegate_common.frames.rows import ReferenceRows
from tidegate_common.market.listing import ordinary_stages_of
from tidegate_common.market.price_limits import price_limits
from tidegate_ingest.engine.columns import SnapshotColumns
from tidegate_ingest.engine.reference import snapshot_reference


def live_reference(
    rows: SnapshotColumns,
    trade_date: int,
    *,
    is_st: BoolArray,
    is_limit_unknown: BoolArray,
) -> ReferenceRows:
    """Return the reference of a day that has begun.

    Limits are the service's own where it gives them; else those of an ordinary day of the share,
    of one under risk warning where its name says so. They are UNKNOWN where the day may be no
    ordinary one, and where the day's prices lie outside them.

    Parameters
    ----------
    rows : one row an instrument, sorted by instrument.
    is_st, is_limit_unknown : (n,) bool.
    """
    found = snapshot_reference(rows, trade_date).rows
    has_own = (rows.limit_up_e4 > 0) & (rows.limit_down_e4 > 0)
    warned = price_limits(
        boards=found.board,
        stages=ordinary_stages_of(is_st),
        prev_close_e4=found.prev_close_e4,
        trade_date=trade_date,
    )
    is_computed = is_st & ~has_own
    state = np.where(is_computed, warned.state, found.limit_state)
    up_e4 = np.where(is_computed, warned.up_e4, found.limit_up_e4)
    down_e4 = np.where(is_computed, warned.down_e4, found.limit_down_e4)
    is_outside = (rows.high_e4 > up_e4) | ((rows.low_e4 < down_e4) & (rows.low_e4 > 0))
    is_unknown = is_limit_unknown | ((state == LimitState.LIMITED) & is_outside)
    return replace(
        found,
        is_st=is_st,
        limit_state=np.where(is_unknown, LimitState.UNKNOWN, state).astype(np.uint8),
        limit_up_e4=np.where(is_unknown, 0, up_e4),
        limit_down_e4=np.where(is_unknown, 0, down_e4),
    )
