"""Trend following: a close above the highest high of the past asks to be long."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from tidegate_common.domain.units import BPS, PRICE_SCALE
from tidegate_signals.engine.strategies.kernels import threshold_score
from tidegate_signals.engine.strategies.strategy import Opinions, Parameter, Strategy, View


class DonchianBreakout(Strategy):
    """Scores a close outside the channel of earlier prices: a half just outside, then more.

    upper = highest high of the `entry_window` observations before this one; lower = lowest low of
    the `exit_window` before it. Above the upper edge the score is 0.5 and grows to 1 at
    `full_scale_bps` beyond it; below the lower edge the same, negative; on or within the edges 0:
    what is held is held on. NaN until both windows are full.

    Source: Richard Donchian's four-week rule; 20 and 10 days are System 1 in Curtis Faith, Way of
    the Turtle, 2007. Among 227 large shares from 2020 to 2025, half of the breakouts close within
    146 bps of the edge and nine in ten within 579.
    """

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        Parameter("entry_window", default=20, minimum=2, maximum=250),
        Parameter("exit_window", default=10, minimum=1, maximum=250),
        Parameter("full_scale_bps", default=500, minimum=1, maximum=10_000),
    )

    def __init__(self, parameters: Mapping[str, int]) -> None:
        entry, leave = parameters["entry_window"], parameters["exit_window"]
        self._full_scale_bps = parameters["full_scale_bps"]
        self.inputs = {
            "close": "CLOSE",
            "upper": f"DONCHIAN({entry}).previous_upper",
            "lower": f"DONCHIAN({leave}).previous_lower",
        }
        self.reasons = ("upper_cny", "lower_cny", "beyond_bps")

    def score(self, view: View) -> Opinions:
        """Return a score an instrument; see the class."""
        # To 1/10,000 CNY, as prices are: after an ex-rights day the last bit of a scaled edge would
        # make a breakout of a close that is on it.
        close, upper, lower = view["close"], np.rint(view["upper"]), np.rint(view["lower"])
        above, below = (close / upper - 1.0) * BPS, (close / lower - 1.0) * BPS
        # A NaN edge makes the sum NaN: both are needed for an opinion.
        beyond_bps = np.maximum(above, 0.0) + np.minimum(below, 0.0)
        return Opinions(
            threshold_score(beyond_bps, threshold=0.0, full_scale=self._full_scale_bps),
            {
                "upper_cny": upper / PRICE_SCALE,
                "lower_cny": lower / PRICE_SCALE,
                "beyond_bps": beyond_bps,
            },
        )
