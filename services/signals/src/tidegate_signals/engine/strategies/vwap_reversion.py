"""Intraday mean reversion: a price below the day's VWAP asks to buy, one above to sell."""

from collections.abc import Mapping
from typing import ClassVar

from tidegate_common.domain.units import BPS, PRICE_SCALE
from tidegate_common.errors import ConfigError
from tidegate_signals.engine.features.spec import Period
from tidegate_signals.engine.strategies.kernels import threshold_score
from tidegate_signals.engine.strategies.strategy import Opinions, Parameter, Strategy, View


class VwapReversion(Strategy):
    """Scores the distance of the price from what the day's buyers paid on average.

    distance = close / VWAP of the day so far - 1. Within `threshold_bps` of the VWAP the score is
    0, at it 0.5, from `full_scale_bps` on 1; positive below the VWAP. NaN until something traded
    today.

    Source: the VWAP as a fair price is from S. Berkowitz, D. Logue and E. Noser, The Total Cost of
    Transactions on the NYSE, Journal of Finance 43, 1988.
    """

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        Parameter("threshold_bps", default=100, minimum=1, maximum=2_000),
        Parameter("full_scale_bps", default=300, minimum=2, maximum=5_000),
    )
    # A minute first: within seconds the price jumps between bid and ask.
    PERIODS: ClassVar[tuple[Period, ...]] = (Period.MINUTE_1, Period.MINUTE_5, Period.BEAT)

    def __init__(self, parameters: Mapping[str, int]) -> None:
        threshold, full = parameters["threshold_bps"], parameters["full_scale_bps"]
        if threshold >= full:
            message = (
                "vwap_reversion: threshold_bps must be < full_scale_bps, "
                f"were {threshold} and {full}"
            )
            raise ConfigError(message)
        self._threshold_bps = threshold
        self._full_scale_bps = full
        self.inputs = {"close": "CLOSE", "vwap": "VWAP"}
        self.reasons = ("close_cny", "vwap_cny", "distance_bps")

    def score(self, view: View) -> Opinions:
        """Return a score an instrument; see the class."""
        distance_bps = (view["close"] / view["vwap"] - 1.0) * BPS
        score = threshold_score(
            -distance_bps,
            threshold=self._threshold_bps,
            full_scale=self._full_scale_bps,
        )
        return Opinions(
            score,
            {
                "close_cny": view["close"] / PRICE_SCALE,
                "vwap_cny": view["vwap"] / PRICE_SCALE,
                "distance_bps": distance_bps,
            },
        )
