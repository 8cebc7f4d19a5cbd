"""Strategies and their parameters."""

import numpy as np
import pytest

from tidegate_common.errors import ConfigError
from tidegate_common.events.run import StrategySpec
from tidegate_signals.engine.kernels import book_imbalance, reversal_score, to_millionths
from tidegate_signals.engine.strategies.registry import (
    STRATEGY_KINDS,
    complete_spec,
    make_strategy,
)


@pytest.mark.parametrize("kind", STRATEGY_KINDS)
def test_every_kind_works_with_its_defaults(kind: str) -> None:
    """A default outside its own range would surprise only the user."""
    strategy = make_strategy(StrategySpec("mine", kind))

    values = [np.array([np.nan, 50.0]) for _ in strategy.indicators]
    scores = strategy.score(values)

    assert np.isnan(scores[0])
    assert -1.0 <= scores[1] <= 1.0


@pytest.mark.parametrize("kind", STRATEGY_KINDS)
def test_complete_spec_writes_every_parameter_out(kind: str) -> None:
    """A run names its settings whole, so a later default does not change an old run."""
    completed = complete_spec(StrategySpec("mine", kind))

    names = [parameter.name for parameter in STRATEGY_KINDS[kind].PARAMETERS]
    assert list(completed.parameters) == names


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        ("macd", {}, "mine: kind must be one of book_imbalance, ma_cross, rsi_reversal, was macd"),
        ("ma_cross", {"speed": 1}, "mine: parameter must be one of fast, slow, .*, was speed"),
        ("ma_cross", {"fast": 0}, "mine: fast must be 1 to 250, was 0"),
        ("ma_cross", {"slow": 501}, "mine: slow must be 2 to 500, was 501"),
        ("ma_cross", {"fast": 20, "slow": 20}, "fast must be < slow, were fast 20 and slow 20"),
        ("rsi_reversal", {"window": True}, "mine: window must be a whole number, was True"),
        ("rsi_reversal", {"window": 2.5}, "mine: window must be a whole number, was 2.5"),
    ],
)
def test_wrong_strategy_is_refused_with_what_was_expected(
    kind: str,
    parameters: dict[str, int],
    message: str,
) -> None:
    """The message alone must be enough to mend the file."""
    with pytest.raises(ConfigError, match=message):
        make_strategy(StrategySpec("mine", kind, parameters))


def test_reversal_score_is_a_half_at_the_threshold_and_whole_at_the_end() -> None:
    """Risk enters at less than a half, so a threshold crossed is a trade asked for."""
    index = np.array([0.0, 30.0, 31.0, 69.0, 70.0, 100.0, np.nan])

    scores = reversal_score(index=index, oversold=30, overbought=70)

    np.testing.assert_allclose(scores, [1.0, 0.5, 0.0, 0.0, -0.5, -1.0, np.nan])


def test_book_imbalance_near_levels_weigh_more() -> None:
    """A share on the best level counts five times one on the fifth."""
    bid = np.array([[100, 0, 0, 0, 0], [100, 0, 0, 0, 0]])
    ask = np.array([[100, 0, 0, 0, 0], [100, 0, 0, 0, 500]])

    imbalance = book_imbalance(bid_shares=bid, ask_shares=ask)

    np.testing.assert_allclose(imbalance, [0.0, -1 / 3])


def test_to_millionths_rounds_and_clips() -> None:
    """A score is a whole number of millionths between -1 and 1."""
    scores = np.array([0.1234564, 0.1234566, 3.0, -3.0])

    assert to_millionths(scores).tolist() == [123_456, 123_457, 1_000_000, -1_000_000]
