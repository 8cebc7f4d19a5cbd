"""Day figures: those that the day's OPEN beat states, and no older ones."""

from dataclasses import replace

import numpy as np

from tidegate_common.testing.builders import make_reference_rows
from tidegate_signals.engine.features.observations import ALL_ROWS
from tidegate_signals.engine.features.spec import Field
from tidegate_signals.engine.figures import DayFigures

PE = frozenset({Field.PE_TTM})


def pe_of(figures: DayFigures) -> list[float]:
    """Return the PE of all rows, after checking that nothing else comes."""
    columns = figures.columns(ALL_ROWS, PE)
    assert columns.keys() == PE
    values: list[float] = columns[Field.PE_TTM].tolist()
    return values


def test_figures_are_those_that_open_states() -> None:
    """Each in its own column and row."""
    figures = DayFigures()
    figures.grow(2)

    reference = replace(make_reference_rows(2), pe_ttm=np.array([8.5, -3.0]))
    figures.begin_day(np.array([1, 0]), reference)

    assert pe_of(figures) == [-3.0, 8.5]


def test_figure_of_yesterday_is_no_answer_for_today() -> None:
    """Who is not in the day's OPEN beat has none, and neither has a row that is new."""
    figures = DayFigures()
    figures.grow(2)
    figures.begin_day(ALL_ROWS, replace(make_reference_rows(2), pe_ttm=np.array([8.5, 9.5])))

    figures.begin_day(np.array([1]), replace(make_reference_rows(1), pe_ttm=np.array([7.5])))
    figures.grow(1)

    np.testing.assert_array_equal(pe_of(figures), [np.nan, 7.5, np.nan])
