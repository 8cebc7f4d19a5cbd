"""Trend following: a rising gap between two exponential averages asks to be long."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from tidegate_common.domain.units import BPS, PRICE_SCALE
from tidegate_common.errors import ConfigError
from tidegate_signals.engine.strategies.strategy import Opinions, Parameter, Strategy, View


class Macd(Strategy):
    """Scores the MACD histogram as a part of the price, full at `full_scale_bps`.

    line = EMA(fast) - EMA(slow); histogram = line - EMA(signal) of the line;
    score = histogram / close / full scale, clipped to -1..1; NaN until the signal line is warm.
    To divide by the price makes shares of 5 and of 1,500 CNY comparable.

    Source: Gerald Appel, Technical Analysis: Power Tools for Active Investors, 2005. Among 227
    large shares from 2020 to 2025 a quarter of the days lie beyond 87 bps, 1 in 100 beyond 278.
    """

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        Parameter("fast", default=12, minimum=2, maximum=250),
        Parameter("slow", default=26, minimum=3, maximum=500),
        Parameter("signal", default=9, minimum=1, maximum=250),
        Parameter("full_scale_bps", default=200, minimum=1, maximum=10_000),
    )

    def __init__(self, parameters: Mapping[str, int]) -> None:
        fast, slow = parameters["fast"], parameters["slow"]
        if fast >= slow:
            message = f"macd: fast must be < slow, were fast {fast} and slow {slow}"
            raise ConfigError(message)
        macd = f"MACD({fast},{slow},{parameters['signal']})"
        self._full_scale_bps = parameters["full_scale_bps"]
        self.inputs = {
            "close": "CLOSE",
            "line": f"{macd}.macd",
            "signal": f"{macd}.signal",
            "histogram": f"{macd}.histogram",
        }
        self.reasons = ("line_cny", "signal_cny", "histogram_bps")

    def score(self, view: View) -> Opinions:
        """Return a score an instrument; see the class."""
        histogram_bps = view["histogram"] / view["close"] * BPS
        return Opinions(
            np.clip(histogram_bps / self._full_scale_bps, -1.0, 1.0),
            {
                "line_cny": view["line"] / PRICE_SCALE,
                "signal_cny": view["signal"] / PRICE_SCALE,
                "histogram_bps": histogram_bps,
            },
        )
