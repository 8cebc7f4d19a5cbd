"""Mean reversion: an oversold index of closes asks to buy, an overbought one to sell."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from tidegate_common.domain.units import Float64Array
from tidegate_signals.engine.features.indicator import IndicatorKind, IndicatorSpec, Series
from tidegate_signals.engine.kernels import reversal_score
from tidegate_signals.engine.strategies.strategy import Parameter


class RsiReversal:
    """Scores 0 between the thresholds, a half at them, whole at the ends of the scale."""

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        Parameter("window", default=14, minimum=2, maximum=250),
        Parameter("oversold", default=30, minimum=1, maximum=49),
        Parameter("overbought", default=70, minimum=51, maximum=99),
    )

    def __init__(self, parameters: Mapping[str, int]) -> None:
        self._oversold = parameters["oversold"]
        self._overbought = parameters["overbought"]
        self.series = Series.CLOSE
        self.indicators: tuple[IndicatorSpec, ...] = (
            IndicatorSpec(IndicatorKind.RSI, Series.CLOSE, parameters["window"]),
        )

    def score(self, values: Sequence[Float64Array]) -> Float64Array:
        """Return a score an instrument, NaN until the index is warm."""
        (index,) = values
        return reversal_score(index=index, oversold=self._oversold, overbought=self._overbought)
