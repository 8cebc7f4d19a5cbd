"""Answers of strategies in the engine: what a run survives, and what it refuses."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from tests.unit.signals.test_engine import (
    MIDEA,
    MOUTAI,
    as_dict,
    bar_beat,
    make_spec,
)

from tidegate_common.errors import ConfigError
from tidegate_common.events.run import StrategySpec
from tidegate_signals.engine import SignalsEngine
from tidegate_signals.engine.strategies.strategy import Opinions, Strategy, View


def engine_of(answer: Callable[[View], Any], reasons: tuple[str, ...] = ()) -> SignalsEngine:
    """Return an engine with one strategy, which answers so."""

    class Answering(Strategy):
        def __init__(self, parameters: Mapping[str, int]) -> None:
            self.inputs = {"close": "CLOSE"}
            self.reasons = reasons

        def score(self, view: View) -> Opinions:
            opinions: Opinions = answer(view)
            return opinions

    return SignalsEngine(make_spec(StrategySpec("first", "own")), {"own": Answering})


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda view: np.full_like(view["close"], np.inf), id="infinite"),
        pytest.param(lambda view: -view["close"] / 0.0, id="divided by zero"),
        pytest.param(lambda view: view["close"] * 1e305, id="overflow"),
        pytest.param(lambda view: (view["close"] - 1e6) ** 0.5, id="root of a negative"),
    ],
)
def test_number_that_is_not_finite_is_no_opinion(answer: Callable[[View], Any]) -> None:
    """A strategy need not guard its divisions, and a warning is no news."""
    engine = engine_of(lambda view: Opinions(answer(view)))

    scores = as_dict(engine.on_beat(bar_beat({MOUTAI: 100_000, MIDEA: 50_000})))

    assert scores == {}


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (lambda _: np.zeros(1), "score must be float64 of shape .2,., was float64 of shape .1,."),
        (lambda _: np.zeros((2, 1)), "score must be .*, was float64 of shape .2, 1."),
        (lambda _: np.zeros(2, np.int64), "score must be .*, was int64"),
        (lambda _: np.zeros(2, np.float32), "score must be .*, was float32"),
    ],
)
def test_score_that_is_no_array_of_floats_is_refused(
    answer: Callable[[View], Any],
    found: str,
) -> None:
    """What a user's code returned is named, with the strategy."""
    engine = engine_of(lambda view: Opinions(answer(view)))

    with pytest.raises(ConfigError, match=f"first: {found}"):
        engine.on_beat(bar_beat({MOUTAI: 100_000, MIDEA: 50_000}))


@pytest.mark.parametrize(
    ("reasons", "found"),
    [
        ({}, "reasons must be .'distance',., were .."),
        ({"gap": np.zeros(1)}, "reasons must be .'distance',., were .'gap',."),
        (
            {"distance": np.zeros(2)},
            "distance must be float64 of shape .1,., was float64 of shape .2,.",
        ),
    ],
)
def test_reasons_other_than_declared_are_refused(
    reasons: Mapping[str, Any],
    found: str,
) -> None:
    """A batch names them once a strategy, so each score must have them in that order."""
    engine = engine_of(lambda _: Opinions(np.zeros(1), reasons), ("distance",))

    with pytest.raises(ConfigError, match=f"first: {found}"):
        engine.on_beat(bar_beat({MOUTAI: 100_000}))
