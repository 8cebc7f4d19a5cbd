"""Fundamental: cheap and profitable companies above dear and losing ones, once a month."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from tidegate_common.domain.units import BPS, BoolArray, Float64Array
from tidegate_common.errors import ConfigError
from tidegate_signals.engine.features.spec import Period
from tidegate_signals.engine.strategies.strategy import Opinions, Parameter, Strategy, View

# Price ratios by the name of their weight and cap; a ratio's inverse is the yield that it scores.
_RATIOS: Final = {
    "earnings": "PE_TTM",
    "book": "PB_MRQ",
    "sales": "PS_TTM",
    "cash_flow": "PCF_TTM",
}
_OTHER_TERMS: Final = ("quality", "turnover")
_PERCENT: Final = 100


@dataclass(frozen=True, slots=True)
class _Term:
    """A figure's share of the score: `weight` (of 1) once the figure reaches `cap` (a fraction)."""

    weight: float
    cap: float

    def of(self, figure: Float64Array) -> Float64Array:
        return np.clip(figure / self.cap, 0.0, 1.0) * self.weight


class ValueQuality(Strategy):
    """Ranks instruments by value and quality, less a penalty for speculation.

    raw score = value + quality - turnover, each a weighted part of 1:

    - value: yields 1/PE, 1/PB, 1/PS and 1/PCF (price to earnings, book, sales and operating cash
      flow; trailing twelve months, book of the last quarter);
    - quality: return on equity = PB / PE;
    - turnover: shares traded in a day / free float; in China what is traded most is dearest.

    Each figure counts in proportion up to its cap and no further, so that one outlier cannot buy
    the first rank; a weight is divided by the sum of all. When in doubt a share is worse: a yield
    of a ratio that is unknown, zero or negative (a loss) counts 0, and so does a return on equity
    unless both of its ratios are positive; an unknown turnover is penalised in full.
    NaN when fewer than `figures_min` of the four ratios are known (a negative one is known).

    Opinions are given on the first trading day of a month only, by what was known when that day
    began. A share that does not trade on that day has none until the next month.

    Source: value by J. Lakonishok, A. Shleifer and R. Vishny, Contrarian Investment, Extrapolation,
    and Risk, Journal of Finance 49, 1994; earnings as the strongest of them in China, and turnover
    as its sentiment factor, by J. Liu, R. Stambaugh and Y. Yuan, Size and Value in China, Journal
    of Financial Economics 134, 2019; quality by R. Novy-Marx, The Other Side of Value, same journal
    108, 2013. Caps are near the 95 in 100 mark of 227 large shares from 2020 to 2025.
    """

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = (
        Parameter("earnings_weight", default=40, minimum=0, maximum=100),
        Parameter("book_weight", default=20, minimum=0, maximum=100),
        Parameter("sales_weight", default=10, minimum=0, maximum=100),
        Parameter("cash_flow_weight", default=10, minimum=0, maximum=100),
        Parameter("quality_weight", default=20, minimum=0, maximum=100),
        Parameter("turnover_weight", default=10, minimum=0, maximum=100),
        Parameter("earnings_cap_percent", default=20, minimum=1, maximum=100),
        Parameter("book_cap_percent", default=150, minimum=1, maximum=1_000),
        Parameter("sales_cap_percent", default=300, minimum=1, maximum=1_000),
        Parameter("cash_flow_cap_percent", default=20, minimum=1, maximum=100),
        Parameter("quality_cap_percent", default=30, minimum=1, maximum=100),
        Parameter("turnover_cap_bps", default=500, minimum=1, maximum=10_000),
        Parameter("figures_min", default=3, minimum=1, maximum=4),
    )
    PERIODS: ClassVar[tuple[Period, ...]] = (Period.DAY,)
    IS_RANKED: ClassVar[bool] = True

    def __init__(self, parameters: Mapping[str, int]) -> None:
        weights = {name: parameters[f"{name}_weight"] for name in (*_RATIOS, *_OTHER_TERMS)}
        total = sum(weights.values())
        if total == 0:
            message = "value_quality: a weight must be > 0, all were 0"
            raise ConfigError(message)
        caps = {
            name: parameters[f"{name}_cap_percent"] / _PERCENT for name in (*_RATIOS, "quality")
        }
        caps["turnover"] = parameters["turnover_cap_bps"] / BPS
        self._terms = {name: _Term(weights[name] / total, caps[name]) for name in weights}
        self._figures_min = parameters["figures_min"]
        self.inputs = {**_RATIOS, "turnover": "TURNOVER_RATE"}
        self.reasons = ("value", "quality", "turnover", "figures")

    def score(self, view: View) -> Opinions:
        """Return a raw score an instrument; see the class."""
        value = np.zeros_like(view["earnings"])
        figures = np.zeros_like(value)
        for name in _RATIOS:
            ratio = view[name]
            value += self._terms[name].of(_divide(np.ones_like(ratio), ratio, ratio > 0.0))
            figures += ~np.isnan(ratio)
        book, earnings = view["book"], view["earnings"]
        quality = self._terms["quality"].of(
            _divide(book, earnings, (book > 0.0) & (earnings > 0.0)),
        )
        traded = self._terms["turnover"]
        rate = view["turnover"]
        turnover = np.where(np.isnan(rate), traded.weight, traded.of(rate))
        is_opinion = (figures >= self._figures_min) & view.day.is_month_start
        return Opinions(
            np.where(is_opinion, value + quality - turnover, np.nan),
            {"value": value, "quality": quality, "turnover": turnover, "figures": figures},
        )


def _divide(
    numerator: Float64Array,
    denominator: Float64Array,
    is_known: BoolArray,
) -> Float64Array:
    """Return the quotient, 0 where it is not known."""
    return np.where(is_known, numerator / np.where(is_known, denominator, 1.0), 0.0)
