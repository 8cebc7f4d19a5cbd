"""How far from the market a limit order may be priced."""

import numpy as np
import pytest

from tidegate_common.domain.enums import Board, LimitState, Side
from tidegate_common.errors import InvariantError
from tidegate_common.market.cage import (
    CageRule,
    PriceCage,
    cage_reference_e4,
    cage_rule,
    price_cage,
    price_cages,
)
from tidegate_common.market.dated import LAST_DATE

TODAY = 2026_11_20
NONE = CageRule(LimitState.UNLIMITED)
PERCENT = CageRule(LimitState.LIMITED, rate_bps=200)
DORMANT = CageRule(LimitState.LIMITED, rate_bps=200, is_dormant=True)
WITH_TICKS = CageRule(LimitState.LIMITED, rate_bps=200, floor_ticks=10)
WIDE = CageRule(LimitState.LIMITED, rate_bps=500, floor_ticks=10)


def cage_at(board: Board, reference_e4: int, trade_date: int = TODAY) -> PriceCage:
    """Return the cage around one reference for both sides."""
    return price_cage(
        board=board,
        trade_date=trade_date,
        buy_reference_e4=reference_e4,
        sell_reference_e4=reference_e4,
    )


@pytest.mark.parametrize(
    ("board", "trade_date", "expected"),
    [
        (Board.MAIN, 1999_11_10, NONE),
        (Board.MAIN, 2023_04_09, NONE),
        (Board.MAIN, 2023_04_10, WITH_TICKS),
        (Board.MAIN, LAST_DATE, WITH_TICKS),
        (Board.CHINEXT, 2009_10_29, None),
        (Board.CHINEXT, 2009_10_30, NONE),
        (Board.CHINEXT, 2020_08_23, NONE),
        (Board.CHINEXT, 2020_08_24, DORMANT),
        (Board.CHINEXT, 2023_04_09, DORMANT),
        (Board.CHINEXT, 2023_04_10, WITH_TICKS),
        (Board.STAR, 2019_07_21, None),
        (Board.STAR, 2019_07_22, PERCENT),
        (Board.STAR, 2023_04_10, PERCENT),
        (Board.STAR, TODAY, PERCENT),
        (Board.BSE, 2021_11_14, None),
        (Board.BSE, 2021_11_15, WIDE),
        (Board.ETF, TODAY, NONE),
        (Board.ETF_GROWTH, TODAY, NONE),
        (Board.UNKNOWN, TODAY, None),
    ],
)
def test_cage_rule_of_board_and_day_is_the_rule_books(
    board: Board,
    trade_date: int,
    expected: CageRule | None,
) -> None:
    """The day before and the day of each change; STAR has no ten ticks, the narrower reading."""
    row = cage_rule(board, trade_date)

    assert (row.value if row is not None else None) == expected


@pytest.mark.parametrize(
    ("board", "reference_e4", "cap_e4", "floor_e4"),
    [
        # 100.00: 2 % are 2.00, more than ten ticks.
        (Board.MAIN, 1_000_000, 1_020_000, 980_000),
        # 5.00: both are 0.10.
        (Board.MAIN, 50_000, 51_000, 49_000),
        # 4.99: ten ticks are more than 2 %.
        (Board.MAIN, 49_900, 50_900, 48_900),
        # 12.25: 12.495 rounds up to 12.50 and 12.005 to 12.01: half up on both sides.
        (Board.MAIN, 122_500, 125_000, 120_100),
        # 0.05: a sell may not be below one tick.
        (Board.MAIN, 500, 1_500, 100),
        (Board.CHINEXT, 30_000, 31_000, 29_000),
        # 3.00: without ten ticks 0.06 only.
        (Board.STAR, 30_000, 30_600, 29_400),
        # 0.10: 2 % are less than half a tick.
        (Board.STAR, 1_000, 1_000, 1_000),
        (Board.BSE, 100_000, 105_000, 95_000),
        # 1.00: ten ticks are more than 5 %.
        (Board.BSE, 10_000, 11_000, 9_000),
    ],
)
def test_price_cage_is_the_wider_of_percentage_and_ticks(
    board: Board,
    reference_e4: int,
    cap_e4: int,
    floor_e4: int,
) -> None:
    """Worked by hand."""
    cage = cage_at(board, reference_e4)

    assert (cage.state, cage.buy_cap_e4, cage.sell_floor_e4) == (
        LimitState.LIMITED,
        cap_e4,
        floor_e4,
    )
    assert cage.rule == cage_rule(board, TODAY)


