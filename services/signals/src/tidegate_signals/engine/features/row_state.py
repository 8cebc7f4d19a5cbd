"""What the indicators have in common: named arrays with one column a row of state."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.units import Float64Array, Int64Array
from tidegate_signals.engine.features.observations import Observations, RowIndex
from tidegate_signals.engine.features.spec import PRICE_FIELDS, Field, IndicatorSpec
from tidegate_signals.engine.features.tally import Seen, Tally, keep_warm
from tidegate_signals.engine.features.windows import Window
from tidegate_signals.engine.kernels import scaled

# Observations that a window may span. A line of 5,500 rows is 44 kB, so a ring is at most 44 MB.
WINDOW_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Argument:
    """A whole number that an indicator takes, with its range, ends included."""

    name: str
    minimum: int = 1
    maximum: int = WINDOW_MAX


class RowState(ABC):
    """Base of the indicators; see the protocol `Indicator`.

    ARGUMENTS : what it takes.
    TAKES_FIELD : whether it can be fed with any one column, instead of `FIELDS`.
    FIELDS : what it is fed with, where it takes no field.
    POWERS : by array, how often an ex-rights factor multiplies it; 1 unless it is here.
    IS_DAILY : whether it starts from nothing every day.
    """

    OUTPUTS: ClassVar[tuple[str, ...]] = ("",)
    ARGUMENTS: ClassVar[tuple[Argument, ...]] = (Argument("window"),)
    TAKES_FIELD: ClassVar[bool] = True
    FIELDS: ClassVar[tuple[Field, ...]] = ()
    POWERS: ClassVar[Mapping[str, int]] = {}
    IS_DAILY: ClassVar[bool] = False

    def __init__(
        self,
        spec: IndicatorSpec,
        tally: Tally,
        lines: Mapping[str, int],
        *,
        needed: int,
    ) -> None:
        """Have no rows yet.

        Parameters
        ----------
        spec : its declaration, already checked against `ARGUMENTS`.
        tally : counts the observations that it is fed with; the owner adds each after the update.
        lines : the arrays that it keeps: 0 for one number a row, else a ring of so many lines.
        needed : observations that make a row warm.
        """
        self.fields = (spec.field,) if self.TAKES_FIELD else self.FIELDS
        self._tally = tally
        self._needed = needed
        self._is_scaled = not self.TAKES_FIELD or spec.field in PRICE_FIELDS
        self._arrays: dict[str, Float64Array] = {
            name: np.zeros((count, 0) if count else 0) for name, count in lines.items()
        }

    @abstractmethod
    def update(self, observations: Observations) -> None:
        """Take one observation for each of some rows."""

    @abstractmethod
    def _values(self, rows: RowIndex, output: str) -> Float64Array:
        """Return an output's values of some rows in a new array, anything where cold."""

    def read(self, rows: RowIndex, output: str = "") -> Float64Array:
        """Return an output's values of some rows, NaN where cold."""
        values = self._values(rows, output)
        return keep_warm(values, seen=self._seen(rows), needed=self._needed)

    def grow(self, count: int) -> None:
        """Add cold rows at the end."""
        for name, array in self._arrays.items():
            added = np.zeros((*array.shape[:-1], count))
            self._arrays[name] = np.concatenate([array, added], axis=-1)

    def scale(self, rows: Int64Array, factors: Float64Array) -> None:
        """Multiply the prices that some rows remember."""
        if self._is_scaled:
            for name, array in self._arrays.items():
                for _ in range(self.POWERS.get(name, 1)):
                    array[..., rows] = scaled(prices=array[..., rows], factors=factors)

    def begin_day(self) -> None:
        """Forget what belongs to yesterday alone."""
        if self.IS_DAILY:
            for array in self._arrays.values():
                array.fill(0.0)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the state itself, by name."""
        return dict(self._arrays)

    def load(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        """Take over the state."""
        self._arrays = {name: cast("Float64Array", arrays[name]) for name in self._arrays}

    def _value(self, observations: Observations) -> Float64Array:
        """Return the one column that it is fed with."""
        return observations.columns[self.fields[0]]

    def _window(self, part: str) -> Window:
        """Return the window that `window_lines` laid out."""
        return Window(self._arrays[f"{part}_ring"], self._arrays[f"{part}_head"])

    def _copy(self, name: str, rows: RowIndex) -> Float64Array:
        """Return some rows of an array as a new one."""
        return self._arrays[name][rows].copy()

    def _seen(self, rows: RowIndex) -> Seen:
        return self._tally.seen(rows)


def window_lines(part: str, window: int) -> dict[str, int]:
    """Return the arrays of a window, as `RowState` takes them."""
    return {f"{part}_ring": window, f"{part}_head": 0}
