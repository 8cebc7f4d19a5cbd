"""Highest, lowest, and how far a bar reaches: rolling extremes, Donchian's channel, ATR."""

from typing import ClassVar

import numpy as np

from tidegate_common.domain.units import Float64Array
from tidegate_signals.engine.features.observations import Observations, RowIndex
from tidegate_signals.engine.features.row_state import RowState, window_lines
from tidegate_signals.engine.features.spec import Field, IndicatorSpec
from tidegate_signals.engine.features.tally import Tally
from tidegate_signals.engine.features.windows import Fold, extreme_of, push_extreme
from tidegate_signals.engine.kernels import blend, weight_of, wilder_weights


class Highest(RowState):
    """MAX(n): the highest of the last n observations."""

    FOLD: ClassVar[Fold] = np.maximum

    def __init__(self, spec: IndicatorSpec, tally: Tally) -> None:
        (count,) = spec.parameters
        super().__init__(spec, tally, window_lines("extreme", count), needed=count)

    def update(self, observations: Observations) -> None:
        """Take one observation for each of some rows."""
        rows, values = observations.rows, self._value(observations)
        push_extreme(self.FOLD, self._window("extreme"), rows, self._seen(rows), values)

    def _values(self, rows: RowIndex, _: str) -> Float64Array:
        return extreme_of(self.FOLD, self._window("extreme"), rows, self._seen(rows))


class Lowest(Highest):
    """MIN(n): the lowest of the last n observations."""

    FOLD: ClassVar[Fold] = np.minimum


class Donchian(RowState):
    """DONCHIAN(n): the channel between the lowest low and the highest high of n observations.

    lower, upper, middle : of the last n observations, the present one among them.
    previous_lower, previous_upper : of the n observations before the present one, which a breakout
        is measured against; NaN until n + 1 observations were seen.
    """

    OUTPUTS: ClassVar[tuple[str, ...]] = (
        "lower",
        "upper",
        "middle",
        "previous_lower",
        "previous_upper",
    )
    TAKES_FIELD: ClassVar[bool] = False
    FIELDS: ClassVar[tuple[Field, ...]] = (Field.HIGH, Field.LOW)

    def __init__(self, spec: IndicatorSpec, tally: Tally) -> None:
        (count,) = spec.parameters
        lines = window_lines("low", count) | window_lines("high", count)
        lines |= {"previous_lower": 0, "previous_upper": 0}
        super().__init__(spec, tally, lines, needed=count)

    def update(self, observations: Observations) -> None:
        """Take one observation for each of some rows."""
        rows, columns = observations.rows, observations.columns
        seen = self._seen(rows)
        for output in ("lower", "upper"):
            self._arrays[f"previous_{output}"][rows] = self.read(rows, output)
        push_extreme(np.minimum, self._window("low"), rows, seen, columns[Field.LOW])
        push_extreme(np.maximum, self._window("high"), rows, seen, columns[Field.HIGH])

    def _values(self, rows: RowIndex, output: str) -> Float64Array:
        match output:
            case "lower":
                return extreme_of(np.minimum, self._window("low"), rows, self._seen(rows))
            case "upper":
                return extreme_of(np.maximum, self._window("high"), rows, self._seen(rows))
            case "middle":
                return (self._values(rows, "lower") + self._values(rows, "upper")) * 0.5
            case _:
                return self._copy(output, rows)


class Atr(RowState):
    """ATR(n): Wilder's average of how far a bar reaches, the close before it included.

    Needs n such ranges, so n + 1 observations: the first has no close before it.

    Source: J. Welles Wilder, New Concepts in Technical Trading Systems, 1978, section III.
    """

    TAKES_FIELD: ClassVar[bool] = False
    FIELDS: ClassVar[tuple[Field, ...]] = (Field.HIGH, Field.LOW, Field.CLOSE)

    def __init__(self, spec: IndicatorSpec, tally: Tally) -> None:
        (window,) = spec.parameters
        super().__init__(spec, tally, {"previous": 0, "average": 0}, needed=window + 1)
        self._weights = wilder_weights(window)

    def update(self, observations: Observations) -> None:
        """Take one observation for each of some rows; a row's first only says where it starts."""
        state, rows, columns = self._arrays, observations.rows, observations.columns
        previous = state["previous"][rows]
        reach = np.maximum(columns[Field.HIGH], previous)
        reach -= np.minimum(columns[Field.LOW], previous)
        weight = weight_of(self._weights, self._seen(rows))
        blend(average=state["average"], rows=rows, values=reach, weight=weight)
        state["previous"][rows] = columns[Field.CLOSE]

    def _values(self, rows: RowIndex, _: str) -> Float64Array:
        return self._copy("average", rows)
