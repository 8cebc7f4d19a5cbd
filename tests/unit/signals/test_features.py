"""Indicators, shared by declaration and kept in rows."""

import numpy as np

from tidegate_signals.engine.features.board import FeatureBoard
from tidegate_signals.engine.features.indicator import IndicatorKind, IndicatorSpec, Series
from tidegate_signals.engine.features.instruments import InstrumentTable
from tidegate_signals.engine.features.rsi import Rsi
from tidegate_signals.engine.features.sma import Sma

ROW = np.array([0])


def test_board_two_declarations_of_one_indicator_are_computed_once() -> None:
    """Two strategies that ask for SMA(20) pay once."""
    spec = IndicatorSpec(IndicatorKind.SMA, Series.CLOSE, 20)

    board = FeatureBoard([spec, IndicatorSpec(IndicatorKind.SMA, Series.CLOSE, 20)])

    assert len(board) == 1


def test_board_series_are_fed_and_reset_apart() -> None:
    """A close is no imbalance, and a new day forgets only the book."""
    specs = [IndicatorSpec(IndicatorKind.SMA, series, 1) for series in Series]
    board = FeatureBoard(specs)
    board.grow(1)
    board.update(Series.CLOSE, ROW, np.array([5.0]))
    board.update(Series.IMBALANCE, ROW, np.array([0.5]))

    board.reset(Series.IMBALANCE)

    assert board.read(specs[0], ROW) == [5.0]
    assert np.isnan(board.read(specs[1], ROW)).all()


def test_rsi_reset_is_cold_again() -> None:
    """No indicator may keep anything over a reset."""
    rsi = Rsi(1)
    rsi.grow(1)
    for value in (1.0, 2.0):
        rsi.update(ROW, np.array([value]))

    rsi.reset()
    rsi.update(ROW, np.array([9.0]))

    assert np.isnan(rsi.read(ROW)).all()


def test_rsi_without_moves_is_neutral() -> None:
    """Nothing gained, nothing lost: 50, not a division by zero."""
    rsi = Rsi(2)
    rsi.grow(1)
    for _ in range(3):
        rsi.update(ROW, np.array([4.0]))

    assert rsi.read(ROW) == [50.0]


def test_rsi_scaled_prices_keep_the_index() -> None:
    """An ex-rights day changes the price of a share, not its strength."""
    plain, scaled = Rsi(3), Rsi(3)
    for rsi in (plain, scaled):
        rsi.grow(1)
        for value in (8.0, 10.0, 9.0):
            rsi.update(ROW, np.array([value]))

    scaled.scale(ROW, np.array([0.5]))
    plain.update(ROW, np.array([12.0]))
    scaled.update(ROW, np.array([6.0]))

    np.testing.assert_allclose(scaled.read(ROW), plain.read(ROW), rtol=1e-12)


def test_sma_scaled_prices_scale_the_mean() -> None:
    """What leaves the window later must have been scaled too."""
    sma = Sma(2)
    sma.grow(1)
    for value in (4.0, 8.0):
        sma.update(ROW, np.array([value]))

    sma.scale(ROW, np.array([0.5]))
    sma.update(ROW, np.array([6.0]))

    assert sma.read(ROW) == [5.0]


def test_instrument_table_known_instruments_keep_their_rows() -> None:
    """State belongs to a row, so a row never moves."""
    table = InstrumentTable()
    table.add(np.array([1_600_000, 2_000_001]))

    added = table.add(np.array([1_000_001, 1_600_000, 1_700_000]))

    assert added == 2
    assert len(table) == 4
    asked = np.array([1_000_001, 1_600_000, 1_700_000, 2_000_001])
    assert table.rows_of(asked).tolist() == [2, 0, 3, 1]
