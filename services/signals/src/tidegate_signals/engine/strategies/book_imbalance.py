"""Short-term pressure: a book heavy on the bid asks to buy, one heavy on the ask to sell."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from tidegate_signals.engine.features.spec import Period
from tidegate_signals.engine.strategies.strategy import Opinions, Parameter, Strategy, View


class BookImbalance(Strategy):
    """Scores the mean imbalance of an instrument's last quotes, full at `full_scale_percent`.

    imbalance = (bid - ask) / (bid + ask) of the level-weighted sizes, -1 to 1, of two-sided books.
    One book says little, because orders are put up and taken away within a second; the mean of
    the last `window` moves slowly enough to be traded at a T+1 market's costs. NaN until the
    window is full, and while the book is one-sided: at a price limit there is nothing to lean on.

    Source: C. Cao, O. Hansch and X. Wang, The Information Content of an Open Limit-Order Book,
    Journal of Futures Markets 29, 2009: levels beyond the first tell of the price too.
    """

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        Parameter("window", default=20, minimum=1, maximum=1_000),
        Parameter("full_scale_percent", default=100, minimum=1, maximum=100),
    )
    PERIODS: ClassVar[tuple[Period, ...]] = (Period.BEAT,)

    def __init__(self, parameters: Mapping[str, int]) -> None:
        self._scale = 100 / parameters["full_scale_percent"]
        self.inputs = {"mean": f"SMA(imbalance,{parameters['window']})", "now": "IMBALANCE"}
        self.reasons = ("mean_imbalance", "imbalance")

    def score(self, view: View) -> Opinions:
        """Return a score an instrument; see the class."""
        mean, now = view["mean"], view["now"]
        score = np.clip(mean * self._scale, -1.0, 1.0)
        return Opinions(
            np.where(np.isnan(now), np.nan, score),
            {"mean_imbalance": mean, "imbalance": now},
        )
