"""What the exchange knows of each instrument today, from the day's OPEN beat."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import LimitState
from tidegate_common.domain.units import BoolArray, Int64Array
from tidegate_common.frames.rows import ReferenceRows

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
    prev_close_e4: Int64Array

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
            prev_close_e4=rows.prev_close_e4,
        )

    @classmethod
    def empty(cls) -> "DayReference":
        """Return the reference data of a day whose OPEN frame never came."""
        zeros, small = np.zeros(0, np.int64), np.zeros(0, np.uint8)
        return cls(zeros, small, np.zeros(0, np.bool_), small, zeros, zeros, zeros)

    def limits_at(self, row: int) -> DayLimits | None:
        """Return the day's prices of the instrument in a row, None where nobody knows them."""
        state = int(self.limit_state[row])
        if state == LimitState.LIMITED:
            return DayLimits(int(self.limit_down_e4[row]), int(self.limit_up_e4[row]))
        return DayLimits(0, NO_LIMIT_E4) if state == LimitState.UNLIMITED else None

    def rows_of(self, instruments: Int64Array) -> Int64Array:
        """Return the rows of instruments, -1 for those without one.

        Parameters
        ----------
        instruments : (m,) int64, sorted.

        Returns
        -------
        (m,) int64.
        """
        if not len(self.instrument):
            return np.full(len(instruments), -1, np.int64)
        at = np.minimum(np.searchsorted(self.instrument, instruments), len(self.instrument) - 1)
        return np.where(self.instrument[at] == instruments, at, -1)


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
