"""Indicators that see the same observations: of one period, with the same fields to be known."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.units import BoolArray, Float64Array, Int64Array
from tidegate_signals.engine.features.catalogue import make_indicator
from tidegate_signals.engine.features.indicator import Indicator
from tidegate_signals.engine.features.observations import Observations, RowIndex
from tidegate_signals.engine.features.spec import Field, IndicatorSpec, InputSpec
from tidegate_signals.engine.features.tally import Tally


class Feed:
    """Some indicators, and the count of the observations that all of them have seen.

    unsure : fields that may be NaN; an observation in which one is unknown is not fed.
    """

    def __init__(self, unsure: tuple[Field, ...]) -> None:
        self._unsure = unsure
        self._tally = Tally()
        self._indicators: dict[IndicatorSpec, Indicator] = {}

    @property
    def fields(self) -> frozenset[Field]:
        """Columns that its observations must have."""
        return frozenset(field for each in self._indicators.values() for field in each.fields)

    def declare(self, spec: IndicatorSpec) -> None:
        """Add an indicator; before the first row."""
        self._indicators[spec] = make_indicator(spec, self._tally)

    def grow(self, count: int) -> None:
        """Add cold rows at the end."""
        self._tally.grow(count)
        for indicator in self._indicators.values():
            indicator.grow(count)

    def update(self, observations: Observations) -> None:
        """Take one observation for each row in which everything is known."""
        known = self._known(observations)
        if not isinstance(known.rows, slice) and not len(known.rows):
            return
        for indicator in self._indicators.values():
            indicator.update(known)
        self._tally.add(known.rows)

    def scale(self, rows: Int64Array, factors: Float64Array) -> None:
        """Scale the prices that some rows remember."""
        for indicator in self._indicators.values():
            indicator.scale(rows, factors)

    def begin_day(self) -> None:
        """Forget what belongs to yesterday alone: all of it, where books are watched."""
        if Field.IMBALANCE in self._unsure:
            count = len(self._tally.counts())
            self._tally = Tally()
            self._indicators = {
                spec: make_indicator(spec, self._tally) for spec in self._indicators
            }
            self.grow(count)
        for indicator in self._indicators.values():
            indicator.begin_day()

    def read(self, input_spec: InputSpec, rows: RowIndex) -> Float64Array:
        """Return an input's values of some rows, NaN where cold."""
        return self._indicators[input_spec.indicator].read(rows, input_spec.output)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the state itself, by name."""
        state: dict[str, NDArray[np.generic]] = {
            f"seen({','.join(self._unsure)})": self._tally.counts(),
        }
        for spec, indicator in self._indicators.items():
            state |= {f"{spec.key}/{name}": each for name, each in indicator.arrays().items()}
        return state

    def load(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        """Take over the state."""
        self._tally.load(cast("Int64Array", arrays[f"seen({','.join(self._unsure)})"]))
        for spec, indicator in self._indicators.items():
            indicator.load({name: arrays[f"{spec.key}/{name}"] for name in indicator.arrays()})

    def _known(self, observations: Observations) -> Observations:
        """Return the observations in which every field is known, in the columns that are read."""
        if not self._unsure:
            return observations
        columns = observations.columns
        is_unknown: BoolArray = np.logical_or.reduce(
            [np.isnan(columns[field]) for field in self._unsure],
        )
        if not is_unknown.any():
            return observations
        chosen = np.flatnonzero(~is_unknown)
        rows = chosen if isinstance(observations.rows, slice) else observations.rows[chosen]
        return Observations(rows, {field: columns[field][chosen] for field in sorted(self.fields)})
