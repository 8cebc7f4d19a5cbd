"""What holds for every board, reference and day of the price cage."""

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from tidegate_common.domain.enums import Board, LimitState
from tidegate_common.market.cage import price_cage, price_cages

TODAY = 2026_11_20
TICK = Decimal("0.01")
DAYS = st.integers(2008_01_01, 2027_01_01)
PRICES_E4 = st.integers(-1_000, 10**9)
TICK_PRICES_E4 = st.integers(1, 10**7).map(lambda ticks: ticks * 100)
ROWS = st.tuples(st.sampled_from(Board), PRICES_E4, PRICES_E4)
# Per cent and ticks in force today, written down a second time.
ORACLE = {
    Board.MAIN: (2, 10),
    Board.CHINEXT: (2, 10),
    Board.STAR: (2, 0),
    Board.BSE: (5, 10),
}


@given(st.lists(ROWS), DAYS)
def test_price_cages_of_many_equal_one_by_one(rows: list[tuple[Board, int, int]], day: int) -> None:
    """The array form and the scalar form are one rule."""
    cages = price_cages(
        boards=np.array([board for board, _, _ in rows], np.uint8),
        trade_date=day,
        buy_reference_e4=np.array([buy_e4 for _, buy_e4, _ in rows], np.int64),
        sell_reference_e4=np.array([sell_e4 for _, _, sell_e4 in rows], np.int64),
    )

    one_by_one = [
        price_cage(
            board=board,
            trade_date=day,
            buy_reference_e4=buy_e4,
            sell_reference_e4=sell_e4,
        )
        for board, buy_e4, sell_e4 in rows
    ]
    assert cages.state.tolist() == [cage.state for cage in one_by_one]
    assert cages.buy_cap_e4.tolist() == [cage.buy_cap_e4 for cage in one_by_one]
    assert cages.sell_floor_e4.tolist() == [cage.sell_floor_e4 for cage in one_by_one]


@given(st.sampled_from(list(ORACLE)), TICK_PRICES_E4, TICK_PRICES_E4)
@example(Board.MAIN, 122_500, 122_500)
@example(Board.MAIN, 49_900, 50_000)
@example(Board.STAR, 100, 100)
@example(Board.BSE, 100, 1_100)
def test_price_cage_matches_decimal_oracle(board: Board, buy_e4: int, sell_e4: int) -> None:
    """Integer arithmetic gives what decimal rounding to the tick gives."""
    percent, ticks = ORACLE[board]
    share, least = Decimal(percent) / 100, ticks * TICK
    buy, sell = Decimal(buy_e4) / 10_000, Decimal(sell_e4) / 10_000
    cap = max((buy * (1 + share)).quantize(TICK, ROUND_HALF_UP), buy + least)
    floor = min((sell * (1 - share)).quantize(TICK, ROUND_HALF_UP), sell - least)

    cage = price_cage(
        board=board,
        trade_date=TODAY,
        buy_reference_e4=buy_e4,
        sell_reference_e4=sell_e4,
    )

    assert cage.state is LimitState.LIMITED
    assert cage.buy_cap_e4 == int(cap * 10_000)
    assert cage.sell_floor_e4 == int(max(floor, TICK) * 10_000)
