"""Price limits at each dated row's boundary, and their rounding."""

from collections.abc import Sequence

import numpy as np
import pytest
from tests.unit.common.market.days import day_beside

from tidegate_common.domain.enums import Board, LimitState, ListingStage
from tidegate_common.errors import InvariantError
from tidegate_common.market.dated import LAST_DATE, Confidence, DatedRow, row_on
from tidegate_common.market.price_limit_rows import rows_in_doubt
from tidegate_common.market.price_limits import (
    LIMIT_ROWS,
    LimitRule,
    PriceLimit,
    PriceLimits,
    price_limit,
    price_limits,
)

UNKNOWN = (LimitState.UNKNOWN, 0, 0)
UNLIMITED = (LimitState.UNLIMITED, 0, 0)
NONE = "unlimited"
ORDINARY = ListingStage.ORDINARY
ST = ListingStage.RISK_WARNING
IN_DOUBT = ListingStage.RISK_WARNING_IN_DOUBT
FIRST_DAYS = ListingStage.FIRST_DAYS
BAND = ListingStage.FIRST_DAY_BAND
RELISTING = ListingStage.RELISTING
DELISTING_FIRST_DAY = ListingStage.DELISTING_FIRST_DAY
DELISTING = ListingStage.DELISTING
Segment = tuple[Board, ListingStage]
Rows = Sequence[DatedRow[LimitRule]]


def limit_of(
    board: Board,
    prev_close_e4: int,
    trade_date: int,
    *,
    stage: ListingStage = ORDINARY,
    status_from: int = 0,
) -> tuple[int, int, int]:
    """Return state, up and down of one instrument, on which both interfaces agree."""
    one = price_limit(
        board=board,
        stage=stage,
        prev_close_e4=prev_close_e4,
        trade_date=trade_date,
        status_from=status_from,
    )
    many = price_limits(
        boards=np.array([board], np.uint8),
        stages=np.array([stage], np.uint8),
        prev_close_e4=np.array([prev_close_e4], np.int64),
        trade_date=trade_date,
        status_from=np.array([status_from], np.int64),
    )
    answer = one.state, one.up_e4, one.down_e4
    assert answer == (many.state[0], many.up_e4[0], many.down_e4[0])
    return answer


def expected_of(rule: LimitRule | None) -> tuple[int, int, int]:
    """Return what a rule makes of a reference price of 10.00."""
    if rule is None:
        return UNKNOWN
    if rule.state is LimitState.UNLIMITED:
        return UNLIMITED
    return LimitState.LIMITED, 10 * (10_000 + rule.up_bps), 10 * (10_000 + rule.down_bps)


@pytest.mark.parametrize(
    ("segment", "rows"),
    LIMIT_ROWS.items(),
    ids=[f"{board.name} {stage.name}" for board, stage in LIMIT_ROWS],
)
def test_price_limits_at_each_row_boundary_follow_the_row_of_the_day(
    segment: Segment,
    rows: Rows,
) -> None:
    """The day before a row begins, and the day after it ends, are another row's or nobody's."""
    board, stage = segment
    for row in rows:
        days = [row.effective_from, day_beside(row.effective_from, -1)]
        if row.effective_to != LAST_DATE:
            days += [row.effective_to, day_beside(row.effective_to, 1)]
        for day in days:
            # A delisting period goes by its first day, the others by the day itself.
            status_from = day if stage is DELISTING else 0
            of_day = row_on(rows, day)

            limit = limit_of(board, 100_000, day, stage=stage, status_from=status_from)

            assert limit == expected_of(of_day.value if of_day is not None else None)
        assert row_on(rows, row.effective_from) is row


@pytest.mark.parametrize(
    "rows",
    LIMIT_ROWS.values(),
    ids=[f"{board.name} {stage.name}" for board, stage in LIMIT_ROWS],
)
def test_limit_rows_of_each_segment_are_in_order_signed_and_sourced(rows: Rows) -> None:
    """A band must lie around its reference, and a fact without a source cannot be checked."""
    for row in rows:
        assert row.effective_from <= row.effective_to
        assert row.source
        if row.value.state is LimitState.LIMITED:
            assert row.value.up_bps > 0 > row.value.down_bps > -10_000
        else:
            assert row.value == LimitRule(LimitState.UNLIMITED, 0, 0)
    ends = [day for row in rows for day in (row.effective_from, row.effective_to)]
    assert ends == sorted(ends)


