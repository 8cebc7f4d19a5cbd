"""Simple moving average: the mean of an instrument's last `window` observations."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.units import Float64Array, Int64Array
from tidegate_signals.engine.kernels import sma_step


class Sma:
    """Moving averages of all instruments: a ring of observations a row, and its running sum."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._ring: Float64Array = np.zeros((0, window))
        self._total: Float64Array = np.zeros(0)
        self._count: Int64Array = np.zeros(0, np.int64)

    def grow(self, count: int) -> None:
        """Add cold rows at the end."""
        self._ring = np.concatenate([self._ring, np.zeros((count, self._window))])
        self._total = np.concatenate([self._total, np.zeros(count)])
        self._count = np.concatenate([self._count, np.zeros(count, np.int64)])

    def update(self, rows: Int64Array, values: Float64Array) -> None:
        """Take one observation for each of some rows."""
        count = self._count[rows]
        place = count % self._window
        self._total[rows] = sma_step(
            total=self._total[rows],
            oldest=self._ring[rows, place],
            newest=values,
            is_full=count >= self._window,
        )
        self._ring[rows, place] = values
        self._count[rows] = count + 1

    def scale(self, rows: Int64Array, factors: Float64Array) -> None:
        """Multiply the window of some rows."""
        self._ring[rows] *= factors[:, np.newaxis]
        self._total[rows] *= factors

    def reset(self) -> None:
        """Make all rows cold."""
        self._ring[:] = 0.0
        self._total[:] = 0.0
        self._count[:] = 0

    def read(self, rows: Int64Array) -> Float64Array:
        """Return the averages of some rows, NaN until the window is full."""
        return np.where(
            self._count[rows] >= self._window,
            self._total[rows] / self._window,
            np.nan,
        )

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the state itself, by name."""
        return {"ring": self._ring, "total": self._total, "count": self._count}

    def load(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        """Take over the state."""
        self._ring = cast("Float64Array", arrays["ring"])
        self._total = cast("Float64Array", arrays["total"])
        self._count = cast("Int64Array", arrays["count"])
