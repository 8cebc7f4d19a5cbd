"""What a strategy is: a pure function from the inputs that it declares to scores with reasons."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from tidegate_common.domain.units import Float64Array
from tidegate_signals.engine.features.spec import Period


@dataclass(frozen=True, slots=True)
class Parameter:
    """A whole number that a strategy can be given, with its allowed range, ends included."""

    name: str
    default: int
    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Day:
    """The trading day of a beat.

    trade_date : YYYYMMDD.
    is_month_start : whether it is the run's first trading day in its month.
    """

    trade_date: int
    is_month_start: bool


@dataclass(frozen=True, slots=True)
class View:
    """What a strategy is shown: the instruments that had an observation of its period just now.

    values : (n,) float64 by the name under which the input was declared; NaN where an indicator
        is cold or a figure unknown.
    """

    day: Day
    values: Mapping[str, Float64Array]

    def __getitem__(self, name: str) -> Float64Array:
        """Return the values of an input."""
        return self.values[name]


@dataclass(frozen=True, slots=True)
class Opinions:
    """What a strategy thinks of the instruments of a view.

    score : (n,) float64, -1 (sell) to 1 (buy), NaN for no opinion. Of a ranked strategy any finite
        number, the higher the better: where all shards meet it becomes a rank from -1 to 1.
    reasons : (n,) float64 by name, the numbers that made the score; the names are those of the
        strategy's `reasons`.
    """

    score: Float64Array
    reasons: Mapping[str, Float64Array] = field(default_factory=dict)


class Strategy(ABC):
    """Base class of all strategies; an instance belongs to one run and keeps no state.

    PARAMETERS : what it can be given.
    PERIODS : periods on which it works, the usual one first.
    IS_RANKED : whether its scores are ranked over the whole market before they are used.
    inputs : what it reads, by a name of its own: `{"fast": "SMA(5)"}`; see `features.spec`.
    reasons : names of the reason values that come with its scores, at most
        `frames.frame.REASONS_MAX`.
    """

    PARAMETERS: ClassVar[tuple[Parameter, ...]] = ()
    PERIODS: ClassVar[tuple[Period, ...]] = (
        Period.BAR,
        Period.BEAT,
        Period.MINUTE_1,
        Period.MINUTE_5,
        Period.MINUTE_15,
        Period.DAY,
    )
    IS_RANKED: ClassVar[bool] = False

    inputs: Mapping[str, str]
    reasons: tuple[str, ...] = ()

    @abstractmethod
    def __init__(self, parameters: Mapping[str, int]) -> None:
        """Take all of `PARAMETERS`, each in its range; raise ConfigError if they do not agree."""

    @abstractmethod
    def score(self, view: View) -> Opinions:
        """Return a score for each instrument of the view; a pure function, elementwise."""
