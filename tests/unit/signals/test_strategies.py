"""Strategies by kind: what ships works, and what is wrong is refused in one line."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pytest
from tests.unit.signals.strategy_cases import SHORT_PARAMETERS, SHORT_STRATEGIES

from tidegate_common.errors import ConfigError
from tidegate_common.events.run import StrategySpec
from tidegate_signals.engine.features.spec import Period
from tidegate_signals.engine.strategies.registry import (
    STRATEGY_KINDS,
    complete_spec,
    inputs_of,
    make_strategy,
    period_of,
)
from tidegate_signals.engine.strategies.strategy import Day, Opinions, Parameter, Strategy, View

EVERY_PARAMETER = [
    (kind, parameter)
    for kind, strategy in STRATEGY_KINDS.items()
    for parameter in strategy.PARAMETERS
]
# The other end of a pair that must agree, where the defaults would stand in the way.
FITTING = {
    ("bollinger_reversion", "band_tenths", 50): {"full_scale_tenths": 100},
    ("bollinger_reversion", "full_scale_tenths", 2): {"band_tenths": 1},
    ("ma_cross", "fast", 250): {"slow": 251},
    ("ma_cross", "slow", 2): {"fast": 1},
    ("macd", "fast", 250): {"slow": 251},
    ("macd", "slow", 3): {"fast": 2},
    ("momentum", "window", 1): {"skip": 0},
    ("momentum", "skip", 250): {"window": 251},
    ("vwap_reversion", "threshold_bps", 2_000): {"full_scale_bps": 2_001},
    ("vwap_reversion", "full_scale_bps", 2): {"threshold_bps": 1},
}


class Told(Strategy):
    """Reads and answers what a test tells it to."""

    PERIODS: ClassVar[tuple[Period, ...]] = (Period.BAR, Period.BEAT)

    def __init__(self, parameters: Mapping[str, int]) -> None:
        self.inputs = {"value": "CLOSE"}

    def score(self, view: View) -> Opinions:
        return Opinions(view["value"])


def told(text: str, reasons: tuple[str, ...] = ()) -> type[Strategy]:
    """Return a strategy class that reads an input and names reasons."""

    class Chosen(Told):
        def __init__(self, parameters: Mapping[str, int]) -> None:
            self.inputs = {"value": text}
            self.reasons = reasons

    return Chosen


def test_short_strategies_are_those_that_ship() -> None:
    """A strategy that joins is covered by the tests over all of them."""
    assert list(SHORT_PARAMETERS) == list(STRATEGY_KINDS) == sorted(STRATEGY_KINDS)


@pytest.mark.parametrize("spec", SHORT_STRATEGIES, ids=lambda spec: spec.kind)
def test_strategy_of_unknown_values_has_no_opinion(spec: StrategySpec) -> None:
    """Cold indicators are no reason to trade, and raise no warning."""
    strategy = make_strategy(spec)
    unknown = {name: np.full(3, np.nan) for name in strategy.inputs}

    opinions = strategy.score(View(Day(20230201, is_month_start=True), unknown))

    assert np.isnan(opinions.score).all()
    assert tuple(opinions.reasons) == strategy.reasons
    assert {len(column) for column in opinions.reasons.values()} == {3}


@pytest.mark.parametrize("scale", [1.0, 100_000.0])
@pytest.mark.parametrize("spec", SHORT_STRATEGIES, ids=lambda spec: spec.kind)
def test_strategy_is_elementwise(spec: StrategySpec, scale: float) -> None:
    """Any split of the market over shards must give the same scores, to the last bit."""
    strategy = make_strategy(spec)
    generator = np.random.default_rng(7)
    values = {name: scale * generator.uniform(0.5, 1.5, 50) for name in strategy.inputs}
    day = Day(20230201, is_month_start=True)

    whole = strategy.score(View(day, values)).score
    parts = [
        strategy.score(View(day, {name: column[row : row + 1] for name, column in values.items()}))
        for row in range(50)
    ]

    np.testing.assert_array_equal(whole, np.concatenate([part.score for part in parts]))


@pytest.mark.parametrize("kind", STRATEGY_KINDS)
def test_complete_spec_writes_period_and_every_parameter_out(kind: str) -> None:
    """A run names its settings whole, so a later default does not change an old run."""
    completed = complete_spec(StrategySpec("mine", kind, source_sha256="ab"))

    strategy = STRATEGY_KINDS[kind]
    assert completed.parameters == {each.name: each.default for each in strategy.PARAMETERS}
    assert completed.period == strategy.PERIODS[0]
    assert (completed.name, completed.kind, completed.source_sha256) == ("mine", kind, "ab")


def test_complete_spec_again_changes_nothing() -> None:
    """Ingest, signals and verify all read the same completed declaration."""
    once = complete_spec(StrategySpec("mine", "ma_cross", {"fast": 3}, "1d"))

    assert complete_spec(once) == once
    assert once.period == "1d"


@pytest.mark.parametrize(
    ("kind", "parameter"),
    EVERY_PARAMETER,
    ids=lambda each: each if isinstance(each, str) else each.name,
)
def test_parameter_takes_its_ends_and_nothing_beyond(kind: str, parameter: Parameter) -> None:
    """The documented range is the one that holds."""
    for value in (parameter.minimum, parameter.maximum):
        fitting = FITTING.get((kind, parameter.name, value), {})
        make_strategy(StrategySpec("mine", kind, {**fitting, parameter.name: value}))
    for value in (parameter.minimum - 1, parameter.maximum + 1):
        with pytest.raises(ConfigError, match=f"mine: {parameter.name} must be .* was {value}"):
            make_strategy(StrategySpec("mine", kind, {parameter.name: value}))


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        ("cross", {}, "mine: kind must be one of bollinger_reversion, .*, was cross"),
        ("ma_cross", {"speed": 1}, "mine: parameter must be one of fast, slow, .*, was speed"),
        ("ma_cross", {"fast": 20, "slow": 20}, "fast must be < slow, were fast 20 and slow 20"),
        ("macd", {"fast": 9, "slow": 8}, "macd: fast must be < slow, were fast 9 and slow 8"),
        ("momentum", {"window": 5, "skip": 5}, "skip must be < window, were skip 5 and window 5"),
        ("bollinger_reversion", {"band_tenths": 30}, "must be < full_scale_tenths, were 30 and 30"),
        ("vwap_reversion", {"threshold_bps": 300}, "must be < full_scale_bps, were 300 and 300"),
        ("rsi_reversal", {"window": True}, "mine: window must be a whole number, was True"),
        ("rsi_reversal", {"window": 2.5}, "mine: window must be a whole number, was 2.5"),
        (
            "value_quality",
            dict.fromkeys(
                [f"{name}_weight" for name in ("earnings", "book", "sales", "cash_flow")]
                + ["quality_weight", "turnover_weight"],
                0,
            ),
            "value_quality: a weight must be > 0, all were 0",
        ),
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


def test_strategy_without_parameters_is_given_none() -> None:
    """A list of no names would be an empty sentence."""
    with pytest.raises(ConfigError, match="mine: parameter must be left out, there are none, was"):
        make_strategy(StrategySpec("mine", "told", {"speed": 1}), {"told": Told})


def test_period_is_the_declared_one_or_the_usual() -> None:
    """A class says on which periods it makes sense, the first of them first."""
    assert period_of(StrategySpec("mine", "told"), Told) is Period.BAR
    assert period_of(StrategySpec("mine", "told", period="beat"), Told) is Period.BEAT
    with pytest.raises(ConfigError, match="mine: period must be one of bar, beat, was 1d"):
        period_of(StrategySpec("mine", "told", period="1d"), Told)
    with pytest.raises(ConfigError, match="mine: period must be one of bar, beat, was daily"):
        make_strategy(StrategySpec("mine", "told", period="daily"), {"told": Told})


def test_inputs_are_declared_in_the_period_of_the_strategy() -> None:
    """The same text on another period is another indicator."""
    spec = StrategySpec("mine", "ma_cross", period="5m")

    inputs = inputs_of(spec, make_strategy(spec))

    assert {name: each.indicator.key for name, each in inputs.items()} == {
        "fast": "SMA(close,5)@5m",
        "slow": "SMA(close,20)@5m",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sma 20", "mine: input value = 'sma 20': an input must look like"),
        ("NOTHING(3)", r"mine: input value = 'NOTHING\(3\)': "),
        ("SMA(20,30)", r"mine: input value = 'SMA\(20,30\)': "),
        ("SMA(20).upper", r"mine: input value = 'SMA\(20\).upper': "),
        ("SMA(colour,20)", "a field must be one of open, .*, was 'colour'"),
        ("CLOSE(20)", "CLOSE is a field: it takes nothing and has no output"),
        ("CLOSE(high)", "CLOSE is a field: it takes nothing and has no output"),
        ("CLOSE.upper", "CLOSE is a field: it takes nothing and has no output"),
        ("MICROPRICE", "MICROPRICE is known in period beat only, not bar"),
        ("SMA(imbalance,20)", "IMBALANCE is known in period beat only, not bar"),
    ],
)
def test_wrong_input_is_refused_before_the_run(text: str, message: str) -> None:
    """A misspelt indicator would otherwise be found out in the middle of a day."""
    with pytest.raises(ConfigError, match=message):
        make_strategy(StrategySpec("mine", "told"), {"told": told(text)})


@pytest.mark.parametrize(
    ("text", "period"),
    [("MICROPRICE", "beat"), ("SMA(imbalance,20)", "beat"), ("PE_TTM", ""), ("CLOSE", "")],
)
def test_field_is_an_input_where_it_is_known(text: str, period: str) -> None:
    """The book is known at beats, a company's figures always."""
    spec = StrategySpec("mine", "told", period=period)

    assert make_strategy(spec, {"told": told(text)}).inputs == {"value": text}


@pytest.mark.parametrize("reasons", [("a", "b", "c", "d", "e"), ("a", "a")])
def test_reasons_that_a_score_has_no_room_for_are_refused(reasons: tuple[str, ...]) -> None:
    """A score batch carries four reasons by name."""
    with pytest.raises(ConfigError, match="mine: reasons must be at most 4 different names, were"):
        make_strategy(StrategySpec("mine", "told"), {"told": told("CLOSE", reasons)})