@pytest.mark.parametrize(
    ("board", "stage", "trade_date", "limit_percent"),
    [
        (Board.MAIN, ORDINARY, 1996_12_15, None),
        (Board.MAIN, ORDINARY, 1996_12_16, 10),
        (Board.MAIN, ORDINARY, 2026_07_06, 10),
        (Board.MAIN, ST, 2011_12_31, None),
        (Board.MAIN, ST, 2012_01_01, 5),
        (Board.MAIN, ST, 2012_12_31, 5),
        (Board.MAIN, ST, 2013_01_01, 5),
        (Board.MAIN, ST, 2026_07_05, 5),
        (Board.MAIN, ST, 2026_07_06, 10),
        (Board.MAIN, IN_DOUBT, 2026_07_05, None),
        (Board.MAIN, IN_DOUBT, 2026_07_06, 10),
        (Board.MAIN, FIRST_DAYS, 1996_12_15, None),
        (Board.MAIN, FIRST_DAYS, 1996_12_16, NONE),
        (Board.MAIN, FIRST_DAYS, 2013_12_12, NONE),
        (Board.MAIN, FIRST_DAYS, 2013_12_13, None),
        (Board.MAIN, FIRST_DAYS, 2023_04_09, None),
        (Board.MAIN, FIRST_DAYS, 2023_04_10, NONE),
        (Board.MAIN, RELISTING, 2021_08_09, None),
        (Board.MAIN, RELISTING, 2021_08_10, NONE),
        (Board.MAIN, RELISTING, 2023_04_10, NONE),
        (Board.MAIN, DELISTING_FIRST_DAY, 2019_11_25, 10),
        (Board.MAIN, DELISTING_FIRST_DAY, 2020_12_30, 10),
        (Board.MAIN, DELISTING_FIRST_DAY, 2020_12_31, None),
        (Board.MAIN, DELISTING_FIRST_DAY, 2023_04_09, None),
        (Board.MAIN, DELISTING_FIRST_DAY, 2023_04_10, NONE),
        (Board.MAIN, DELISTING, 2019_11_26, 10),
        (Board.MAIN, DELISTING, 2026_07_05, 10),
        (Board.MAIN, ListingStage.UNKNOWN, 2023_02_01, None),
        (Board.MAIN, ListingStage.NOT_LISTED, 2023_02_01, None),
        (Board.CHINEXT, ORDINARY, 2009_10_29, None),
        (Board.CHINEXT, ORDINARY, 2009_10_30, 10),
        (Board.CHINEXT, ORDINARY, 2020_08_23, 10),
        (Board.CHINEXT, ORDINARY, 2020_08_24, 20),
        (Board.CHINEXT, ST, 2009_10_29, None),
        (Board.CHINEXT, ST, 2009_10_30, 5),
        (Board.CHINEXT, ST, 2020_08_23, 5),
        (Board.CHINEXT, ST, 2020_08_24, 20),
        (Board.CHINEXT, IN_DOUBT, 2020_08_23, None),
        (Board.CHINEXT, IN_DOUBT, 2020_08_24, 20),
        (Board.CHINEXT, FIRST_DAYS, 2020_08_23, None),
        (Board.CHINEXT, FIRST_DAYS, 2020_08_24, NONE),
        (Board.CHINEXT, RELISTING, 2023_04_09, None),
        (Board.CHINEXT, RELISTING, 2023_04_10, NONE),
        (Board.CHINEXT, DELISTING_FIRST_DAY, 2023_04_09, None),
        (Board.CHINEXT, DELISTING_FIRST_DAY, 2023_04_10, NONE),
        (Board.STAR, ORDINARY, 2019_07_21, None),
        (Board.STAR, ORDINARY, 2019_07_22, 20),
        (Board.STAR, ST, 2019_07_22, 20),
        (Board.STAR, IN_DOUBT, 2019_07_21, None),
        (Board.STAR, IN_DOUBT, 2019_07_22, 20),
        (Board.STAR, FIRST_DAYS, 2019_07_21, None),
        (Board.STAR, FIRST_DAYS, 2019_07_22, NONE),
        (Board.STAR, BAND, 2019_07_22, None),
        (Board.STAR, DELISTING_FIRST_DAY, 2023_06_01, NONE),
        (Board.STAR, DELISTING, 2023_06_02, 20),
        (Board.BSE, ORDINARY, 2021_11_14, None),
        (Board.BSE, ORDINARY, 2021_11_15, 30),
        (Board.BSE, ST, 2021_11_15, 30),
        (Board.BSE, IN_DOUBT, 2021_11_15, 30),
        (Board.BSE, FIRST_DAYS, 2021_11_14, None),
        (Board.BSE, FIRST_DAYS, 2021_11_15, NONE),
        (Board.BSE, RELISTING, 2024_05_06, NONE),
        (Board.BSE, DELISTING_FIRST_DAY, 2024_05_06, NONE),
        (Board.BSE, DELISTING, 2024_05_06, 30),
        (Board.ETF, ORDINARY, 2005_02_22, None),
        (Board.ETF, ORDINARY, 2005_02_23, 10),
        (Board.ETF, ORDINARY, 2026_07_06, 10),
        (Board.ETF, IN_DOUBT, 2026_07_06, None),
        (Board.ETF_GROWTH, ORDINARY, 2009_10_29, None),
        (Board.ETF_GROWTH, ORDINARY, 2020_08_23, 10),
        (Board.ETF_GROWTH, ORDINARY, 2020_08_24, 20),
        (Board.UNKNOWN, ORDINARY, 2023_02_01, None),
        (Board.UNKNOWN, ST, 2023_02_01, None),
        (Board.UNKNOWN, FIRST_DAYS, 2024_02_01, None),
    ],
)
def test_price_limits_on_the_day_of_each_change_are_as_the_rules_say(
    board: Board,
    stage: ListingStage,
    trade_date: int,
    limit_percent: int | str | None,
) -> None:
    """A limit one day early or late rejects good orders or fills impossible ones."""
    expected = UNLIMITED if limit_percent == NONE else UNKNOWN
    if isinstance(limit_percent, int):
        up_e4, down_e4 = 1_000 * (100 + limit_percent), 1_000 * (100 - limit_percent)
        expected = (LimitState.LIMITED, up_e4, down_e4)

    assert limit_of(board, 100_000, trade_date, stage=stage) == expected


