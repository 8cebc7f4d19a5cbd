"""What every indicator can do."""

from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.units import Float64Array, Int64Array
from tidegate_signals.engine.features.observations import Observations, RowIndex
from tidegate_signals.engine.features.spec import Field


class Indicator(Protocol):
    """State of one indicator, one row an instrument.

    An update is elementwise: what a row becomes depends on nothing but that row, so that any
    split of the instruments over engines gives the same bits.

    OUTPUTS : names of its values; ("",) where it has one.
    fields : what it is fed with; an observation in which one of them is NaN is not fed.
    """

    OUTPUTS: ClassVar[tuple[str, ...]]
    fields: tuple[Field, ...]

    def grow(self, count: int) -> None:
        """Add cold rows at the end."""

    def update(self, observations: Observations) -> None:
        """Take one observation for each of some rows."""

    def scale(self, rows: Int64Array, factors: Float64Array) -> None:
        """Multiply the prices that some rows remember: an ex-rights day, factors in (0, inf)."""

    def begin_day(self) -> None:
        """Forget what belongs to yesterday alone; most indicators forget nothing."""

    def read(self, rows: RowIndex, output: str = "") -> Float64Array:
        """Return an output's values of some rows, NaN where cold."""

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the state itself, by name; the keys never change."""

    def load(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        """Take the state from arrays such as `arrays` returned; they become this indicator's."""
