"""The indicators that there are, by name, and the checks of their declarations."""

from typing import Protocol

from tidegate_common.errors import ConfigError
from tidegate_signals.engine.features.averages import Ema, Macd, Sma, Wma
from tidegate_signals.engine.features.bands import Bollinger, StandardDeviation
from tidegate_signals.engine.features.indicator import Indicator
from tidegate_signals.engine.features.oscillators import Momentum, Roc, Rsi
from tidegate_signals.engine.features.ranges import Atr, Donchian, Highest, Lowest
from tidegate_signals.engine.features.row_state import Argument
from tidegate_signals.engine.features.spec import Field, IndicatorSpec, InputSpec
from tidegate_signals.engine.features.tally import Tally
from tidegate_signals.engine.features.volume import DayVwap, OnBalanceVolume, RollingVwap, Turnover


class Kind(Protocol):
    """A class of indicators."""

    ARGUMENTS: tuple[Argument, ...]
    TAKES_FIELD: bool

    def __call__(self, spec: IndicatorSpec, tally: Tally) -> Indicator:
        """Return one without rows."""


# By name, those that differ in how many numbers they take.
CATALOGUE: dict[str, tuple[Kind, ...]] = {
    "ATR": (Atr,),
    "BOLLINGER": (Bollinger,),
    "DONCHIAN": (Donchian,),
    "EMA": (Ema,),
    "MACD": (Macd,),
    "MAX": (Highest,),
    "MIN": (Lowest,),
    "MOMENTUM": (Momentum,),
    "OBV": (OnBalanceVolume,),
    "ROC": (Roc,),
    "RSI": (Rsi,),
    "SMA": (Sma,),
    "STDDEV": (StandardDeviation,),
    "TURNOVER": (Turnover,),
    "VWAP": (DayVwap, RollingVwap),
    "WMA": (Wma,),
}


def check_input(input_spec: InputSpec) -> None:
    """Raise ConfigError if there is no such input: its indicator, a parameter or the output."""
    spec = input_spec.indicator
    if spec.name in Field.__members__:
        _require_plain_field(input_spec)
        return
    outputs = make_indicator(spec, Tally()).OUTPUTS
    if input_spec.output not in outputs:
        has = "no output" if outputs == ("",) else f"the outputs {', '.join(outputs)}"
        asked = f"{input_spec.output!r}" if input_spec.output else "none"
        message = f"{spec.name} has {has}, asked for was {asked}"
        raise ConfigError(message)


def make_indicator(spec: IndicatorSpec, tally: Tally) -> Indicator:
    """Return an indicator without rows.

    Parameters
    ----------
    tally : counts what it is fed with; its owner adds each observation after the update.

    Raises
    ------
    ConfigError
        If there is no such indicator, or its field or its parameters are wrong.
    """
    if spec.name not in CATALOGUE:
        known = ", ".join(CATALOGUE)
        message = f"an indicator must be one of {known}, or a field in capitals, was {spec.name}"
        raise ConfigError(message)
    kinds = CATALOGUE[spec.name]
    for kind in kinds:
        if len(kind.ARGUMENTS) == len(spec.parameters):
            _check(spec, kind)
            return kind(spec, tally)
    forms = " or ".join(_form(spec.name, kind.ARGUMENTS) for kind in kinds)
    message = f"{spec.name} must look like {forms}, had {len(spec.parameters)} numbers"
    raise ConfigError(message)


def _check(spec: IndicatorSpec, kind: Kind) -> None:
    if not kind.TAKES_FIELD and spec.field is not Field.CLOSE:
        message = f"{spec.name} takes no field, was given {spec.field}"
        raise ConfigError(message)
    for argument, number in zip(kind.ARGUMENTS, spec.parameters, strict=True):
        if not argument.minimum <= number <= argument.maximum:
            message = (
                f"{spec.name}: {argument.name} must be {argument.minimum} to {argument.maximum}, "
                f"was {number}"
            )
            raise ConfigError(message)


def _require_plain_field(input_spec: InputSpec) -> None:
    spec = input_spec.indicator
    if spec.parameters or spec.field is not Field.CLOSE or input_spec.output:
        message = f"{spec.name} is a field: it takes nothing and has no output"
        raise ConfigError(message)


def _form(name: str, arguments: tuple[Argument, ...]) -> str:
    return f"{name}({','.join(argument.name for argument in arguments)})" if arguments else name
