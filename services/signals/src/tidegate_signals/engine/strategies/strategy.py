"""What a strategy is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from tidegate_common.domain.units import Float64Array
from tidegate_common.errors import ConfigError
from tidegate_signals.engine.features.indicator import IndicatorSpec, Series


@dataclass(frozen=True, slots=True)
class Parameter:
    """A whole number that a strategy can be given, with its allowed range, ends included."""

    name: str
    default: int
    minimum: int
    maximum: int


class Strategy(Protocol):
    """A pure function of the indicators that it declares.

    PARAMETERS : what it can be given.
    series : it is asked in the beats that feed this series, about the instruments that had an
        observation there.
    indicators : what it reads, of that series.
    """

    PARAMETERS: ClassVar[tuple[Parameter, ...]]
    series: Series
    indicators: tuple[IndicatorSpec, ...]

    def __init__(self, parameters: Mapping[str, int]) -> None:
        """Take all of `PARAMETERS`, each in its range; raise ConfigError if they do not agree."""

    def score(self, values: Sequence[Float64Array]) -> Float64Array:
        """Return a score an instrument, -1 (sell) to 1 (buy), NaN for no opinion.

        Parameters
        ----------
        values : of each declared indicator, (n,), NaN where cold.
        """


def resolve_parameters(
    owner: str,
    table: Sequence[Parameter],
    given: Mapping[str, int],
) -> dict[str, int]:
    """Return a value for every parameter of a table: as given, else the default.

    Parameters
    ----------
    owner : whose parameters, for error messages.

    Raises
    ------
    ConfigError
        If one is unknown, not a whole number or out of range.
    """
    names = [parameter.name for parameter in table]
    for name in given:
        if name not in names:
            message = f"{owner}: parameter must be one of {', '.join(names)}, was {name}"
            raise ConfigError(message)
    return {parameter.name: _resolve(owner, parameter, given) for parameter in table}


def _resolve(owner: str, parameter: Parameter, given: Mapping[str, object]) -> int:
    value = given.get(parameter.name, parameter.default)
    # YAML's `true` would pass for 1.
    if not isinstance(value, int) or isinstance(value, bool):
        message = f"{owner}: {parameter.name} must be a whole number, was {value!r}"
        raise ConfigError(message)
    if not parameter.minimum <= value <= parameter.maximum:
        message = (
            f"{owner}: {parameter.name} must be {parameter.minimum} to {parameter.maximum}, "
            f"was {value}"
        )
        raise ConfigError(message)
    return value
