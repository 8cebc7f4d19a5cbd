"""Strength and speed of prices: RSI, rate of change, momentum."""

import numpy as np

from tidegate_common.domain.units import Float64Array
from tidegate_signals.engine.features.observations import Observations, RowIndex
from tidegate_signals.engine.features.row_state import RowState
from tidegate_signals.engine.features.spec import IndicatorSpec
from tidegate_signals.engine.features.tally import Tally
from tidegate_signals.engine.features.windows import line_of, put
from tidegate_signals.engine.kernels import (
    blend,
    quotient,
    relative_strength,
    weight_of,
    wilder_weights,
)


class Rsi(RowState):
    """RSI(n): Wilder's average gains against average gains and losses, 0 to 100.

    Needs n moves, so n + 1 observations. Where nothing has moved it is 50; TA-Lib says 0 there,
    which a strategy would take for a fall.
    """

    def __init__(self, spec: IndicatorSpec, tally: Tally) -> None:
        (window,) = spec.parameters
        lines = {"previous": 0, "gain": 0, "loss": 0}
        super().__init__(spec, tally, lines, needed=window + 1)
        self._weights = wilder_weights(window)

    def update(self, observations: Observations) -> None:
        """Take one observation for each of some rows; a row's first only says where it starts."""
        state, rows, values = self._arrays, observations.rows, self._value(observations)
        weight = weight_of(self._weights, self._seen(rows))
        change = values - state["previous"][rows]
        gain = np.maximum(change, 0.0)
        blend(average=state["gain"], rows=rows, values=gain, weight=weight)
        # A rise less the rise is no loss, and nothing less a fall is the fall: both exactly.
        loss = np.subtract(gain, change, out=change)
        blend(average=state["loss"], rows=rows, values=loss, weight=weight)
        state["previous"][rows] = values

    def _values(self, rows: RowIndex, _: str) -> Float64Array:
        return relative_strength(gain=self._arrays["gain"][rows], loss=self._arrays["loss"][rows])


class Momentum(RowState):
    """MOMENTUM(n): the newest observation less the one n before it."""

    def __init__(self, spec: IndicatorSpec, tally: Tally) -> None:
        (window,) = spec.parameters
        super().__init__(spec, tally, {"ring": window + 1}, needed=window + 1)

    def update(self, observations: Observations) -> None:
        """Take one observation for each of some rows."""
        rows = observations.rows
        put(
            ring=self._arrays["ring"],
            rows=rows,
            seen=self._seen(rows),
            values=self._value(observations),
        )

    def _values(self, rows: RowIndex, _: str) -> Float64Array:
        newest, oldest = self._ends(rows)
        return newest - oldest

    def _ends(self, rows: RowIndex) -> tuple[Float64Array, Float64Array]:
        """Return the newest observation, and the one n before it."""
        ring, seen = self._arrays["ring"], self._seen(rows)
        return line_of(ring, rows, seen - 1), line_of(ring, rows, seen)


class Roc(Momentum):
    """ROC(n): the newest observation over the one n before it, less 1; a fraction.

    TA-Lib says percent. Where the old observation is 0 it is NaN, no opinion; TA-Lib says 0.
    """

    def _values(self, rows: RowIndex, _: str) -> Float64Array:
        newest, oldest = self._ends(rows)
        rate = quotient(dividend=newest, divisor=oldest)
        rate -= 1.0
        return rate