def test_price_cage_measures_each_side_from_its_own_reference() -> None:
    """A buy is measured from the best ask, a sell from the best bid."""
    cage = price_cage(
        board=Board.MAIN,
        trade_date=TODAY,
        buy_reference_e4=1_000_000,
        sell_reference_e4=900_000,
    )

    assert (cage.buy_cap_e4, cage.sell_floor_e4) == (1_020_000, 882_000)


@pytest.mark.parametrize(
    ("board", "trade_date", "references_e4", "expected"),
    [
        (Board.MAIN, 2023_04_09, (1_000_000, 1_000_000), LimitState.UNLIMITED),
        (Board.MAIN, 2023_04_09, (0, 0), LimitState.UNLIMITED),
        (Board.ETF, TODAY, (1_000_000, 1_000_000), LimitState.UNLIMITED),
        (Board.UNKNOWN, TODAY, (1_000_000, 1_000_000), LimitState.UNKNOWN),
        (Board.STAR, 2019_07_21, (1_000_000, 1_000_000), LimitState.UNKNOWN),
        (Board.MAIN, TODAY, (0, 0), LimitState.UNKNOWN),
        (Board.MAIN, TODAY, (1_000_000, 0), LimitState.UNKNOWN),
        (Board.MAIN, TODAY, (-100, 1_000_000), LimitState.UNKNOWN),
    ],
)
def test_price_cage_without_rule_or_reference_is_no_number(
    board: Board,
    trade_date: int,
    references_e4: tuple[int, int],
    expected: LimitState,
) -> None:
    """No cage and no knowledge are told apart, and neither is a price."""
    buy_reference_e4, sell_reference_e4 = references_e4

    cage = price_cage(
        board=board,
        trade_date=trade_date,
        buy_reference_e4=buy_reference_e4,
        sell_reference_e4=sell_reference_e4,
    )

    assert (cage.state, cage.buy_cap_e4, cage.sell_floor_e4) == (expected, 0, 0)
    assert cage.rule == cage_rule(board, trade_date)


@pytest.mark.parametrize(
    ("side", "prices_e4", "expected"),
    [
        (Side.BUY, (99, 101, 100, 90), 101),
        (Side.BUY, (99, 0, 100, 90), 99),
        (Side.BUY, (0, 0, 100, 90), 100),
        (Side.BUY, (0, 0, 0, 90), 90),
        (Side.BUY, (0, 0, 0, 0), 0),
        (Side.BUY, (99, -1, 100, 90), 99),
        (Side.SELL, (99, 101, 100, 90), 99),
        (Side.SELL, (0, 101, 100, 90), 101),
        (Side.SELL, (0, 0, 100, 90), 100),
        (Side.SELL, (0, 0, 0, 90), 90),
    ],
)
def test_cage_reference_is_the_first_price_there_is(
    side: Side,
    prices_e4: tuple[int, int, int, int],
    expected: int,
) -> None:
    """The other side's best, the own side's, the last trade, the previous close."""
    bid_e4, ask_e4, last_e4, prev_close_e4 = prices_e4

    reference_e4 = cage_reference_e4(
        side=side,
        bid_e4=bid_e4,
        ask_e4=ask_e4,
        last_e4=last_e4,
        prev_close_e4=prev_close_e4,
    )

    assert reference_e4 == expected


def test_price_cages_of_numbers_that_are_no_board_are_unknown() -> None:
    """A frame may carry any small number; it is never taken for a board."""
    prices_e4 = np.full(3, 1_000_000, np.int64)

    cages = price_cages(
        boards=np.array([Board.UNKNOWN, 7, 255], np.uint8),
        trade_date=TODAY,
        buy_reference_e4=prices_e4,
        sell_reference_e4=prices_e4,
    )

    assert cages.state.tolist() == [LimitState.UNKNOWN] * 3
    assert cages.state.dtype == np.uint8
    assert cages.buy_cap_e4.tolist() == cages.sell_floor_e4.tolist() == [0, 0, 0]


def test_price_cages_of_unequal_columns_raise() -> None:
    """One row an instrument, or it is our bug."""
    with pytest.raises(InvariantError, match=r"must have one shape, were \(2,\), \(1,\), \(2,\)"):
        price_cages(
            boards=np.zeros(2, np.uint8),
            trade_date=TODAY,
            buy_reference_e4=np.zeros(1, np.int64),
            sell_reference_e4=np.zeros(2, np.int64),
        )
