"""Price limits at each dated row's boundary, and their rounding."""

import numpy as np
import pytest

from tidegate_common.domain.enums import Board, LimitState
from tidegate_common.errors import InvariantError
from tidegate_common.market.price_limits import PriceLimits, price_limits

UNKNOWN = (LimitState.UNKNOWN, 0, 0)


def limits_of(
    board: int,
    prev_close_e4: int,
    trade_date: int,
    *,
    is_st: bool = False,
) -> tuple[int, int, int]:
    """Return state, up and down of one instrument."""
    limits = price_limits(
        boards=np.array([board], np.uint8),
        is_st=np.array([is_st]),
        prev_close_e4=np.array([prev_close_e4], np.int64),
        trade_date=trade_date,
    )
    return int(limits.state[0]), int(limits.up_e4[0]), int(limits.down_e4[0])


@pytest.mark.parametrize(
    ("board", "is_st", "trade_date", "limit_percent"),
    [
        (Board.MAIN, False, 1996_12_15, None),
        (Board.MAIN, False, 1996_12_16, 10),
        (Board.MAIN, False, 2026_07_06, 10),
        (Board.MAIN, True, 2011_12_31, None),
        (Board.MAIN, True, 2012_01_01, 5),
        (Board.MAIN, True, 2012_12_31, 5),
        (Board.MAIN, True, 2013_01_01, 5),
        (Board.MAIN, True, 2026_07_05, 5),
        (Board.MAIN, True, 2026_07_06, 10),
        (Board.CHINEXT, False, 2009_10_29, None),
        (Board.CHINEXT, False, 2009_10_30, 10),
        (Board.CHINEXT, False, 2020_08_23, 10),
        (Board.CHINEXT, False, 2020_08_24, 20),
        (Board.CHINEXT, True, 2009_10_29, None),
        (Board.CHINEXT, True, 2009_10_30, 5),
        (Board.CHINEXT, True, 2020_08_23, 5),
        (Board.CHINEXT, True, 2020_08_24, 20),
        (Board.STAR, False, 2019_07_21, None),
        (Board.STAR, False, 2019_07_22, 20),
        (Board.STAR, True, 2019_07_22, 20),
        (Board.BSE, False, 2021_11_14, None),
        (Board.BSE, False, 2021_11_15, 30),
        (Board.BSE, True, 2021_11_15, 30),
        (Board.UNKNOWN, False, 2023_02_01, None),
        (Board.UNKNOWN, True, 2023_02_01, None),
        (255, False, 2023_02_01, None),
    ],
)
def test_price_limits_at_row_boundary_use_the_row_of_the_day(
    board: int,
    is_st: bool,  # noqa: FBT001 - a column of the table above
    trade_date: int,
    limit_percent: int | None,
) -> None:
    """A limit one day early or late rejects good orders or fills impossible ones."""
    expected = (
        UNKNOWN
        if limit_percent is None
        else (LimitState.LIMITED, 1_000 * (100 + limit_percent), 1_000 * (100 - limit_percent))
    )

    assert limits_of(board, 100_000, trade_date, is_st=is_st) == expected


@pytest.mark.parametrize("prev_close_e4", [0, -1, -100_000])
def test_price_limits_without_previous_close_are_unknown(prev_close_e4: int) -> None:
    """No reference price, no limit: UNKNOWN must never become a number."""
    assert limits_of(Board.MAIN, prev_close_e4, 2023_02_01) == UNKNOWN


@pytest.mark.parametrize(
    ("board", "trade_date", "prev_close_e4", "up_e4", "down_e4"),
    [
        # The exchange's own limits, from shared/data/l2.
        (Board.MAIN, 2023_02_01, 55_20_00, 60_72_00, 49_68_00),
        (Board.MAIN, 2023_02_02, 55_50_00, 61_05_00, 49_95_00),
        (Board.MAIN, 2022_06_01, 19_38_00, 21_32_00, 17_44_00),
        (Board.CHINEXT, 2022_06_01, 87_28_00, 104_74_00, 69_82_00),
        (Board.CHINEXT, 2022_06_01, 79_96_00, 95_95_00, 63_97_00),
        # Halves go up on both sides: 5.05 x 1.1 = 5.555, 5.05 x 0.9 = 4.545.
        (Board.MAIN, 2023_02_01, 5_05_00, 5_56_00, 4_55_00),
        (Board.MAIN, 2023_02_01, 2_72_00, 2_99_00, 2_45_00),
    ],
)
def test_price_limits_round_half_up(
    board: Board,
    trade_date: int,
    prev_close_e4: int,
    up_e4: int,
    down_e4: int,
) -> None:
    """Banker's rounding is wrong by a fen on one row in twenty."""
    expected = (LimitState.LIMITED, up_e4, down_e4)

    assert limits_of(board, prev_close_e4, trade_date) == expected


