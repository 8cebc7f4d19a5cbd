"""What an indicator is: a declaration that strategies share, and the arrays behind it."""

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.units import Float64Array, Int64Array


@unique
class Series(StrEnum):
    """What an indicator is fed with.

    CLOSE : close of every bar in which the instrument traded, in 1/10,000 CNY of today's shares
        (what came before an ex-rights day is scaled by it).
    IMBALANCE : imbalance of the book at every quote in continuous trading; starts anew each day.
    """

    CLOSE = "close"
    IMBALANCE = "imbalance"


@unique
class IndicatorKind(StrEnum):
    """Which indicator."""

    SMA = "sma"
    RSI = "rsi"


@dataclass(frozen=True, slots=True)
class IndicatorSpec:
    """Declaration of an indicator; equal ones are computed once.

    window : observations of the instrument, >= 1.
    """

    kind: IndicatorKind
    series: Series
    window: int

    @property
    def key(self) -> str:
        """Name under which a snapshot keeps it."""
        return f"{self.kind}.{self.series}.{self.window}"


class Indicator(Protocol):
    """State of one indicator, one row an instrument."""

    def grow(self, count: int) -> None:
        """Add cold rows at the end."""

    def update(self, rows: Int64Array, values: Float64Array) -> None:
        """Take one finite observation for each of some rows; a row appears at most once."""

    def scale(self, rows: Int64Array, factors: Float64Array) -> None:
        """Multiply what was observed so far by a positive factor, for each of some rows."""

    def reset(self) -> None:
        """Make all rows cold."""

    def read(self, rows: Int64Array) -> Float64Array:
        """Return the values of some rows, NaN where cold."""

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the state itself, by name; the keys never change."""

    def load(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        """Take the state from arrays such as `arrays` returned; they become this indicator's."""
