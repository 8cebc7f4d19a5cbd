"""Day figures: what was known of each instrument when its day began."""

from collections.abc import Collection
from typing import cast

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.units import Float64Array
from tidegate_common.frames.rows import FIGURES, ReferenceRows
from tidegate_signals.engine.features.observations import RowIndex
from tidegate_signals.engine.features.spec import Field

_FIELDS = tuple(Field(name) for name in FIGURES)


class DayFigures:
    """The figures of the day's OPEN beat; NaN for what it did not state."""

    def __init__(self) -> None:
        self._values: Float64Array = np.zeros((len(_FIELDS), 0))

    def grow(self, count: int) -> None:
        """Add rows at the end, of which nothing is known."""
        unknown = np.full((len(_FIELDS), count), np.nan)
        self._values = np.concatenate([self._values, unknown], axis=1)

    def begin_day(self, rows: RowIndex, reference: ReferenceRows) -> None:
        """Take the day's figures; yesterday's are no answer for today."""
        self._values.fill(np.nan)
        for place, field in enumerate(_FIELDS):
            self._values[place, rows] = getattr(reference, field.value)

    def columns(self, rows: RowIndex, wanted: Collection[Field]) -> dict[Field, Float64Array]:
        """Return the wanted figures of some rows."""
        return {
            field: self._values[place, rows]
            for place, field in enumerate(_FIELDS)
            if field in wanted
        }

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the state itself, by name."""
        return {"values": self._values}

    def load(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        """Take over the state."""
        self._values = cast("Float64Array", arrays["values"])
