"""Users' strategies at work: whatever is wrong with one is said in one line, on any beat.

A guarded class does what the user's does, but what its code raises becomes a `ConfigError` that
names the place in the file, what it declares and answers has the right types, what it is shown is
not its to change, and it keeps no state from one beat to the next.
"""

import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from functools import cache
from types import new_class
from typing import Final, NewType

import numpy as np

from tidegate_common.domain.units import Float64Array
from tidegate_common.errors import ConfigError
from tidegate_signals.engine.features.spec import Period
from tidegate_signals.engine.strategies.strategy import Opinions, Parameter, Strategy, View

_SHOWN_MAX: Final = 80
_TEXT_MAX: Final = 300

StrategyClass = type[Strategy]
UserFile = NewType("UserFile", str)


@contextmanager
def reporting(what: str, file: UserFile | None) -> Iterator[None]:
    """Turn whatever a user's code raises into one line, and keep what it prints from our output.

    Parameters
    ----------
    file : the user's; the last line of it on the way to the error is named.

    Raises
    ------
    ConfigError
        In place of what was raised; a ConfigError passes as it is.
    """
    try:
        # Standard output may be JSON for a program.
        with redirect_stdout(sys.stderr):
            yield
    except ConfigError:
        raise
    # A user's code may raise anything; a script that was taken for a strategy ends in SystemExit.
    except (Exception, SystemExit) as error:
        line = _line_in(file, error)
        place = "" if line is None else f"line {line}: "
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        text = f"{type(error).__name__}: {' '.join(said.split())[:_TEXT_MAX]}".removesuffix(": ")
        message = f"{what}: {place}{text}"
        raise ConfigError(message) from error


def check_class(kind: str, found: object) -> StrategyClass:
    """Return what was found if it is a strategy class that can be made.

    Raises
    ------
    ConfigError
        If it is something else, or what it declares has not the types of `Strategy`.
    """
    if not isinstance(found, type) or not issubclass(found, Strategy):
        message = (
            f"{kind} must be a subclass of {Strategy.__module__}.Strategy, was {_shown(found)}"
        )
        raise ConfigError(message)
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        message = f"{kind} must define {', '.join(missing)}"
        raise ConfigError(message)
    parameters: object = found.PARAMETERS
    if not _is_tuple_of(Parameter, parameters):
        message = f"{kind}: PARAMETERS must be a tuple of Parameter, was {_shown(parameters)}"
        raise ConfigError(message)
    periods: object = found.PERIODS
    if not periods or not _is_tuple_of(Period, periods):
        message = f"{kind}: PERIODS must be a tuple of Period, not empty, was {_shown(periods)}"
        raise ConfigError(message)
    is_ranked: object = found.IS_RANKED
    if not isinstance(is_ranked, bool):
        message = f"{kind}: IS_RANKED must be True or False, was {_shown(is_ranked)}"
        raise ConfigError(message)
    return found


@cache
def guarded(kind: str, file: UserFile, found: StrategyClass) -> StrategyClass:
    """Return a class that does what a user's does, and says what is wrong with it.

    Its methods raise ConfigError where the user's raise anything, declare or answer what they must
    not, or keep state.
    """

    def __init__(self: Strategy, parameters: Mapping[str, int]) -> None:  # noqa: N807  # a method
        with reporting(kind, file):
            found.__init__(self, parameters)
        _check_declared(kind, self)

    def score(self: Strategy, view: View) -> Opinions:
        before = dict(vars(self))
        with reporting(kind, file):
            opinions = found.score(self, _read_only(view))
        _check_answer(kind, opinions)
        after = vars(self)
        kept = sorted(name for name in after if after[name] is not before.get(name, before))
        if kept:
            message = f"{kind}: score must keep no state, it has set {', '.join(kept)}"
            raise ConfigError(message)
        return opinions

    methods = {"__init__": __init__, "score": score, "__module__": found.__module__}
    return new_class(found.__name__, (found,), exec_body=lambda body: body.update(methods))


def _check_declared(kind: str, strategy: Strategy) -> None:
    inputs: object = getattr(strategy, "inputs", None)
    if not isinstance(inputs, Mapping) or not all(
        isinstance(text, str) for item in inputs.items() for text in item
    ):
        example = '{"fast": "SMA(5)"}'
        message = f"{kind}: inputs must be a mapping such as {example}, was {_shown(inputs)}"
        raise ConfigError(message)
    reasons: object = strategy.reasons
    if not _is_tuple_of(str, reasons):
        message = f'{kind}: reasons must be a tuple such as ("rsi",), was {_shown(reasons)}'
        raise ConfigError(message)


def _check_answer(kind: str, opinions: object) -> None:
    """Refuse other types than those of `Opinions`; the arrays' own are the seat's to check."""
    if not isinstance(opinions, Opinions):
        message = f"{kind}: score must return Opinions, was {_shown(opinions)}"
        raise ConfigError(message)
    reasons: object = opinions.reasons
    if not isinstance(reasons, Mapping):
        message = f"{kind}: reasons of Opinions must be a mapping, was {_shown(reasons)}"
        raise ConfigError(message)
    columns: dict[object, object] = {"score": opinions.score, **reasons}
    for name, column in columns.items():
        if not isinstance(column, np.ndarray):
            message = f"{kind}: {name} must be a numpy array, was {_shown(column)}"
            raise ConfigError(message)


def _read_only(view: View) -> View:
    """Return a view of the same arrays; other strategies are shown them too."""
    return View(view.day, {name: _locked(column) for name, column in view.values.items()})


def _locked(column: Float64Array) -> Float64Array:
    locked = column.view()
    locked.flags.writeable = False
    return locked


def _is_tuple_of(kind: type, value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(each, kind) for each in value)


def _shown(value: object) -> str:
    return " ".join(repr(value).split())[:_SHOWN_MAX]


def _line_in(file: UserFile | None, error: BaseException) -> int | None:
    """Return the last line of a file on the way to an error, None if it was not on it."""
    if isinstance(error, SyntaxError) and error.filename == file:
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    return lines[-1] if lines else None