@pytest.mark.parametrize(
    ("trade_date", "prev_close_e4", "up_e4"),
    [(2026_06_30, 1_70_00, 1_79_00), (2026_07_06, 1_87_00, 2_06_00)],
)
def test_price_limits_of_st_share_match_the_vendor_around_2026_07_06(
    trade_date: int,
    prev_close_e4: int,
    up_e4: int,
) -> None:
    """Tushare's 000010.SZ shows the change from 5% to 10%, and a half (1.785) going up."""
    assert limits_of(Board.MAIN, prev_close_e4, trade_date, is_st=True)[1] == up_e4


@pytest.mark.parametrize(
    ("prev_close_e4", "up_e4"),
    [
        (84_63_00, 110_01_00),
        (17_09_00, 22_21_00),
        (31_46_00, 40_89_00),
        (2_85_00, 3_70_00),
        (70_00, 91_00),
        (43_00_00, 55_90_00),
    ],
)
def test_price_limits_of_bse_are_cut_upwards(prev_close_e4: int, up_e4: int) -> None:
    """BSE cuts towards the previous close: 84.63 x 1.3 = 110.019 is 110.01."""
    assert limits_of(Board.BSE, prev_close_e4, 2024_05_06)[1] == up_e4


@pytest.mark.parametrize(
    ("prev_close_e4", "down_e4"),
    [(84_63_00, 59_25_00), (17_09_00, 11_97_00), (2_85_00, 2_00_00), (43_00_00, 30_10_00)],
)
def test_price_limits_of_bse_are_cut_downwards(prev_close_e4: int, down_e4: int) -> None:
    """The lower limit is cut towards the previous close too: 84.63 x 0.7 = 59.241 is 59.25."""
    assert limits_of(Board.BSE, prev_close_e4, 2024_05_06)[2] == down_e4


@pytest.mark.parametrize(
    ("board", "prev_close_e4", "up_e4", "down_e4"),
    [
        (Board.MAIN, 4_00, 5_00, 3_00),
        (Board.MAIN, 2_00, 3_00, 1_00),
        (Board.MAIN, 1_00, 2_00, 1_00),
        (Board.BSE, 3_00, 4_00, 2_00),
        (Board.BSE, 1_00, 2_00, 1_00),
    ],
)
def test_price_limits_of_penny_share_move_one_tick_and_stay_positive(
    board: Board,
    prev_close_e4: int,
    up_e4: int,
    down_e4: int,
) -> None:
    """A limit equal to the previous close would freeze the share; a price of 0 is none."""
    expected = (LimitState.LIMITED, up_e4, down_e4)

    assert limits_of(board, prev_close_e4, 2024_05_06) == expected


def test_price_limits_of_many_have_the_promised_types() -> None:
    """Frames take the arrays as they are."""
    limits = price_limits(
        boards=np.array([Board.MAIN, Board.UNKNOWN], np.uint8),
        is_st=np.array([False, True]),
        prev_close_e4=np.array([100_000, 100_000], np.int64),
        trade_date=2023_02_01,
    )

    assert isinstance(limits, PriceLimits)
    assert limits.state.dtype == np.uint8
    assert limits.up_e4.dtype == limits.down_e4.dtype == np.int64
    assert limits.state.tolist() == [LimitState.LIMITED, LimitState.UNKNOWN]


def test_price_limits_of_unequal_shapes_raise() -> None:
    """Broadcasting one instrument's flag over a market would be a silent error."""
    with pytest.raises(InvariantError, match="one shape"):
        price_limits(
            boards=np.array([Board.MAIN, Board.MAIN], np.uint8),
            is_st=np.array([False]),
            prev_close_e4=np.array([100_000, 100_000], np.int64),
            trade_date=2023_02_01,
        )
