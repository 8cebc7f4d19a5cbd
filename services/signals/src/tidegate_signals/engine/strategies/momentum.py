"""Cross-sectional momentum: past winners above past losers."""

from collections.abc import Mapping
from typing import ClassVar

from tidegate_common.errors import ConfigError
from tidegate_signals.engine.features.spec import Period
from tidegate_signals.engine.strategies.strategy import Opinions, Parameter, Strategy, View


class Momentum(Strategy):
    """Ranks instruments by their return over `window` observations without the last `skip`.

    raw score = close[-skip] / close[-window] - 1 = (1 + ROC(window)) / (1 + ROC(skip)) - 1, a
    fraction; the best becomes 1, the worst -1. The last month is left out, because within a month
    winners tend to fall back. NaN until the window is full. Not on beats: there the instruments
    that happen to be quoted together are not a market.

    Source: N. Jegadeesh and S. Titman, Returns to Buying Winners and Selling Losers, Journal of
    Finance 48, 1993; the skipped month as in E. Fama and K. French, Multifactor Explanations of
    Asset Pricing Anomalies, Journal of Finance 51, 1996 (there 12 months less 1). The default is
    half a year less a month, so that a year of data has more than half a year of scores.
    """

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        Parameter("window", default=120, minimum=1, maximum=500),
        Parameter("skip", default=20, minimum=0, maximum=250),
    )
    PERIODS: ClassVar[tuple[Period, ...]] = (
        Period.BAR,
        Period.MINUTE_1,
        Period.MINUTE_5,
        Period.MINUTE_15,
        Period.DAY,
    )
    IS_RANKED: ClassVar[bool] = True

    def __init__(self, parameters: Mapping[str, int]) -> None:
        window, skip = parameters["window"], parameters["skip"]
        if skip >= window:
            message = f"momentum: skip must be < window, were skip {skip} and window {window}"
            raise ConfigError(message)
        recent = {"recent": f"ROC({skip})"} if skip else {}
        self.inputs = {"whole": f"ROC({window})", **recent}
        self.reasons = ("momentum", *(f"{name}_return" for name in self.inputs))

    def score(self, view: View) -> Opinions:
        """Return a raw score an instrument; see the class."""
        momentum = view["whole"]
        if "recent" in self.inputs:
            momentum = (1.0 + momentum) / (1.0 + view["recent"]) - 1.0
        returns = {f"{name}_return": view[name] for name in self.inputs}
        return Opinions(momentum, {"momentum": momentum, **returns})
