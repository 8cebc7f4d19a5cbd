"""What holds for every board, quantity and day of the lot table."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tidegate_common.domain.enums import Board
from tidegate_common.market.lots import (
    is_valid_buy,
    is_valid_sell,
    lot_columns,
    lot_rule,
    price_tick_e4,
    round_down_buy,
)

TODAY = 2026_11_20
DAYS = st.integers(1990_01_01, 2027_01_01)
BOARDS = st.sampled_from(Board)
KNOWN_BOARDS = st.sampled_from([board for board in Board if board is not Board.UNKNOWN])
QUANTITIES = st.integers(-10, 1_200_000)


@given(QUANTITIES, BOARDS, DAYS)
def test_round_down_buy_is_the_largest_valid_buy(
    quantity_shares: int,
    board: Board,
    day: int,
) -> None:
    """It is valid or 0, not above what was asked, and nothing valid lies between."""
    rounded = round_down_buy(quantity_shares, board, trade_date=day)

    assert rounded == 0 or is_valid_buy(rounded, board, trade_date=day)
    assert rounded <= max(quantity_shares, 0)
    assert round_down_buy(rounded, board, trade_date=day) == rounded
    assert not any(
        is_valid_buy(between, board, trade_date=day)
        for between in range(rounded + 1, min(quantity_shares, rounded + 200) + 1)
    )


@given(st.integers(1, 2_000_000), KNOWN_BOARDS, st.lists(QUANTITIES, max_size=8))
def test_any_holding_can_be_sold_out_in_valid_orders(
    holding_shares: int,
    board: Board,
    wishes: list[int],
) -> None:
    """Whatever was sold before, an odd lot never gets stuck."""

    def can_sell(quantity_shares: int) -> bool:
        return is_valid_sell(
            quantity_shares=quantity_shares,
            sellable_shares=holding_shares,
            board=board,
            trade_date=TODAY,
        )

    for wanted in wishes:
        if can_sell(wanted):
            holding_shares -= wanted
    while holding_shares > 0:
        choices = (holding_shares, round_down_buy(holding_shares, board, trade_date=TODAY))
        holding_shares -= next(choice for choice in choices if can_sell(choice))

    assert holding_shares == 0


@given(st.lists(BOARDS), DAYS)
def test_lot_columns_of_many_equal_one_by_one(boards: list[Board], day: int) -> None:
    """The array form and the scalar form are one rule."""
    columns = lot_columns(np.array(boards, np.uint8), day)

    rules = [lot_rule(board, day) for board in boards]
    assert columns.min_shares.tolist() == [rule.min_shares for rule in rules]
    assert columns.step_shares.tolist() == [rule.step_shares for rule in rules]
    assert columns.max_limit_shares.tolist() == [rule.max_limit_shares for rule in rules]
    assert columns.max_market_shares.tolist() == [rule.max_market_shares for rule in rules]
    assert columns.max_fixed_price_shares.tolist() == [
        rule.max_fixed_price_shares for rule in rules
    ]
    assert columns.tick_e4.tolist() == [price_tick_e4(board) for board in boards]
