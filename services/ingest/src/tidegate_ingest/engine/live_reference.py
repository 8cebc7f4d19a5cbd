"""A live day's reference rows, from the first quotes of the day."""

from dataclasses import replace

import numpy as np

from tidegate_common.domain.enums import LimitState
from tidegate_common.domain.units import BoolArray
from tidegate_common.frames.rows import ReferenceRows
from tidegate_ingest.engine.columns import SnapshotColumns
from tidegate_ingest.engine.reference import snapshot_reference
from tidegate_ingest.engine.reference_days import ReferenceDays


def live_reference(
    rows: SnapshotColumns,
    trade_date: int,
    reference: ReferenceDays,
    *,
    is_st: BoolArray,
    is_limit_unknown: BoolArray,
) -> ReferenceRows:
    """Return the reference of a day that has begun.

    Limits are the service's own where it gives them; else those of an ordinary day of the share,
    of one under risk warning where its name or the user says so. They are UNKNOWN where the day may
    be no ordinary one, and where the day's prices lie outside them.

    Parameters
    ----------
    rows : one row an instrument, sorted by instrument.
    reference : what the user says of the day; it wins.
    is_st, is_limit_unknown : (n,) bool.
    """
    found = snapshot_reference(rows, trade_date, reference, is_st).rows
    is_outside = (rows.high_e4 > found.limit_up_e4) | (
        (rows.low_e4 < found.limit_down_e4) & (rows.low_e4 > 0)
    )
    is_unknown = is_limit_unknown | ((found.limit_state == LimitState.LIMITED) & is_outside)
    return replace(
        found,
        limit_state=np.where(is_unknown, LimitState.UNKNOWN, found.limit_state).astype(np.uint8),
        limit_up_e4=np.where(is_unknown, 0, found.limit_up_e4),
        limit_down_e4=np.where(is_unknown, 0, found.limit_down_e4),
    )
