"""Parameters as given against the table of what can be given."""

from collections.abc import Mapping, Sequence

from tidegate_common.errors import ConfigError
from tidegate_signals.engine.strategies.strategy import Parameter


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
            known = f"one of {', '.join(names)}" if names else "left out, there are none"
            message = f"{owner}: parameter must be {known}, was {name}"
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
