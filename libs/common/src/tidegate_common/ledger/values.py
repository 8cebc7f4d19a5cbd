"""What holdings are worth: sorted columns, so that a beat's marks are one array operation."""

import numpy as np

from tidegate_common.domain.units import Int64Array, notional_fen, notionals_fen


class Values:
    """Quantities, marks and values of what is held, sorted by instrument.

    No array is ever changed in place: what a caller was given stays as it was.
    """

    def __init__(self) -> None:
        nothing = _frozen(np.zeros(0, np.int64))
        self.instruments: Int64Array = nothing
        self.quantities: Int64Array = nothing
        self.marks_e4: Int64Array = nothing
        self.values_fen: Int64Array = nothing
        self.gross_fen = 0
        # Held, but never marked: valued at the last fill.
        self.unmarked: set[int] = set()

    def mark(self, mark_e4: Int64Array) -> None:
        """Value everything at new marks; a mark of 0 is no price and leaves the last one.

        Parameters
        ----------
        mark_e4 : (n,) int64, >= 0, aligned with `instruments`.
        """
        has_price = mark_e4 > 0
        # Counting is several times quicker than to ask for any or all.
        if np.count_nonzero(has_price) == len(mark_e4):
            marks_e4 = mark_e4
        else:
            marks_e4 = np.where(has_price, mark_e4, self.marks_e4)
        if not self.unmarked and not np.count_nonzero(marks_e4 != self.marks_e4):
            # In most beats of most accounts nothing that is held was traded.
            return
        self.marks_e4 = _frozen(marks_e4.copy())
        self.values_fen = _frozen(notionals_fen(self.marks_e4, self.quantities))
        self.gross_fen = int(np.add.reduce(self.values_fen))
        if self.unmarked:
            self.unmarked.difference_update(self.instruments[has_price].tolist())

    def trade(self, instrument: int, *, quantity_shares: int, price_e4: int) -> None:
        """Set what is held of an instrument after a fill; its price marks what has no mark yet."""
        row = self._row_of(instrument)
        if row is None:
            self.put(instrument, quantity_shares=quantity_shares, mark_e4=price_e4)
            self.unmarked.add(instrument)
        elif quantity_shares == 0:
            self._splice(row, row + 1, np.zeros((0, 4), np.int64))
            self.unmarked.discard(instrument)
        else:
            is_unmarked = instrument in self.unmarked
            mark_e4 = price_e4 if is_unmarked else int(self.marks_e4[row])
            self.put(instrument, quantity_shares=quantity_shares, mark_e4=mark_e4)

    def put(self, instrument: int, *, quantity_shares: int, mark_e4: int) -> None:
        """Set quantity, > 0, and mark of an instrument."""
        start = int(np.searchsorted(self.instruments, instrument))
        stop = start + (self._row_of(instrument) is not None)
        new = [instrument, quantity_shares, mark_e4, notional_fen(mark_e4, quantity_shares)]
        self._splice(start, stop, np.array([new], np.int64))

    def mark_of(self, instrument: int) -> int:
        """Return the mark of what is held, 0 for what is not."""
        row = self._row_of(instrument)
        return 0 if row is None else int(self.marks_e4[row])

    def _row_of(self, instrument: int) -> int | None:
        row = int(np.searchsorted(self.instruments, instrument))
        is_held = row < len(self.instruments) and int(self.instruments[row]) == instrument
        return row if is_held else None

    def _splice(self, start: int, stop: int, new: Int64Array) -> None:
        """Put rows in the place of those from `start` to before `stop`.

        Parameters
        ----------
        new : (k, 4) int64, instruments, quantities, marks and values.
        """
        self.gross_fen += int(new[:, 3].sum()) - int(self.values_fen[start:stop].sum())
        old = self.instruments, self.quantities, self.marks_e4, self.values_fen
        self.instruments, self.quantities, self.marks_e4, self.values_fen = (
            _frozen(np.concatenate((column[:start], values, column[stop:])))
            for column, values in zip(old, new.T, strict=True)
        )


def _frozen(array: Int64Array) -> Int64Array:
    array.setflags(write=False)
    return array
