"""Stages of a listing: first days, relisting, delisting, and what is not known."""

import numpy as np
import pytest
from tests.unit.common.market.days import day_beside

from tidegate_common.domain.enums import Board, ListingStage, ListingStatus, RiskWarning
from tidegate_common.errors import InvariantError
from tidegate_common.market.dated import LAST_DATE, DatedRow, row_on
from tidegate_common.market.listing import (
    FIRST_DAYS_MAX,
    IPO_ROWS,
    LISTED_LONG_AGO,
    IpoRule,
    ordinary_stages_of,
    stage_of,
    stages_of,
)

ORDINARY = ListingStage.ORDINARY
FIRST_DAYS = ListingStage.FIRST_DAYS
BAND = ListingStage.FIRST_DAY_BAND
UNKNOWN = ListingStage.UNKNOWN


def stage(
    board: Board = Board.MAIN,
    listed: int = 2001_08_27,
    listing_day: int = 1_000,
    *,
    risk_warning: RiskWarning = RiskWarning.NO,
    status: ListingStatus = ListingStatus.LISTED,
    status_day: int = 0,
) -> ListingStage:
    """Return the stage of one listing, on which both interfaces agree."""
    one = stage_of(
        board=board,
        risk_warning=risk_warning,
        status=status,
        listed=listed,
        listing_day=listing_day,
        status_day=status_day,
    )
    many = stages_of(
        boards=np.array([board], np.uint8),
        risk_warning=np.array([risk_warning], np.uint8),
        status=np.array([status], np.uint8),
        listed=np.array([listed], np.int64),
        listing_day=np.array([listing_day], np.int64),
        status_day=np.array([status_day], np.int64),
    )
    assert many.tolist() == [one]
    return one


def stages_of_rule(row: DatedRow[IpoRule] | None) -> list[ListingStage]:
    """Return what the first six days of a listing are by a row, spelled out."""
    if row is None:
        return [UNKNOWN] * 5 + [ORDINARY]
    first_days = [FIRST_DAYS] * row.value.unlimited_days
    if row.value.has_first_day_band:
        first_days = [BAND]
    return first_days + [ORDINARY] * (6 - len(first_days))


@pytest.mark.parametrize(
    ("board", "rows"),
    IPO_ROWS.items(),
    ids=[board.name for board in IPO_ROWS],
)
def test_stages_at_each_ipo_row_boundary_follow_the_row_of_the_listing_day(
    board: Board,
    rows: tuple[DatedRow[IpoRule], ...],
) -> None:
    """The rule of the listing day holds for all first days, whatever rule comes meanwhile."""
    for row in rows:
        days = [row.effective_from, day_beside(row.effective_from, -1)]
        if row.effective_to != LAST_DATE:
            days += [row.effective_to, day_beside(row.effective_to, 1)]
        for listed in days:
            stages = [stage(board, listed, listing_day) for listing_day in range(1, 7)]

            assert stages == stages_of_rule(row_on(rows, listed))
        assert row.source
        assert row.effective_from <= row.effective_to
    ends = [day for row in rows for day in (row.effective_from, row.effective_to)]
    assert ends == sorted(ends)


@pytest.mark.parametrize(
    ("board", "listed", "listing_day", "expected"),
    [
        (Board.MAIN, 1996_12_15, 1, UNKNOWN),
        (Board.MAIN, 1996_12_15, 6, ORDINARY),
        (Board.MAIN, 1999_11_10, 1, FIRST_DAYS),
        (Board.MAIN, 1999_11_10, 2, ORDINARY),
        (Board.MAIN, 2013_12_12, 1, FIRST_DAYS),
        (Board.MAIN, 2013_12_13, 1, UNKNOWN),
        (Board.MAIN, 2014_06_12, 5, UNKNOWN),
        (Board.MAIN, 2014_06_12, 6, ORDINARY),
        (Board.MAIN, 2014_06_13, 1, BAND),
        (Board.MAIN, 2014_06_13, 2, ORDINARY),
        (Board.MAIN, 2023_04_09, 1, BAND),
        (Board.MAIN, 2023_04_09, 2, ORDINARY),
        (Board.MAIN, 2023_04_10, 1, FIRST_DAYS),
        (Board.MAIN, 2023_04_10, 5, FIRST_DAYS),
        (Board.MAIN, 2023_04_10, 6, ORDINARY),
        (Board.CHINEXT, 2009_10_30, 1, UNKNOWN),
        (Board.CHINEXT, 2014_06_12, 1, UNKNOWN),
        (Board.CHINEXT, 2014_06_13, 1, BAND),
        (Board.CHINEXT, 2020_08_23, 1, BAND),
        (Board.CHINEXT, 2020_08_23, 2, ORDINARY),
        (Board.CHINEXT, 2020_08_24, 1, FIRST_DAYS),
        (Board.CHINEXT, 2020_08_24, 5, FIRST_DAYS),
        (Board.CHINEXT, 2020_08_24, 6, ORDINARY),
        (Board.STAR, 2019_07_21, 1, UNKNOWN),
        (Board.STAR, 2019_07_22, 5, FIRST_DAYS),
        (Board.STAR, 2019_07_22, 6, ORDINARY),
        (Board.BSE, 2021_11_14, 1, UNKNOWN),
        (Board.BSE, 2021_11_15, 1, FIRST_DAYS),
        (Board.BSE, 2021_11_15, 2, ORDINARY),
        # Shares that came from elsewhere had been listed for long when BSE began.
        (Board.BSE, 2020_07_27, 300, ORDINARY),
        (Board.ETF, 2012_05_28, 1, UNKNOWN),
        (Board.ETF, 2012_05_28, 6, ORDINARY),
        (Board.UNKNOWN, 2020_01_02, 1, UNKNOWN),
    ],
)
def test_stage_of_first_days_goes_by_the_listing_date(
    board: Board,
    listed: int,
    listing_day: int,
    expected: ListingStage,
) -> None:
    """Limits on a day that has none would reject what the market trades, and the reverse."""
    assert stage(board, listed, listing_day) is expected