@pytest.mark.parametrize(
    ("board", "trade_date", "issue_price_e4", "up_e4", "down_e4"),
    [
        (Board.MAIN, 2014_06_12, 10_00_00, None, None),
        (Board.MAIN, 2014_06_13, 10_00_00, 14_40_00, 6_40_00),
        # 603332.SH, 601865.SH, 601298.SH and 300757.SZ stood at the top of the band all day.
        (Board.MAIN, 2019_01_17, 19_44_00, 27_99_00, 12_44_00),
        (Board.MAIN, 2019_02_15, 2_00_00, 2_88_00, 1_28_00),
        (Board.MAIN, 2019_01_21, 4_61_00, 6_64_00, 2_95_00),
        (Board.CHINEXT, 2019_01_08, 21_56_00, 31_05_00, 13_80_00),
        (Board.MAIN, 2023_04_09, 10_00_00, 14_40_00, 6_40_00),
        (Board.MAIN, 2023_04_10, 10_00_00, None, None),
        (Board.CHINEXT, 2014_06_12, 10_00_00, None, None),
        (Board.CHINEXT, 2014_06_13, 10_00_00, 14_40_00, 6_40_00),
        (Board.CHINEXT, 2020_08_23, 10_00_00, 14_40_00, 6_40_00),
        (Board.CHINEXT, 2020_08_24, 10_00_00, None, None),
    ],
)
def test_price_limits_of_a_first_day_band_are_64_to_144_percent(
    board: Board,
    trade_date: int,
    issue_price_e4: int,
    up_e4: int | None,
    down_e4: int | None,
) -> None:
    """Orders outside the band were invalid; before and after it, it must not be assumed."""
    expected = UNKNOWN if up_e4 is None else (LimitState.LIMITED, up_e4, down_e4)

    assert limit_of(board, issue_price_e4, trade_date, stage=BAND) == expected


