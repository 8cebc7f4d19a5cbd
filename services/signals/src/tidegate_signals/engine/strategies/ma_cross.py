"""Trend following: a fast moving average of closes above a slow one asks to be long."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from tidegate_common.domain.units import Float64Array
from tidegate_common.errors import ConfigError
from tidegate_signals.engine.features.indicator import IndicatorKind, IndicatorSpec, Series
from tidegate_signals.engine.kernels import spread_score
from tidegate_signals.engine.strategies.strategy import Parameter


class MaCross:
    """Scores the distance of two moving averages, full at `full_scale_bps`."""

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        Parameter("fast", default=5, minimum=1, maximum=250),
        Parameter("slow", default=20, minimum=2, maximum=500),
        Parameter("full_scale_bps", default=200, minimum=1, maximum=10_000),
    )

    def __init__(self, parameters: Mapping[str, int]) -> None:
        fast, slow = parameters["fast"], parameters["slow"]
        if fast >= slow:
            message = f"ma_cross: fast must be < slow, were fast {fast} and slow {slow}"
            raise ConfigError(message)
        self._full_scale_bps = parameters["full_scale_bps"]
        self.series = Series.CLOSE
        self.indicators: tuple[IndicatorSpec, ...] = (
            IndicatorSpec(IndicatorKind.SMA, Series.CLOSE, fast),
            IndicatorSpec(IndicatorKind.SMA, Series.CLOSE, slow),
        )

    def score(self, values: Sequence[Float64Array]) -> Float64Array:
        """Return a score an instrument, NaN until the slow average is warm."""
        fast, slow = values
        return spread_score(fast=fast, slow=slow, full_scale_bps=self._full_scale_bps)
