"""Trend following: a fast moving average of closes above a slow one asks to be long."""

from collections.abc import Mapping
from typing import ClassVar

from tidegate_common.domain.units import BPS, PRICE_SCALE
from tidegate_common.errors import ConfigError
from tidegate_signals.engine.strategies.kernels import spread_score
from tidegate_signals.engine.strategies.strategy import Opinions, Parameter, Strategy, View


class MaCross(Strategy):
    """Scores the distance of two moving averages, full at `full_scale_bps`.

    score = (fast / slow - 1) / full scale, clipped to -1..1; NaN until the slow average is warm.

    Source: W. Brock, J. Lakonishok and B. LeBaron, Simple Technical Trading Rules and the
    Stochastic Properties of Stock Returns, Journal of Finance 47, 1992.
    """

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
        self.inputs = {"fast": f"SMA({fast})", "slow": f"SMA({slow})"}
        self.reasons = ("fast_cny", "slow_cny", "distance_bps")

    def score(self, view: View) -> Opinions:
        """Return a score an instrument; see the class."""
        fast, slow = view["fast"], view["slow"]
        return Opinions(
            spread_score(fast=fast, slow=slow, full_scale_bps=self._full_scale_bps),
            {
                "fast_cny": fast / PRICE_SCALE,
                "slow_cny": slow / PRICE_SCALE,
                "distance_bps": (fast / slow - 1.0) * BPS,
            },
        )
