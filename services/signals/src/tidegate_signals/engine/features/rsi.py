"""Relative strength index of Wilder: average gains against average losses, 0 to 100."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.units import Float64Array, Int64Array
from tidegate_signals.engine.kernels import relative_strength, wilder_step


class Rsi:
    """Indices of all instruments: the last observation, and the average gain and loss."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._previous: Float64Array = np.zeros(0)
        self._gain: Float64Array = np.zeros(0)
        self._loss: Float64Array = np.zeros(0)
        # Observations, so one more than moves.
        self._count: Int64Array = np.zeros(0, np.int64)

    def grow(self, count: int) -> None:
        """Add cold rows at the end."""
        self._previous = np.concatenate([self._previous, np.zeros(count)])
        self._gain = np.concatenate([self._gain, np.zeros(count)])
        self._loss = np.concatenate([self._loss, np.zeros(count)])
        self._count = np.concatenate([self._count, np.zeros(count, np.int64)])

    def update(self, rows: Int64Array, values: Float64Array) -> None:
        """Take one observation for each of some rows; a row's first only says where it starts."""
        count = self._count[rows]
        change = np.where(count > 0, values - self._previous[rows], 0.0)
        moves = np.maximum(count, 1)
        for average, move in (
            (self._gain, np.maximum(change, 0.0)),
            (self._loss, np.maximum(-change, 0.0)),
        ):
            average[rows] = wilder_step(
                average=average[rows],
                move=move,
                count=moves,
                window=self._window,
            )
        self._previous[rows] = values
        self._count[rows] = count + 1

    def scale(self, rows: Int64Array, factors: Float64Array) -> None:
        """Multiply the prices behind some rows; the index itself stays."""
        self._previous[rows] *= factors
        self._gain[rows] *= factors
        self._loss[rows] *= factors

    def reset(self) -> None:
        """Make all rows cold."""
        for array in (self._previous, self._gain, self._loss):
            array[:] = 0.0
        self._count[:] = 0

    def read(self, rows: Int64Array) -> Float64Array:
        """Return the indices of some rows, NaN until `window` moves were seen."""
        index = relative_strength(gain=self._gain[rows], loss=self._loss[rows])
        return np.where(self._count[rows] > self._window, index, np.nan)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the state itself, by name."""
        return {
            "previous": self._previous,
            "gain": self._gain,
            "loss": self._loss,
            "count": self._count,
        }

    def load(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        """Take over the state."""
        self._previous = cast("Float64Array", arrays["previous"])
        self._gain = cast("Float64Array", arrays["gain"])
        self._loss = cast("Float64Array", arrays["loss"])
        self._count = cast("Int64Array", arrays["count"])