@pytest.mark.parametrize(
    ("trade_date", "status_from", "limit_percent"),
    [
        (2020_08_21, 2020_08_03, 10),
        (2020_08_25, 2020_08_21, 10),
        (2020_09_15, 2020_08_03, 10),
        (2020_08_25, 2020_08_24, 20),
        (2020_11_09, 2020_09_21, 20),
        # Begun on a day to come, or before there were such periods.
        (2020_08_25, 2020_08_26, None),
        (2013_01_04, 2012_12_28, None),
        # Not known when it began: no answer while both limits may hold.
        (2020_08_21, 0, 10),
        (2020_08_24, 0, None),
        (2020_11_23, 0, None),
        (2020_11_24, 0, 20),
        (2021_02_01, 0, 20),
        (2013_03_31, 0, None),
        (2013_04_01, 0, 10),
    ],
)
def test_price_limits_of_a_delisting_period_keep_the_band_of_its_first_day(
    trade_date: int,
    status_from: int,
    limit_percent: int | None,
) -> None:
    """Three ChiNext shares of August 2020 stayed at 10% while the board went to 20%."""
    expected = UNKNOWN
    if limit_percent is not None:
        up_e4, down_e4 = 1_000 * (100 + limit_percent), 1_000 * (100 - limit_percent)
        expected = (LimitState.LIMITED, up_e4, down_e4)

    limit = limit_of(
        Board.CHINEXT,
        100_000,
        trade_date,
        stage=DELISTING,
        status_from=status_from,
    )

    assert limit == expected


def test_price_limits_without_first_days_of_periods_are_those_of_unknown_ones() -> None:
    """Leaving the column out says no more than a column of zeros."""
    boards = np.array([Board.CHINEXT, Board.MAIN], np.uint8)
    stages = np.array([DELISTING, DELISTING], np.uint8)

    limits = price_limits(
        boards=boards,
        stages=stages,
        prev_close_e4=np.array([100_000, 100_000], np.int64),
        trade_date=2020_08_25,
    )

    assert limits.state.tolist() == [LimitState.UNKNOWN, LimitState.LIMITED]


@pytest.mark.parametrize("value", [10, 16, 255])
def test_price_limits_of_foreign_values_are_unknown(value: int) -> None:
    """A board or a stage that a newer writer knows must not become another one's limit."""
    limits = price_limits(
        boards=np.array([value, Board.MAIN], np.uint8),
        stages=np.array([ORDINARY, value], np.uint8),
        prev_close_e4=np.array([100_000, 100_000], np.int64),
        trade_date=2023_02_01,
    )

    assert limits.state.tolist() == [LimitState.UNKNOWN, LimitState.UNKNOWN]
    assert not limits.up_e4.any()


@pytest.mark.parametrize("prev_close_e4", [0, -1, -100_000])
def test_price_limits_without_previous_close_are_unknown(prev_close_e4: int) -> None:
    """No reference price, no limit: UNKNOWN must never become a number."""
    assert limit_of(Board.MAIN, prev_close_e4, 2023_02_01) == UNKNOWN


def test_price_limits_of_unlimited_day_need_no_previous_close() -> None:
    """That there is no limit is known without a price."""
    assert limit_of(Board.STAR, 0, 2023_02_01, stage=FIRST_DAYS) == UNLIMITED


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
        # Funds have a tick of 0.001: 1.005 x 1.1 = 1.1055, 1.005 x 0.9 = 0.9045.
        (Board.ETF, 2023_02_01, 1_00_50, 1_10_60, 90_50),
        (Board.ETF_GROWTH, 2023_02_01, 1_23_40, 1_48_10, 98_70),
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

    assert limit_of(board, prev_close_e4, trade_date) == expected


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
    assert limit_of(Board.MAIN, prev_close_e4, trade_date, stage=ST)[1] == up_e4


@pytest.mark.parametrize(
    ("prev_close_e4", "up_e4", "down_e4"),
    [
        (84_63_00, 110_01_00, 59_25_00),
        (17_09_00, 22_21_00, 11_97_00),
        (31_46_00, 40_89_00, 22_03_00),
        (2_85_00, 3_70_00, 2_00_00),
        (70_00, 91_00, 49_00),
        (43_00_00, 55_90_00, 30_10_00),
    ],
)
def test_price_limits_of_bse_are_cut_towards_the_previous_close(
    prev_close_e4: int,
    up_e4: int,
    down_e4: int,
) -> None:
    """84.63 x 1.3 = 110.019 is 110.01, and 84.63 x 0.7 = 59.241 is 59.25."""
    expected = (LimitState.LIMITED, up_e4, down_e4)

    assert limit_of(Board.BSE, prev_close_e4, 2024_05_06) == expected


