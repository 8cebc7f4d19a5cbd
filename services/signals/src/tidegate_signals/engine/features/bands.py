"""Standard deviation, and Bollinger's bands around the mean."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from tidegate_common.domain.units import Float64Array
from tidegate_signals.engine.features.observations import Observations, RowIndex
from tidegate_signals.engine.features.row_state import Argument, RowState, window_lines
from tidegate_signals.engine.features.spec import IndicatorSpec
from tidegate_signals.engine.features.tally import Tally
from tidegate_signals.engine.features.windows import moments_of, push_moments
from tidegate_signals.engine.kernels import quotient


class StandardDeviation(RowState):
    """STDDEV(n): the standard deviation of the last n observations, as of a population."""

    ARGUMENTS: ClassVar[tuple[Argument, ...]] = (Argument("window", minimum=2),)
    POWERS: ClassVar[Mapping[str, int]] = {"square_ring": 2, "square_head": 2}

    def __init__(self, spec: IndicatorSpec, tally: Tally) -> None:
        count = spec.parameters[0]
        lines = window_lines("distance", count) | window_lines("square", count)
        # What is read, as a band has many readers and each beat one update.
        lines |= {"base": 0, "mean": 0, "deviation": 0}
        super().__init__(spec, tally, lines, needed=count)

    def update(self, observations: Observations) -> None:
        """Take one observation for each of some rows."""
        rows = observations.rows
        seen = self._seen(rows)
        distances, squares = self._window("distance"), self._window("square")
        base = self._arrays["base"]
        push_moments(
            distances=distances,
            squares=squares,
            base=base,
            rows=rows,
            seen=seen,
            values=self._value(observations),
        )
        self._arrays["mean"][rows], self._arrays["deviation"][rows] = moments_of(
            distances=distances,
            squares=squares,
            base=base,
            rows=rows,
            seen=seen + 1,
        )

    def _values(self, rows: RowIndex, _: str) -> Float64Array:
        return self._copy("deviation", rows)


class Bollinger(StandardDeviation):
    """BOLLINGER(n, tenths): the mean of n observations, and bands of so many tenths of a deviation.

    middle : the mean, SMA(n).
    lower, upper : the mean less and plus tenths / 10 standard deviations.
    width : (upper - lower) / middle; NaN where the middle is 0.
    percent : (newest - lower) / (upper - lower), 0 at the lower band and 1 at the upper; NaN where
        the bands are one.

    Source: J. Bollinger, Bollinger on Bollinger Bands, 2001.
    """

    OUTPUTS: ClassVar[tuple[str, ...]] = ("lower", "middle", "upper", "width", "percent")
    ARGUMENTS: ClassVar[tuple[Argument, ...]] = (
        Argument("window", minimum=2),
        Argument("tenths_of_std", maximum=100),
    )

    def __init__(self, spec: IndicatorSpec, tally: Tally) -> None:
        super().__init__(spec, tally)
        self._arrays["newest"] = np.zeros(0)
        self._deviations = spec.parameters[1] / 10

    def update(self, observations: Observations) -> None:
        """Take one observation for each of some rows."""
        super().update(observations)
        self._arrays["newest"][observations.rows] = self._value(observations)

    def _values(self, rows: RowIndex, output: str) -> Float64Array:
        middle = self._arrays["mean"][rows]
        reach = self._arrays["deviation"][rows] * self._deviations
        match output:
            case "lower":
                return middle - reach
            case "upper":
                return middle + reach
            case "width":
                return quotient(dividend=2.0 * reach, divisor=middle)
            case "percent":
                above = self._arrays["newest"][rows] - (middle - reach)
                return quotient(dividend=above, divisor=2.0 * reach)
            case _:
                return self._copy("mean", rows)
