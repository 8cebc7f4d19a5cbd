"""Strategies for tests: each that ships, with short windows, and one asked by hand."""

from collections.abc import Mapping, Sequence

import numpy as np

from tidegate_common.events.run import StrategySpec
from tidegate_signals.engine.strategies.registry import make_strategy
from tidegate_signals.engine.strategies.strategy import Day, Opinions, View

# Windows so short that a few observations warm every one of them.
SHORT_PARAMETERS: Mapping[str, Mapping[str, int]] = {
    "bollinger_reversion": {"window": 3, "band_tenths": 5, "full_scale_tenths": 15},
    "book_imbalance": {"window": 2},
    "donchian_breakout": {"entry_window": 3, "exit_window": 2},
    "ma_cross": {"fast": 1, "slow": 3},
    "macd": {"fast": 2, "slow": 3, "signal": 2},
    "momentum": {"window": 3, "skip": 1},
    "rsi_reversal": {"window": 2},
    "value_quality": {},
    "vwap_reversion": {"threshold_bps": 10, "full_scale_bps": 100},
}
SHORT_STRATEGIES = tuple(
    StrategySpec(kind, kind, dict(parameters)) for kind, parameters in SHORT_PARAMETERS.items()
)


def ask(
    kind: str,
    values: Mapping[str, Sequence[float]],
    parameters: Mapping[str, int] | None = None,
    *,
    is_month_start: bool = True,
) -> Opinions:
    """Return what a strategy says of some values of its inputs."""
    strategy = make_strategy(StrategySpec(kind, kind, dict(parameters or {})))
    columns = {name: np.array(column, np.float64) for name, column in values.items()}
    return strategy.score(View(Day(20230201, is_month_start=is_month_start), columns))
