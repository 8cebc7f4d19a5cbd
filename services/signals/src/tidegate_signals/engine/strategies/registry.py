"""Strategies by kind: made from a run's declaration, or refused before the run begins."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from tidegate_common.errors import ConfigError
from tidegate_common.events.run import StrategySpec
from tidegate_common.frames.frame import REASONS_MAX
from tidegate_signals.engine.features.catalogue import check_input
from tidegate_signals.engine.features.spec import (
    BOOK_FIELDS,
    Field,
    InputSpec,
    Period,
    parse_input,
)
from tidegate_signals.engine.strategies.bollinger_reversion import BollingerReversion
from tidegate_signals.engine.strategies.book_imbalance import BookImbalance
from tidegate_signals.engine.strategies.donchian_breakout import DonchianBreakout
from tidegate_signals.engine.strategies.ma_cross import MaCross
from tidegate_signals.engine.strategies.macd import Macd
from tidegate_signals.engine.strategies.momentum import Momentum
from tidegate_signals.engine.strategies.parameters import resolve_parameters
from tidegate_signals.engine.strategies.rsi_reversal import RsiReversal
from tidegate_signals.engine.strategies.strategy import Strategy
from tidegate_signals.engine.strategies.value_quality import ValueQuality
from tidegate_signals.engine.strategies.vwap_reversion import VwapReversion

STRATEGY_KINDS: Final[Mapping[str, type[Strategy]]] = MappingProxyType(
    {
        "bollinger_reversion": BollingerReversion,
        "book_imbalance": BookImbalance,
        "donchian_breakout": DonchianBreakout,
        "ma_cross": MaCross,
        "macd": Macd,
        "momentum": Momentum,
        "rsi_reversal": RsiReversal,
        "value_quality": ValueQuality,
        "vwap_reversion": VwapReversion,
    },
)


def make_strategy(
    spec: StrategySpec,
    kinds: Mapping[str, type[Strategy]] = STRATEGY_KINDS,
) -> Strategy:
    """Return the strategy that a run asks for.

    Parameters
    ----------
    kinds : classes by kind; those that ship, and those that users added.

    Raises
    ------
    ConfigError
        If its kind, period, or a parameter or input is unknown, or a value is out of range.
    """
    kind = kind_of(spec, kinds)
    strategy = kind(resolve_parameters(spec.name, kind.PARAMETERS, spec.parameters))
    inputs_of(spec, strategy)
    _check_reasons(spec.name, strategy.reasons)
    return strategy


def complete_spec(
    spec: StrategySpec,
    kinds: Mapping[str, type[Strategy]] = STRATEGY_KINDS,
) -> StrategySpec:
    """Return a declaration with its period and every parameter written out, known to work.

    Raises
    ------
    ConfigError
        As `make_strategy`.
    """
    make_strategy(spec, kinds)
    kind = kind_of(spec, kinds)
    parameters = resolve_parameters(spec.name, kind.PARAMETERS, spec.parameters)
    return replace(spec, parameters=parameters, period=str(period_of(spec, kind)))


def kind_of(spec: StrategySpec, kinds: Mapping[str, type[Strategy]]) -> type[Strategy]:
    """Return the class of a strategy; raise ConfigError if there is none of its kind."""
    if spec.kind not in kinds:
        message = f"{spec.name}: kind must be one of {', '.join(kinds)}, was {spec.kind}"
        raise ConfigError(message)
    return kinds[spec.kind]


def period_of(spec: StrategySpec, kind: type[Strategy]) -> Period:
    """Return the period of a strategy: as declared, else the usual one of its class.

    Raises
    ------
    ConfigError
        If the class does not work on it.
    """
    if not spec.period:
        return kind.PERIODS[0]
    if spec.period not in kind.PERIODS:
        known = ", ".join(kind.PERIODS)
        message = f"{spec.name}: period must be one of {known}, was {spec.period}"
        raise ConfigError(message)
    return Period(spec.period)


def inputs_of(spec: StrategySpec, strategy: Strategy) -> dict[str, InputSpec]:
    """Return what a strategy reads, by the names that it gave it.

    Raises
    ------
    ConfigError
        If an input is no declaration, or names what there is not.
    """
    period = period_of(spec, type(strategy))
    inputs: dict[str, InputSpec] = {}
    for name, text in strategy.inputs.items():
        try:
            inputs[name] = parse_input(text, period)
            check_input(inputs[name])
            _check_period(inputs[name])
        except ConfigError as error:
            message = f"{spec.name}: input {name} = {text!r}: {error}"
            raise ConfigError(message) from error
    return inputs


def _check_period(declared: InputSpec) -> None:
    indicator = declared.indicator
    field = Field.__members__.get(indicator.name, indicator.field)
    if field in BOOK_FIELDS and indicator.period is not Period.BEAT:
        message = f"{field.name} is known in period {Period.BEAT} only, not {indicator.period}"
        raise ConfigError(message)


def _check_reasons(owner: str, reasons: tuple[str, ...]) -> None:
    if len(reasons) > REASONS_MAX or len(set(reasons)) != len(reasons):
        message = f"{owner}: reasons must be at most {REASONS_MAX} different names, were {reasons}"
        raise ConfigError(message)
