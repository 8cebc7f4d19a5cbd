"""What the exchange knows of each instrument today, from the day's OPEN beat."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Board, LimitState, OrderReason, OrderType, Side
from tidegate_common.domain.units import BoolArray, Int64Array
from tidegate_common.events.orders import SubmitOrder
from tidegate_common.frames.rows import ReferenceRows
from tidegate_execution.engine.orders import WorkingOrder

# Above every price: a day without limits compares like one with very wide ones.
NO_LIMIT_E4 = 10**12


@dataclass(frozen=True, slots=True)
class DayLimits:
    """Prices that one instrument may trade at today; 0 to `NO_LIMIT_E4` without a limit."""

    down_e4: int
    up_e4: int


@dataclass(frozen=True, slots=True)
class DayReference:
    """Reference data of the day, one row an instrument, sorted by instrument."""

    instrument: Int64Array
    board: NDArray[np.uint8]
    is_suspended: BoolArray
    limit_state: NDArray[np.uint8]
    limit_down_e4: Int64Array
    limit_up_e4: Int64Array

    @classmethod
    def from_rows(cls, rows: ReferenceRows) -> "DayReference":
        """Return what an OPEN frame says."""
        return cls(
            instrument=rows.instrument,
            board=rows.board,
            is_suspended=rows.is_suspended,
            limit_state=rows.limit_state,
            limit_down_e4=rows.limit_down_e4,
            limit_up_e4=rows.limit_up_e4,
        )

    @classmethod
    def empty(cls) -> "DayReference":
        """Return the reference data of a day whose OPEN frame never came."""
        zeros, small = np.zeros(0, np.int64), np.zeros(0, np.uint8)
        return cls(zeros, small, np.zeros(0, np.bool_), small, zeros, zeros)

    def limits_at(self, row: int) -> DayLimits | None:
        """Return the day's prices of the instrument in a row, None where nobody knows them."""
        state = int(self.limit_state[row])
        if state == LimitState.LIMITED:
            return DayLimits(int(self.limit_down_e4[row]), int(self.limit_up_e4[row]))
        return DayLimits(0, NO_LIMIT_E4) if state == LimitState.UNLIMITED else None

    def admit(self, submit: SubmitOrder) -> WorkingOrder | OrderReason:
        """Return an order that may work today, or why it may not.

        A price cannot be shown to be inside a limit that is UNKNOWN, so it counts as outside.
        """
        row = find_row(self.instrument, submit.instrument)
        if row is None:
            return OrderReason.UNKNOWN_INSTRUMENT
        if self.is_suspended[row]:
            return OrderReason.SUSPENDED
        limits = self.limits_at(row)
        if limits is None:
            return OrderReason.OUTSIDE_PRICE_LIMIT
        board = Board(self.board[row])
        if submit.order_type is OrderType.MARKET:
            is_buy = submit.side is Side.BUY
            return WorkingOrder(submit, limits.up_e4 if is_buy else limits.down_e4, board)
        if not limits.down_e4 <= submit.price_e4 <= limits.up_e4:
            return OrderReason.OUTSIDE_PRICE_LIMIT
        return WorkingOrder(submit, submit.price_e4, board)


@dataclass(frozen=True, slots=True)
class DayVolumes:
    """Volume of each instrument on the last day that it traded.

    instrument, volume_shares : (n,) int64, sorted by instrument; volumes > 0.
    """

    instrument: Int64Array
    volume_shares: Int64Array

    @classmethod
    def empty(cls) -> "DayVolumes":
        """Return the volumes before any day was seen."""
        zeros = np.zeros(0, np.int64)
        return cls(zeros, zeros)

    def updated(self, instrument: Int64Array, volume_shares: Int64Array) -> "DayVolumes":
        """Return the volumes after a day; who did not trade keeps the earlier one.

        Parameters
        ----------
        instrument, volume_shares : (n,) int64, sorted by instrument.
        """
        has_traded = volume_shares > 0
        # The first of equal instruments is kept: the new day comes first.
        joined = np.concatenate([instrument[has_traded], self.instrument])
        volumes = np.concatenate([volume_shares[has_traded], self.volume_shares])
        known, first = np.unique(joined, return_index=True)
        return DayVolumes(known, volumes[first])

    def of(self, instrument: int) -> int:
        """Return the volume of an instrument, 0 where none is known."""
        row = find_row(self.instrument, instrument)
        return 0 if row is None else int(self.volume_shares[row])


def find_row(instruments: Int64Array, instrument: int) -> int | None:
    """Return the row of an instrument, None if it has none.

    Parameters
    ----------
    instruments : (n,) int64, sorted.
    """
    row = int(np.searchsorted(instruments, instrument))
    is_found = row < len(instruments) and int(instruments[row]) == instrument
    return row if is_found else None
