"""The board: indicators shared by declaration, fed by period, cold and warm row by row."""

from math import nan

import numpy as np
import pytest
from tests.unit.signals.features.feeding import ALL_ROWS, input_of, make_board, read, show

from tidegate_signals.engine.features.board import FeatureBoard
from tidegate_signals.engine.features.observations import Observations
from tidegate_signals.engine.features.spec import Field, Period, parse_input


def test_board_two_declarations_of_one_indicator_are_computed_once() -> None:
    """Two strategies that ask for SMA(20) pay once."""
    board = make_board("SMA(20)", "SMA(close,20)", "SMA(high,20)")

    assert len(board) == 2


def test_board_fields_are_those_of_all_indicators_of_the_period() -> None:
    """The engine provides no column that nobody reads."""
    specs = [input_of("ATR(2)").indicator, input_of("EMA(imbalance,2)").indicator]
    specs.append(parse_input("TURNOVER", Period.DAY).indicator)

    board = FeatureBoard(specs)

    assert board.fields(Period.BAR) == {Field.HIGH, Field.LOW, Field.CLOSE, Field.IMBALANCE}
    assert board.fields(Period.DAY) == {Field.VOLUME, Field.FLOAT_SHARES}
    assert board.fields(Period.BEAT) == frozenset()


def test_board_periods_are_fed_apart() -> None:
    """A quote is no bar."""
    bar, beat = (parse_input("SMA(1)", period) for period in (Period.BAR, Period.BEAT))
    board = FeatureBoard([bar.indicator, beat.indicator])
    board.grow(1)

    board.update(Period.BEAT, Observations(ALL_ROWS, {Field.CLOSE: np.array([5.0])}))

    assert board.read(beat, ALL_ROWS) == [5.0]
    assert np.isnan(board.read(bar, ALL_ROWS)).all()


def test_board_unknown_value_is_no_observation_of_its_indicators_alone() -> None:
    """A row with an empty book keeps its imbalance, and its close counts all the same."""
    board = make_board("SMA(imbalance,1)", "SMA(1)", row_count=2)
    show(board, imbalance=np.array([0.1, 0.2]), close=np.array([1.0, 2.0]))

    show(board, imbalance=np.array([nan, 0.4]), close=np.array([3.0, 4.0]))

    assert board.read(input_of("SMA(imbalance,1)"), ALL_ROWS).tolist() == [0.1, 0.4]
    assert board.read(input_of("SMA(1)"), ALL_ROWS).tolist() == [3.0, 4.0]


def test_board_unknown_value_of_rows_by_index_is_left_out() -> None:
    """The rows that are left must keep their own values."""
    board = make_board("TURNOVER", row_count=3)
    columns = {
        Field.VOLUME: np.array([10.0, 20.0]),
        Field.FLOAT_SHARES: np.array([nan, 100.0]),
    }

    board.update(Period.BAR, Observations(np.array([0, 2]), columns))

    said = board.read(input_of("TURNOVER"), np.arange(3))
    np.testing.assert_array_equal(said, [nan, nan, 0.2])


def test_board_observation_of_no_row_changes_nothing() -> None:
    """A beat in which nothing is known is no beat for the indicators."""
    board = make_board("SMA(imbalance,1)")
    show(board, imbalance=0.5)

    show(board, imbalance=nan)

    assert read(board, "SMA(imbalance,1)") == 0.5


def test_board_new_day_forgets_the_book_and_keeps_prices() -> None:
    """A book of yesterday says nothing; a price is a price over night."""
    texts = ("SMA(imbalance,1)", "SMA(microprice,1)", "SMA(1)")
    board = make_board(*texts)
    show(board, imbalance=0.5, microprice=7, close=8)

    board.begin_day()

    np.testing.assert_array_equal([read(board, text) for text in texts], [nan, 7, 8])


def test_board_late_row_is_cold_among_warm_ones() -> None:
    """A new listing has no average until it has a window of its own."""
    board = make_board("SMA(2)")
    show(board, close=4)
    show(board, close=6)

    board.grow(1)
    show(board, close=np.array([8.0, 1.0]))

    said = board.read(input_of("SMA(2)"), ALL_ROWS)
    np.testing.assert_array_equal(said, [7, nan])


def test_board_rows_that_have_caught_up_are_read_alike() -> None:
    """A row seen while the other was not, then the other way round: both are warm at last."""
    board = make_board("SMA(2)", "MAX(2)", row_count=2)
    for row, close in ((0, 1.0), (1, 2.0)):
        board.update(Period.BAR, Observations(np.array([row]), {Field.CLOSE: np.array([close])}))

    show(board, close=np.array([3.0, 6.0]))

    assert board.read(input_of("SMA(2)"), ALL_ROWS).tolist() == [2.0, 4.0]
    assert board.read(input_of("MAX(2)"), ALL_ROWS).tolist() == [3.0, 6.0]


@pytest.mark.parametrize("text", ["EMA(1)", "SMA(1)", "BOLLINGER(2,10).middle", "OBV", "ATR(1)"])
def test_board_values_that_were_read_are_the_readers(text: str) -> None:
    """A strategy may spoil what it got, not what indicators remember."""
    board = make_board(text)
    for close in (3, 5):
        show(board, close=close, high=close, low=close, volume=1)
    before = read(board, text)

    board.read(input_of(text), ALL_ROWS)[:] = -1.0

    assert read(board, text) == before


def test_board_without_rows_says_nothing() -> None:
    """A shard may be empty until an instrument is listed."""
    board = make_board("SMA(2)", "STDDEV(2)", row_count=0)

    show(board, close=np.zeros(0))

    assert board.read(input_of("SMA(2)"), ALL_ROWS).tolist() == []
