"""How many observations each row has seen: whether it is warm, and its place in a ring."""

import numpy as np

from tidegate_common.domain.units import Float64Array, Int64Array
from tidegate_signals.engine.features.observations import RowIndex

# Observations that rows have seen: one number where all of them have seen equally many, which is
# the usual case, lets a ring be used line by line, and changes no bit.
Seen = int | Int64Array


class Tally:
    """Counts of the indicators that are fed with the same observations."""

    def __init__(self) -> None:
        self._by_row: Int64Array = np.zeros(0, np.int64)
        # What all rows have seen, None where they differ; as long as it is there, `_by_row` rests.
        self._by_all: int | None = 0
        # The answer to the last question: a beat asks many times about the same rows.
        self._asked: tuple[RowIndex, Seen] | None = None

    def grow(self, count: int) -> None:
        """Add rows that have seen nothing at the end."""
        self.load(np.concatenate([self.counts(), np.zeros(count, np.int64)]))

    def seen(self, rows: RowIndex) -> Seen:
        """Return what some rows have seen; a number if it is the same for all of them."""
        if self._by_all is not None:
            return self._by_all
        if self._asked is None or self._asked[0] is not rows:
            self._asked = (rows, _in_short(self._by_row[rows]))
        return self._asked[1]

    def add(self, rows: RowIndex) -> None:
        """Count one more observation of some rows."""
        self._asked = None
        if self._by_all is not None and isinstance(rows, slice):
            self._by_all += 1
            return
        self._by_row = self.counts()
        self._by_all = None
        self._by_row[rows] += 1

    def counts(self) -> Int64Array:
        """Return what every row has seen; for a snapshot, not for every beat."""
        if self._by_all is not None:
            self._by_row[:] = self._by_all
        return self._by_row

    def load(self, counts: Int64Array) -> None:
        """Take the counts of all rows over."""
        self._by_row = counts
        seen = _in_short(counts)
        self._by_all = seen if isinstance(seen, int) else None
        self._asked = None


def keep_warm(values: Float64Array, *, seen: Seen, needed: int) -> Float64Array:
    """Return values with NaN for the rows that have seen fewer observations than are needed."""
    if isinstance(seen, int):
        return values if seen >= needed else np.full_like(values, np.nan)
    if seen.min(initial=needed) < needed:
        values[seen < needed] = np.nan
    return values


def _in_short(counts: Int64Array) -> Seen:
    if not len(counts):
        return 0
    first = counts[0]
    return int(first) if bool((counts == first).all()) else counts
