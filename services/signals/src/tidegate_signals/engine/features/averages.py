"""Averages of the last observations: simple, weighted, exponential, and MACD made of the latter."""

from typing import ClassVar

from tidegate_common.domain.units import Float64Array
from tidegate_common.errors import ConfigError
from tidegate_signals.engine.features.observations import Observations, RowIndex
from tidegate_signals.engine.features.row_state import Argument, RowState, window_lines
from tidegate_signals.engine.features.spec import IndicatorSpec
from tidegate_signals.engine.features.tally import Tally
from tidegate_signals.engine.features.windows import (
    push_sum,
    push_weighted,
    sum_of,
    weighted_sum_of,
)
from tidegate_signals.engine.kernels import blend, exponential_weights, weight_of


class Sma(RowState):
    """SMA(n): the mean of the last n observations."""

    def __init__(self, spec: IndicatorSpec, tally: Tally) -> None:
        (self._count,) = spec.parameters
        lines = window_lines("sum", self._count)
        super().__init__(spec, tally, lines, needed=self._count)

    def update(self, observations: Observations) -> None:
        """Take one observation for each of some rows."""
        rows = observations.rows
        push_sum(self._window("sum"), rows, self._seen(rows), self._value(observations))

    def _values(self, rows: RowIndex, _: str) -> Float64Array:
        mean = sum_of(self._window("sum"), rows, self._seen(rows))
        mean /= self._count
        return mean


class Wma(RowState):
    """WMA(n): the mean of the last n observations, weighted 1 for the oldest to n."""

    def __init__(self, spec: IndicatorSpec, tally: Tally) -> None:
        (count,) = spec.parameters
        lines = window_lines("plain", count) | window_lines("weighted", count)
        super().__init__(spec, tally, lines, needed=count)
        self._weight = count * (count + 1) // 2

    def update(self, observations: Observations) -> None:
        """Take one observation for each of some rows."""
        rows = observations.rows
        push_weighted(
            plain=self._window("plain"),
            weighted=self._window("weighted"),
            rows=rows,
            seen=self._seen(rows),
            values=self._value(observations),
        )

    def _values(self, rows: RowIndex, _: str) -> Float64Array:
        mean = weighted_sum_of(
            plain=self._window("plain"),
            weighted=self._window("weighted"),
            rows=rows,
            seen=self._seen(rows),
        )
        mean /= self._weight
        return mean


class Ema(RowState):
    """EMA(n): gives up 2/(n + 1) of itself for the newest; begins as the mean of the first n."""

    def __init__(self, spec: IndicatorSpec, tally: Tally) -> None:
        (window,) = spec.parameters
        super().__init__(spec, tally, {"average": 0}, needed=window)
        self._weights = exponential_weights(window)

    def update(self, observations: Observations) -> None:
        """Take one observation for each of some rows."""
        rows = observations.rows
        weight = weight_of(self._weights, self._seen(rows))
        blend(
            average=self._arrays["average"],
            rows=rows,
            values=self._value(observations),
            weight=weight,
        )

    def _values(self, rows: RowIndex, _: str) -> Float64Array:
        return self._copy("average", rows)


class Macd(RowState):
    """MACD(fast, slow, signal): how far a fast average is above a slow one, and its own average.

    As in TA-Lib, the fast average begins when the slow one does, with the mean of the `fast`
    observations before, and all three outputs begin when the signal does: at observation
    slow + signal - 1.
    """

    OUTPUTS: ClassVar[tuple[str, ...]] = ("macd", "signal", "histogram")
    ARGUMENTS: ClassVar[tuple[Argument, ...]] = (
        Argument("fast"),
        Argument("slow", minimum=2),
        Argument("signal"),
    )

    def __init__(self, spec: IndicatorSpec, tally: Tally) -> None:
        fast, slow, signal = spec.parameters
        if fast >= slow:
            message = f"MACD: fast must be < slow, were fast {fast} and slow {slow}"
            raise ConfigError(message)
        lines = {"fast": 0, "slow": 0, "signal": 0}
        super().__init__(spec, tally, lines, needed=slow + signal - 1)
        self._weights = {
            "fast": exponential_weights(fast, skipped=slow - fast),
            "slow": exponential_weights(slow),
        }
        self._signal_weights = exponential_weights(signal, skipped=slow - 1)

    def update(self, observations: Observations) -> None:
        """Take one observation for each of some rows."""
        state, rows, values = self._arrays, observations.rows, self._value(observations)
        seen = self._seen(rows)
        for name, weights in self._weights.items():
            weight = weight_of(weights, seen)
            blend(average=state[name], rows=rows, values=values, weight=weight)
        macd = state["fast"][rows] - state["slow"][rows]
        weight = weight_of(self._signal_weights, seen)
        blend(average=state["signal"], rows=rows, values=macd, weight=weight)

    def _values(self, rows: RowIndex, output: str) -> Float64Array:
        if output == "signal":
            return self._copy("signal", rows)
        macd = self._arrays["fast"][rows] - self._arrays["slow"][rows]
        return macd if output == "macd" else macd - self._arrays["signal"][rows]
