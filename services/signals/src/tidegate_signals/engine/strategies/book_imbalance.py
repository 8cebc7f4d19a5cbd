"""Short-term pressure: a book heavy on the bid asks to buy, one heavy on the ask to sell."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from tidegate_common.domain.units import Float64Array
from tidegate_signals.engine.features.indicator import IndicatorKind, IndicatorSpec, Series
from tidegate_signals.engine.strategies.strategy import Parameter


class BookImbalance:
    """Scores the mean imbalance of an instrument's last quotes, full at `full_scale_percent`.

    One book says little, because orders are put up and taken away within a second; the mean of
    the last `window` moves slowly enough to be traded at a T+1 market's costs.
    """

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        Parameter("window", default=20, minimum=1, maximum=1_000),
        Parameter("full_scale_percent", default=100, minimum=1, maximum=100),
    )

    def __init__(self, parameters: Mapping[str, int]) -> None:
        self._scale = 100 / parameters["full_scale_percent"]
        self.series = Series.IMBALANCE
        self.indicators: tuple[IndicatorSpec, ...] = (
            IndicatorSpec(IndicatorKind.SMA, Series.IMBALANCE, parameters["window"]),
        )

    def score(self, values: Sequence[Float64Array]) -> Float64Array:
        """Return a score an instrument, NaN until the window is full."""
        (imbalance,) = values
        return np.clip(imbalance * self._scale, -1.0, 1.0)
