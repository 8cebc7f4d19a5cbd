"""Boards by exchange and prefix."""

import numpy as np
import pytest

from tidegate_common.domain.enums import Board
from tidegate_common.domain.ids import parse_symbol
from tidegate_common.market.board import board_of, boards_of

CASES = [
    ("600519.SH", Board.MAIN),
    ("601398.SH", Board.MAIN),
    ("603000.SH", Board.MAIN),
    ("605117.SH", Board.MAIN),
    ("688981.SH", Board.STAR),
    ("689009.SH", Board.STAR),
    ("000001.SZ", Board.MAIN),
    ("001289.SZ", Board.MAIN),
    ("002594.SZ", Board.MAIN),
    ("003816.SZ", Board.MAIN),
    ("300750.SZ", Board.CHINEXT),
    ("301269.SZ", Board.CHINEXT),
    ("302132.SZ", Board.CHINEXT),
    ("430047.BJ", Board.BSE),
    ("439999.BJ", Board.BSE),
    ("835185.BJ", Board.BSE),
    ("870299.BJ", Board.BSE),
    ("889999.BJ", Board.BSE),
    ("920000.BJ", Board.BSE),
    ("920999.BJ", Board.BSE),
    # The Shanghai index, the Shenzhen index, B shares, funds, bonds and foreign prefixes.
    ("000001.SH", Board.UNKNOWN),
    ("399001.SZ", Board.UNKNOWN),
    ("900901.SH", Board.UNKNOWN),
    ("200002.SZ", Board.UNKNOWN),
    ("510300.SH", Board.UNKNOWN),
    ("159915.SZ", Board.UNKNOWN),
    ("113050.SH", Board.UNKNOWN),
    ("300750.SH", Board.UNKNOWN),
    ("600519.SZ", Board.UNKNOWN),
    ("920000.SH", Board.UNKNOWN),
    ("600519.BJ", Board.UNKNOWN),
    ("042000.BJ", Board.UNKNOWN),
    ("420999.BJ", Board.UNKNOWN),
    ("440000.BJ", Board.UNKNOWN),
    ("919999.BJ", Board.UNKNOWN),
    ("921000.BJ", Board.UNKNOWN),
]


@pytest.mark.parametrize(("symbol", "board"), CASES)
def test_board_of_symbol_follows_exchange_and_prefix(symbol: str, board: Board) -> None:
    """A wrong board means wrong limits and lots; the same digits differ by exchange."""
    assert board_of(parse_symbol(symbol)) is board


@pytest.mark.parametrize("instrument", [-1, 0, 519, 600_519, 4_000_000, 4_600_519, 2**62])
def test_board_of_foreign_instrument_is_unknown(instrument: int) -> None:
    """An id of no exchange must not wrap around into a real board."""
    assert board_of(instrument) is Board.UNKNOWN


def test_boards_of_many_equals_scalar() -> None:
    """Engines use the array form, messages the scalar one: they must agree."""
    instruments = np.array([parse_symbol(symbol) for symbol, _ in CASES] + [-1, 2**62], np.int64)

    boards = boards_of(instruments)

    assert boards.dtype == np.uint8
    assert boards.tolist() == [board_of(int(instrument)) for instrument in instruments]


def test_boards_of_none_is_empty() -> None:
    """A frame may have no rows."""
    assert boards_of(np.array([], np.int64)).shape == (0,)
