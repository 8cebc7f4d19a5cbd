"""Feeds one instrument, or a few, to an indicator and tells what it said."""

import numpy as np

from tidegate_common.domain.units import Float64Array
from tidegate_signals.engine.features.board import FeatureBoard
from tidegate_signals.engine.features.observations import Observations
from tidegate_signals.engine.features.spec import Field, InputSpec, Period, parse_input

ALL_ROWS = slice(None)
ROW = np.array([0])


def input_of(text: str) -> InputSpec:
    """Return a declaration on bars."""
    return parse_input(text, Period.BAR)


def make_board(*texts: str, row_count: int = 1) -> FeatureBoard:
    """Return a board with rows."""
    board = FeatureBoard(input_of(text).indicator for text in texts)
    board.grow(row_count)
    return board


def show(board: FeatureBoard, **columns: float | Float64Array) -> None:
    """Show one observation of every row; a number stands for all of them."""
    observed = {
        Field(name): np.atleast_1d(np.asarray(column, np.float64))
        for name, column in columns.items()
    }
    board.update(Period.BAR, Observations(ALL_ROWS, observed))


def read(board: FeatureBoard, text: str) -> float:
    """Return what is said of the first row."""
    return float(board.read(input_of(text), ROW)[0])


def told(text: str, **columns: list[float]) -> list[float]:
    """Return what an indicator says of one instrument after each of its observations."""
    board = make_board(text)
    said: list[float] = []
    for values in zip(*columns.values(), strict=True):
        show(board, **dict(zip(columns, values, strict=True)))
        said.append(read(board, text))
    return said
