"""Which row of the state belongs to which instrument."""

import numpy as np

from tidegate_common.domain.units import Int64Array


class InstrumentTable:
    """Rows in the order in which instruments were first seen; a row is never given up."""

    def __init__(self) -> None:
        self._ids: Int64Array = np.zeros(0, np.int64)
        self._sorted: Int64Array = self._ids
        self._row_of_sorted: Int64Array = self._ids

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._ids)

    def add(self, instruments: Int64Array) -> int:
        """Give a row to each instrument that has none; return how many got one.

        Parameters
        ----------
        instruments : (n,) int64, sorted, without repeats.
        """
        new = instruments[~np.isin(instruments, self._ids)]
        if len(new):
            self.load(np.concatenate([self._ids, new]))
        return len(new)

    def rows_of(self, instruments: Int64Array) -> Int64Array:
        """Return the row of each instrument; all must have one."""
        return self._row_of_sorted[np.searchsorted(self._sorted, instruments)]

    def ids(self) -> Int64Array:
        """Return the instrument of each row."""
        return self._ids.copy()

    def load(self, ids: Int64Array) -> None:
        """Take the instruments of all rows, such as `ids` returned."""
        self._ids = ids.copy()
        self._row_of_sorted = np.argsort(self._ids)
        self._sorted = self._ids[self._row_of_sorted]
