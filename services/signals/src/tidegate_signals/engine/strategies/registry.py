"""Strategies by kind."""

from tidegate_common.errors import ConfigError
from tidegate_common.events.run import StrategySpec
from tidegate_signals.engine.strategies.book_imbalance import BookImbalance
from tidegate_signals.engine.strategies.ma_cross import MaCross
from tidegate_signals.engine.strategies.rsi_reversal import RsiReversal
from tidegate_signals.engine.strategies.strategy import Strategy, resolve_parameters

STRATEGY_KINDS: dict[str, type[Strategy]] = {
    "book_imbalance": BookImbalance,
    "ma_cross": MaCross,
    "rsi_reversal": RsiReversal,
}


def make_strategy(spec: StrategySpec) -> Strategy:
    """Return the strategy that a run asks for.

    Raises
    ------
    ConfigError
        If its kind or a parameter is unknown, or a value is out of range.
    """
    kind = _kind_of(spec)
    return kind(resolve_parameters(spec.name, kind.PARAMETERS, spec.parameters))


def complete_spec(spec: StrategySpec) -> StrategySpec:
    """Return a strategy's declaration with every parameter written out, once it is known to work.

    Raises
    ------
    ConfigError
        As `make_strategy`.
    """
    make_strategy(spec)
    parameters = resolve_parameters(spec.name, _kind_of(spec).PARAMETERS, spec.parameters)
    return StrategySpec(spec.name, spec.kind, parameters)


def _kind_of(spec: StrategySpec) -> type[Strategy]:
    if spec.kind not in STRATEGY_KINDS:
        message = f"{spec.name}: kind must be one of {', '.join(STRATEGY_KINDS)}, was {spec.kind}"
        raise ConfigError(message)
    return STRATEGY_KINDS[spec.kind]
