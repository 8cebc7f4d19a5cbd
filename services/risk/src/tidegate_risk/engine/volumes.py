"""What each instrument traded on the last days, for the limit on shares against an average day."""

import numpy as np

from tidegate_common.domain.units import Int64Array

# About a month of trading days: the usual window of an average daily volume.
DAYS = 20
UNKNOWN = -1


class DailyVolumes:
    """Volumes of the last `DAYS` days whose close was seen, by the market's rows.

    A day on which the close was said to have no volume counts: it makes the average smaller, which
    is the conservative reading.
    """

    def __init__(self) -> None:
        self.shares: Int64Array = np.zeros((0, DAYS), np.int64)
        self.day_counts: Int64Array = np.zeros(0, np.int64)

    def grow(self, places: Int64Array, count: int) -> None:
        """Move to a larger universe.

        Parameters
        ----------
        places : of the rows so far, in the new universe of `count` rows.
        """
        shares, day_counts = np.zeros((count, DAYS), np.int64), np.zeros(count, np.int64)
        shares[places], day_counts[places] = self.shares, self.day_counts
        self.shares, self.day_counts = shares, day_counts

    def take(self, at: Int64Array | slice, volume_shares: Int64Array) -> Int64Array:
        """Take in a day's close, and return the average days of its rows, rounded down.

        Parameters
        ----------
        at : rows of the market, (k,).
        volume_shares : (k,) int64, what they traded.
        """
        rows = np.arange(len(self.day_counts))[at]
        self.shares[rows, self.day_counts[rows] % DAYS] = volume_shares
        self.day_counts[rows] += 1
        counts = np.minimum(self.day_counts[rows], DAYS)
        averages: Int64Array = self.shares[rows].sum(axis=1) // counts
        return averages
