"""What indicators are fed with: one new observation for each of some rows."""

from collections.abc import Mapping
from dataclasses import dataclass

from tidegate_common.domain.units import Float64Array, Int64Array
from tidegate_signals.engine.features.spec import Field

# Rows of state: positions, or `slice(None)` when every row has an observation, which is the usual
# case and saves the gathering and scattering.
RowIndex = Int64Array | slice
ALL_ROWS = slice(None)


@dataclass(frozen=True, slots=True)
class Observations:
    """New observations of a period.

    rows : the rows that were observed, each at most once; a slice stands for all.
    columns : (n,) float64 by field, aligned with `rows`; finite for the fields that an indicator
        is fed with, possibly NaN where a strategy reads a field itself.
    """

    rows: RowIndex
    columns: Mapping[Field, Float64Array]