@pytest.mark.parametrize(
    ("listed", "listing_day", "expected"),
    [
        (0, 0, UNKNOWN),
        (0, 1_000, UNKNOWN),
        (-1, 1_000, UNKNOWN),
        (LISTED_LONG_AGO, 0, ORDINARY),
        (LISTED_LONG_AGO, 1, ORDINARY),
        (LISTED_LONG_AGO, 8_000, ORDINARY),
        (2023_04_10, 0, ListingStage.NOT_LISTED),
        (2023_04_10, -1, ListingStage.NOT_LISTED),
    ],
)
def test_stage_without_a_listing_date_is_unknown_unless_long_ago(
    listed: int,
    listing_day: int,
    expected: ListingStage,
) -> None:
    """Nobody must take "not known" for "not a first day", nor trade before the listing."""
    assert stage(Board.MAIN, listed, listing_day) is expected


@pytest.mark.parametrize(
    ("risk_warning", "listing_day", "expected"),
    [
        (RiskWarning.NO, 6, ListingStage.ORDINARY),
        (RiskWarning.YES, 6, ListingStage.RISK_WARNING),
        (RiskWarning.UNKNOWN, 6, ListingStage.RISK_WARNING_IN_DOUBT),
        (RiskWarning.YES, 5, ListingStage.FIRST_DAYS),
        (RiskWarning.UNKNOWN, 1, ListingStage.FIRST_DAYS),
    ],
)
def test_stage_after_first_days_goes_by_the_risk_warning(
    risk_warning: RiskWarning,
    listing_day: int,
    expected: ListingStage,
) -> None:
    """An ST flag that is not known is a doubt of its own, and first days come before it."""
    assert stage(Board.STAR, 2023_04_10, listing_day, risk_warning=risk_warning) is expected


@pytest.mark.parametrize(
    ("status", "status_day", "expected"),
    [
        (ListingStatus.UNKNOWN, 1, UNKNOWN),
        (ListingStatus.NOT_LISTED, 0, ListingStage.NOT_LISTED),
        (ListingStatus.RELISTING, 0, UNKNOWN),
        (ListingStatus.RELISTING, 1, ListingStage.RELISTING),
        (ListingStatus.RELISTING, 2, ListingStage.RISK_WARNING),
        (ListingStatus.DELISTING, 0, UNKNOWN),
        (ListingStatus.DELISTING, 1, ListingStage.DELISTING_FIRST_DAY),
        (ListingStatus.DELISTING, 2, ListingStage.DELISTING),
        (ListingStatus.DELISTING, 30, ListingStage.DELISTING),
    ],
)
@pytest.mark.parametrize("listed", [0, LISTED_LONG_AGO, 2001_08_27])
def test_stage_of_other_statuses_goes_by_the_day_of_the_status(
    status: ListingStatus,
    status_day: int,
    expected: ListingStage,
    listed: int,
) -> None:
    """Only the first day is without a limit; which day it is must be known, the listing not."""
    risk_warning = RiskWarning.YES

    assert (
        stage(listed=listed, status=status, status_day=status_day, risk_warning=risk_warning)
        is expected
    )


def test_stages_of_foreign_values_are_unknown() -> None:
    """A status or a flag that a newer writer knows is not an ordinary listing."""
    stages = stages_of(
        boards=np.array([Board.MAIN, Board.MAIN, 99], np.uint8),
        risk_warning=np.array([RiskWarning.NO, 99, RiskWarning.NO], np.uint8),
        status=np.array([99, ListingStatus.LISTED, ListingStatus.LISTED], np.uint8),
        listed=np.full(3, 2023_04_10),
        listing_day=np.array([100, 100, 3]),
        status_day=np.full(3, 1),
    )

    assert stages.dtype == np.uint8
    assert stages.tolist() == [UNKNOWN, UNKNOWN, UNKNOWN]


def test_stages_of_unequal_shapes_raise() -> None:
    """Broadcasting one share's status over a market would be a silent error."""
    with pytest.raises(InvariantError, match="one shape"):
        stages_of(
            boards=np.array([Board.MAIN, Board.MAIN], np.uint8),
            risk_warning=np.array([RiskWarning.NO], np.uint8),
            status=np.array([ListingStatus.LISTED], np.uint8),
            listed=np.array([2001_08_27]),
            listing_day=np.array([100]),
            status_day=np.array([1]),
        )


def test_ordinary_stages_of_flags_tell_risk_warnings_apart() -> None:
    """Feeds know the ST flag and nothing else of a listing."""
    stages = ordinary_stages_of(np.array([False, True]))

    assert stages.dtype == np.uint8
    assert stages.tolist() == [ListingStage.ORDINARY, ListingStage.RISK_WARNING]


def test_first_days_at_most_are_those_of_the_longest_rule() -> None:
    """Where no rule is known, so many days are in doubt."""
    assert FIRST_DAYS_MAX == 5
