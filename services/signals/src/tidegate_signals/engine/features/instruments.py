"""Which row of the state belongs to which instrument."""

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Exchange
from tidegate_common.domain.ids import EXCHANGE_STEP
from tidegate_common.domain.units import Int64Array
from tidegate_signals.engine.features.observations import ALL_ROWS, RowIndex

# Above every instrument's number.
INSTRUMENT_END = (max(Exchange) + 1) * EXCHANGE_STEP


class InstrumentTable:
    """Rows in the order in which instruments were first seen; a row is never given up."""

    def __init__(self) -> None:
        self._ids: Int64Array = np.zeros(0, np.int64)
        # By instrument, its row counted from 1, 0 for none. Codes come in a few blocks, and zeros
        # that nobody touched take no memory; a look-up costs a tenth of a search.
        self._number: NDArray[np.int32] = np.zeros(INSTRUMENT_END, np.int32)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._ids)

    def add(self, instruments: Int64Array) -> int:
        """Give a row to each instrument that has none; return how many got one.

        Parameters
        ----------
        instruments : (n,) int64, sorted, without repeats.
        """
        if self._are_all(instruments):
            return 0
        new = instruments[self._number.take(instruments) == 0]
        if len(new):
            self.load(np.concatenate([self._ids, new]))
        return len(new)

    def rows_of(self, instruments: Int64Array) -> RowIndex:
        """Return the row of each instrument, all rows as a slice; all must have one."""
        if self._are_all(instruments):
            return ALL_ROWS
        return np.subtract(self._number.take(instruments), 1, dtype=np.int64)

    def ids(self) -> Int64Array:
        """Return the instrument of each row."""
        return self._ids.copy()

    def instruments_of(self, rows: RowIndex) -> Int64Array:
        """Return the instruments of some rows."""
        return self._ids[rows]

    def load(self, ids: Int64Array) -> None:
        """Take the instruments of all rows, such as `ids` returned."""
        self._number[self._ids] = 0
        self._ids = ids.copy()
        self._number[self._ids] = np.arange(1, len(ids) + 1)

    def _are_all(self, instruments: Int64Array) -> bool:
        return len(instruments) == len(self._ids) and np.array_equal(instruments, self._ids)
