"""Order quantities by board and date."""

import numpy as np
import pytest

from tidegate_common.domain.enums import Board
from tidegate_common.market.dated import LAST_DATE
from tidegate_common.market.lots import (
    LotRule,
    is_valid_buy,
    is_valid_sell,
    lot_columns,
    lot_row,
    lot_rule,
    price_tick_e4,
    round_down_buy,
    st_buy_cap_shares,
)

TODAY = 2026_11_20
REFUSE_ALL = LotRule(100, 100, 0, 0)
WHOLE_LOTS = LotRule(100, 100, 1_000_000, 1_000_000)
WHOLE_LOTS_AND_AFTER_HOURS = LotRule(100, 100, 1_000_000, 1_000_000, 1_000_000)


@pytest.mark.parametrize(
    ("board", "trade_date", "rule"),
    [
        (Board.MAIN, 1999_11_10, WHOLE_LOTS),
        (Board.MAIN, 2026_07_05, WHOLE_LOTS),
        (Board.MAIN, 2026_07_06, WHOLE_LOTS_AND_AFTER_HOURS),
        (Board.CHINEXT, 2009_10_29, REFUSE_ALL),
        (Board.CHINEXT, 2009_10_30, WHOLE_LOTS),
        (Board.CHINEXT, 2020_08_23, WHOLE_LOTS),
        (Board.CHINEXT, 2020_08_24, LotRule(100, 100, 300_000, 150_000, 1_000_000)),
        (Board.STAR, 2019_07_21, REFUSE_ALL),
        (Board.STAR, 2019_07_22, LotRule(200, 1, 100_000, 50_000, 1_000_000)),
        (Board.STAR, 2026_07_06, LotRule(200, 1, 100_000, 50_000, 1_000_000)),
        (Board.BSE, 2021_11_14, REFUSE_ALL),
        (Board.BSE, 2021_11_15, LotRule(100, 1, 1_000_000, 0)),
        (Board.BSE, 2026_07_06, LotRule(100, 1, 1_000_000, 0)),
        (Board.ETF, 2026_07_05, WHOLE_LOTS),
        (Board.ETF, 2026_07_06, WHOLE_LOTS_AND_AFTER_HOURS),
        (Board.ETF_GROWTH, 2026_07_05, WHOLE_LOTS),
        (Board.ETF_GROWTH, 2026_07_06, WHOLE_LOTS_AND_AFTER_HOURS),
        (Board.UNKNOWN, TODAY, REFUSE_ALL),
    ],
)
def test_lot_rule_of_board_and_day_is_the_rule_books(
    board: Board,
    trade_date: int,
    rule: LotRule,
) -> None:
    """The day before and the day of each change; where there is no row, nothing is accepted.

    BSE market orders are refused: no source gives their maximum.
    """
    row = lot_row(board, trade_date)

    assert lot_rule(board, trade_date) == rule
    assert (row.value if row is not None else REFUSE_ALL) == rule
    assert (row is None) is (rule is REFUSE_ALL)


@pytest.mark.parametrize("board", Board)
def test_price_tick_of_shares_is_one_fen_and_of_funds_a_tenth(board: Board) -> None:
    """A price off the tick is rejected, so a finer tick must not be guessed."""
    is_fund = board in {Board.ETF, Board.ETF_GROWTH}

    assert price_tick_e4(board) == (10 if is_fund else 100)


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
    assert round_down_buy(quantity_shares, board, trade_date=TODAY) == expected


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
    assert is_valid_buy(quantity_shares, board, trade_date=TODAY) is expected


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
        if is_valid_sell(
            quantity_shares=quantity,
            sellable_shares=sellable_shares,
            board=board,
            trade_date=TODAY,
        )
    }

    assert accepted == valid


def test_is_valid_sell_above_the_maximum_is_refused() -> None:
    """A large holding goes in several orders."""
    accepted = [
        is_valid_sell(
            quantity_shares=quantity_shares,
            sellable_shares=150_000,
            board=Board.STAR,
            trade_date=TODAY,
        )
        for quantity_shares in (100_000, 100_001)
    ]

    assert accepted == [True, False]


@pytest.mark.parametrize(
    ("trade_date", "largest_shares"), [(2020_08_23, 1_000_000), (2020_08_24, 300_000)]
)
def test_buys_and_sells_on_chinext_have_the_maximum_of_the_day(
    trade_date: int,
    largest_shares: int,
) -> None:
    """The reform of 2020-08-24 made ChiNext's orders smaller."""
    wanted_shares = 2_000_000

    rounded = round_down_buy(wanted_shares, Board.CHINEXT, trade_date=trade_date)
    accepted = [
        is_valid_sell(
            quantity_shares=quantity_shares,
            sellable_shares=wanted_shares,
            board=Board.CHINEXT,
            trade_date=trade_date,
        )
        for quantity_shares in (largest_shares, largest_shares + 100)
    ]

    assert rounded == largest_shares
    assert is_valid_buy(largest_shares, Board.CHINEXT, trade_date=trade_date)
    assert not is_valid_buy(largest_shares + 100, Board.CHINEXT, trade_date=trade_date)
    assert accepted == [True, False]


def test_orders_before_a_board_opens_are_refused() -> None:
    """STAR had no quantities before its first day."""
    sells = is_valid_sell(
        quantity_shares=200, sellable_shares=200, board=Board.STAR, trade_date=2019_07_21
    )

    assert not is_valid_buy(200, Board.STAR, trade_date=2019_07_21)
    assert round_down_buy(200, Board.STAR, trade_date=2019_07_21) == 0
    assert not sells


@pytest.mark.parametrize(
    ("board", "trade_date", "expected"),
    [
        (Board.MAIN, 2012_12_31, None),
        (Board.MAIN, 2013_01_01, 500_000),
        (Board.MAIN, LAST_DATE, 500_000),
        (Board.BSE, 2026_08_30, None),
        (Board.BSE, 2026_08_31, 200_000),
        (Board.CHINEXT, 2026_11_20, None),
        (Board.STAR, 2026_11_20, None),
        (Board.ETF, 2026_11_20, None),
        (Board.UNKNOWN, 2026_11_20, None),
    ],
)
def test_st_buy_cap_of_board_and_day_is_the_rule_books(
    board: Board,
    trade_date: int,
    expected: int | None,
) -> None:
    """Only the main board and, lately, Beijing cap what a day may buy of a risky name."""
    assert st_buy_cap_shares(board, trade_date) == expected


def test_lot_columns_of_numbers_that_are_no_board_refuse_every_quantity() -> None:
    """A frame may carry any small number; it is never taken for a board."""
    columns = lot_columns(np.array([Board.UNKNOWN, 7, 255], np.uint8), TODAY)

    assert columns.max_limit_shares.tolist() == [0, 0, 0]
    assert columns.max_market_shares.tolist() == [0, 0, 0]
    assert columns.max_fixed_price_shares.tolist() == [0, 0, 0]
    assert columns.tick_e4.tolist() == [100, 100, 100]