@pytest.mark.parametrize(
    ("board", "prev_close_e4", "up_e4", "down_e4"),
    [
        (Board.MAIN, 4_00, 5_00, 3_00),
        (Board.MAIN, 2_00, 3_00, 1_00),
        (Board.MAIN, 1_00, 2_00, 1_00),
        (Board.BSE, 3_00, 4_00, 2_00),
        (Board.BSE, 1_00, 2_00, 1_00),
        (Board.ETF, 10, 20, 10),
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

    assert limit_of(board, prev_close_e4, 2024_05_06) == expected


def test_price_limit_of_one_names_the_row_that_says_so() -> None:
    """A person asks where a number comes from; silence has no source."""
    known = price_limit(
        board=Board.MAIN,
        stage=ST,
        prev_close_e4=1_87_00,
        trade_date=2026_07_06,
    )
    silent = price_limit(
        board=Board.MAIN,
        stage=IN_DOUBT,
        prev_close_e4=1_87_00,
        trade_date=2026_07_05,
    )

    assert known.rule is LIMIT_ROWS[Board.MAIN, ST][-1]
    assert silent == PriceLimit(LimitState.UNKNOWN, 0, 0, None)


def test_rows_in_doubt_hold_where_both_agree_and_as_surely_as_the_weaker() -> None:
    """Doubt about ST matters only while it changes the limit."""
    ten, five = LimitRule(LimitState.LIMITED, 1, -1), LimitRule(LimitState.LIMITED, 2, -2)
    ordinary = (DatedRow(2000_01_01, LAST_DATE, ten, "one", Confidence.A),)
    risk_warning = (
        DatedRow(1999_01_01, 2004_12_31, ten, "two", Confidence.C),
        DatedRow(2005_01_01, 2009_12_31, five, "three", Confidence.A),
        DatedRow(2010_01_01, 2010_12_31, ten, "four", Confidence.A),
    )

    rows = rows_in_doubt(ordinary, risk_warning)

    assert [(row.effective_from, row.effective_to, row.confidence) for row in rows] == [
        (2000_01_01, 2004_12_31, Confidence.C),
        (2010_01_01, 2010_12_31, Confidence.A),
    ]
    assert rows_in_doubt(rows[:1], rows[1:]) == ()


def test_price_limits_of_many_have_the_promised_types() -> None:
    """Frames take the arrays as they are."""
    limits = price_limits(
        boards=np.array([Board.MAIN, Board.UNKNOWN], np.uint8),
        stages=np.array([ORDINARY, ST], np.uint8),
        prev_close_e4=np.array([100_000, 100_000], np.int64),
        trade_date=2023_02_01,
    )

    assert isinstance(limits, PriceLimits)
    assert limits.state.dtype == np.uint8
    assert limits.up_e4.dtype == limits.down_e4.dtype == np.int64
    assert limits.state.tolist() == [LimitState.LIMITED, LimitState.UNKNOWN]


def test_price_limits_asked_twice_do_not_share_their_answers() -> None:
    """A caller may write into its columns; the day's table must not notice."""
    first, second = (
        price_limits(
            boards=np.array([Board.MAIN], np.uint8),
            stages=np.array([ORDINARY], np.uint8),
            prev_close_e4=np.array([100_000], np.int64),
            trade_date=2023_02_01,
        )
        for _ in range(2)
    )

    first.state[:] = LimitState.UNLIMITED

    assert second.state.tolist() == [LimitState.LIMITED]


def test_price_limits_of_unequal_shapes_raise() -> None:
    """Broadcasting one instrument's stage over a market would be a silent error."""
    with pytest.raises(InvariantError, match="one shape"):
        price_limits(
            boards=np.array([Board.MAIN, Board.MAIN], np.uint8),
            stages=np.array([ORDINARY], np.uint8),
            prev_close_e4=np.array([100_000, 100_000], np.int64),
            trade_date=2023_02_01,
        )
