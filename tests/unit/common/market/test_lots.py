"""Order quantities by board."""

import pytest

from tidegate_common.domain.enums import Board
from tidegate_common.market.lots import (
    LotRule,
    is_valid_buy,
    is_valid_sell,
    lot_rule,
    price_tick_e4,
    round_down_buy,
)


@pytest.mark.parametrize(
    ("board", "rule"),
    [
        (Board.MAIN, LotRule(100, 100, 1_000_000, 1_000_000)),
        (Board.CHINEXT, LotRule(100, 100, 300_000, 150_000)),
        (Board.STAR, LotRule(200, 1, 100_000, 50_000)),
        (Board.BSE, LotRule(100, 1, 1_000_000, 0)),
        (Board.UNKNOWN, LotRule(100, 100, 0, 0)),
    ],
)
def test_lot_rule_of_board_is_the_rule_books(board: Board, rule: LotRule) -> None:
    """BSE market orders and unknown boards are refused: no source gives their maximum."""
    assert lot_rule(board) == rule


@pytest.mark.parametrize("board", Board)
def test_price_tick_of_any_share_is_one_fen(board: Board) -> None:
    """A price off the tick is rejected, so a finer tick must not be guessed."""
    assert price_tick_e4(board) == 100


@pytest.mark.parametrize(
    ("board", "quantity_shares", "expected"),
    [
        (Board.MAIN, -100, 0),
        (Board.MAIN, 0, 0),
        (Board.MAIN, 99, 0),
        (Board.MAIN, 100, 100),
        (Board.MAIN, 199, 100),
        (Board.MAIN, 1_000_000, 1_000_000),
        (Board.MAIN, 1_000_100, 1_000_000),
        (Board.CHINEXT, 250, 200),
        (Board.CHINEXT, 300_100, 300_000),
        (Board.STAR, 199, 0),
        (Board.STAR, 200, 200),
        (Board.STAR, 201, 201),
        (Board.STAR, 100_001, 100_000),
        (Board.BSE, 99, 0),
        (Board.BSE, 100, 100),
        (Board.BSE, 101, 101),
        (Board.BSE, 1_000_001, 1_000_000),
        (Board.UNKNOWN, 100, 0),
    ],
)
def test_round_down_buy_gives_largest_valid_quantity(
    board: Board,
    quantity_shares: int,
    expected: int,
) -> None:
    """STAR takes 200 and then single shares, BSE 100 and single shares, others whole lots."""
    assert round_down_buy(quantity_shares, board) == expected


@pytest.mark.parametrize(
    ("board", "quantity_shares", "expected"),
    [
        (Board.MAIN, 0, False),
        (Board.MAIN, -100, False),
        (Board.MAIN, 50, False),
        (Board.MAIN, 100, True),
        (Board.MAIN, 150, False),
        (Board.MAIN, 1_000_000, True),
        (Board.MAIN, 1_000_100, False),
        (Board.STAR, 199, False),
        (Board.STAR, 200, True),
        (Board.STAR, 201, True),
        (Board.STAR, 100_001, False),
        (Board.BSE, 101, True),
        (Board.UNKNOWN, 0, False),
        (Board.UNKNOWN, 100, False),
    ],
)
def test_is_valid_buy_refuses_odd_lots_and_excess(
    board: Board,
    quantity_shares: int,
    expected: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    """Odd lots cannot be bought."""
    assert is_valid_buy(quantity_shares, board) is expected


@pytest.mark.parametrize(
    ("board", "sellable_shares", "valid"),
    [
        (Board.MAIN, 250, {50, 100, 150, 200, 250}),
        (Board.MAIN, 200, {100, 200}),
        (Board.MAIN, 50, {50}),
        (Board.MAIN, 0, set()),
        (Board.CHINEXT, 130, {30, 100, 130}),
        (Board.STAR, 203, {200, 201, 202, 203}),
        (Board.STAR, 199, {199}),
        (Board.BSE, 102, {100, 101, 102}),
        (Board.BSE, 99, {99}),
        (Board.UNKNOWN, 250, set()),
    ],
)
def test_is_valid_sell_wants_the_remainder_in_one_order(
    board: Board,
    sellable_shares: int,
    valid: set[int],
) -> None:
    """Part of an odd lot, or more than is there, is refused; the whole odd lot is not."""
    accepted = {
        quantity
        for quantity in range(-1, sellable_shares + 2)
        if is_valid_sell(quantity, sellable_shares, board)
    }

    assert accepted == valid


def test_is_valid_sell_above_the_maximum_is_refused() -> None:
    """A large holding goes in several orders."""
    assert is_valid_sell(100_000, 150_000, Board.STAR)
    assert not is_valid_sell(100_001, 150_000, Board.STAR)
