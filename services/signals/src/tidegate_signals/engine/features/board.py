"""All indicators of a run, each computed once however many strategies read it."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.units import Float64Array, Int64Array
from tidegate_signals.engine.features.catalogue import make_indicator
from tidegate_signals.engine.features.feed import Feed
from tidegate_signals.engine.features.observations import Observations, RowIndex
from tidegate_signals.engine.features.spec import (
    ALWAYS_KNOWN,
    Field,
    IndicatorSpec,
    InputSpec,
    Period,
)
from tidegate_signals.engine.features.tally import Tally


class FeatureBoard:
    """The indicators that strategies declared, by declaration."""

    def __init__(self, inputs: Iterable[IndicatorSpec]) -> None:
        """Make each indicator once; raise ConfigError on a declaration that is none."""
        self._feeds: dict[tuple[Period, tuple[Field, ...]], Feed] = {}
        self._feed_by_spec: dict[IndicatorSpec, Feed] = {}
        for spec in inputs:
            if spec in self._feed_by_spec:
                continue
            unsure = tuple(sorted(set(make_indicator(spec, Tally()).fields) - ALWAYS_KNOWN))
            feed = self._feeds.setdefault((spec.period, unsure), Feed(unsure))
            feed.declare(spec)
            self._feed_by_spec[spec] = feed

    def __len__(self) -> int:
        """Return the number of indicators that are computed."""
        return len(self._feed_by_spec)

    def fields(self, period: Period) -> frozenset[Field]:
        """Return the columns that the period's observations must have."""
        return frozenset(field for feed in self._feeds_of(period) for field in feed.fields)

    def grow(self, count: int) -> None:
        """Add cold rows at the end of every indicator."""
        for feed in self._feeds.values():
            feed.grow(count)

    def update(self, period: Period, observations: Observations) -> None:
        """Feed one observation a row to the indicators of a period.

        A row is left out of the indicators whose fields are not all known there.
        """
        for feed in self._feeds_of(period):
            feed.update(observations)

    def scale(self, rows: Int64Array, factors: Float64Array) -> None:
        """Scale the prices that some rows remember: an ex-rights day.

        Parameters
        ----------
        rows : (k,) int64, each at most once.
        factors : (k,) new reference price over the old one, > 0.
        """
        for feed in self._feeds.values():
            feed.scale(rows, factors)

    def begin_day(self) -> None:
        """Forget what belongs to yesterday alone."""
        for feed in self._feeds.values():
            feed.begin_day()

    def read(self, input_spec: InputSpec, rows: RowIndex) -> Float64Array:
        """Return an input's values of some rows, NaN where cold; the caller may change them."""
        return self._feed_by_spec[input_spec.indicator].read(input_spec, rows)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the state itself, by name; it is stale after the next call of another method."""
        return {
            f"{period}/{name}": array
            for (period, _), feed in self._feeds.items()
            for name, array in feed.arrays().items()
        }

    def load(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Take over state that `arrays` returned for the same declarations."""
        for (period, _), feed in self._feeds.items():
            feed.load({name: arrays[f"{period}/{name}"] for name in feed.arrays()})

    def _feeds_of(self, period: Period) -> list[Feed]:
        return [feed for (each, _), feed in self._feeds.items() if each is period]
