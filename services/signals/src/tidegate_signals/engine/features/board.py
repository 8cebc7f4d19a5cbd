"""All indicators of a run, each computed once however many strategies read it."""

from collections.abc import Iterable
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.units import Float64Array, Int64Array
from tidegate_signals.engine.features.indicator import (
    Indicator,
    IndicatorKind,
    IndicatorSpec,
    Series,
)
from tidegate_signals.engine.features.rsi import Rsi
from tidegate_signals.engine.features.sma import Sma


class FeatureBoard:
    """The indicators that strategies declared, by declaration."""

    def __init__(self, specs: Iterable[IndicatorSpec]) -> None:
        self._indicators: dict[IndicatorSpec, Indicator] = {}
        for spec in specs:
            if spec not in self._indicators:
                self._indicators[spec] = make_indicator(spec)

    def __len__(self) -> int:
        """Return the number of indicators that are computed."""
        return len(self._indicators)

    def grow(self, count: int) -> None:
        """Add cold rows at the end of every indicator."""
        for indicator in self._indicators.values():
            indicator.grow(count)

    def update(self, series: Series, rows: Int64Array, values: Float64Array) -> None:
        """Feed one observation a row to the indicators of a series."""
        for indicator in self._of(series):
            indicator.update(rows, values)

    def scale(self, series: Series, rows: Int64Array, factors: Float64Array) -> None:
        """Scale what the indicators of a series remember."""
        for indicator in self._of(series):
            indicator.scale(rows, factors)

    def reset(self, series: Series) -> None:
        """Make the indicators of a series cold."""
        for indicator in self._of(series):
            indicator.reset()

    def read(self, spec: IndicatorSpec, rows: Int64Array) -> Float64Array:
        """Return an indicator's values of some rows, NaN where cold."""
        return self._indicators[spec].read(rows)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return a copy of all state."""
        return {
            f"{spec.key}/{name}": array.copy()
            for spec, indicator in self._indicators.items()
            for name, array in indicator.arrays().items()
        }

    def load(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        """Take up state that `arrays` returned for the same declarations."""
        for spec, indicator in self._indicators.items():
            names = indicator.arrays()
            indicator.load({name: arrays[f"{spec.key}/{name}"].copy() for name in names})

    def _of(self, series: Series) -> list[Indicator]:
        return [indicator for spec, indicator in self._indicators.items() if spec.series is series]


def make_indicator(spec: IndicatorSpec) -> Indicator:
    """Return an indicator without rows."""
    match spec.kind:
        case IndicatorKind.SMA:
            return Sma(spec.window)
        case IndicatorKind.RSI:
            return Rsi(spec.window)
        case _:
            assert_never(spec.kind)
