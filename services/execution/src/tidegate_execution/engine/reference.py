"""What the exchange knows of each instrument today, from the day's OPEN beat."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.units import BoolArray, Int64Array
from tidegate_common.frames.rows import ReferenceRows


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

    def of(self, instruments: Int64Array) -> Int64Array:
        """Return the volumes of instruments, 0 where none is known.

        Parameters
        ----------
        instruments : (m,) int64.
        """
        at = rows_among(self.instrument, instruments)
        # The row of nobody is the last one.
        return np.append(self.volume_shares, 0)[at]


def rows_among(known: Int64Array, instruments: Int64Array) -> Int64Array:
    """Return the rows of instruments, -1 for those without one.

    Parameters
    ----------
    known : (n,) int64, sorted.
    instruments : (m,) int64.

    Returns
    -------
    (m,) int64.
    """
    if not len(known):
        return np.full(len(instruments), -1, np.int64)
    at = np.minimum(np.searchsorted(known, instruments), len(known) - 1)
    return np.where(known[at] == instruments, at, -1)
