"""The instrument table: validity dates, days of a listing and of a status."""

from dataclasses import fields, replace

import numpy as np
import pytest

from tidegate_common.domain.enums import Board, ListingStage, ListingStatus, RiskWarning
from tidegate_common.domain.ids import parse_symbol
from tidegate_common.errors import ConfigError
from tidegate_common.market.calendar import CalendarError, TradingCalendar
from tidegate_common.market.dated import FIRST_DATE, LAST_DATE, Confidence
from tidegate_common.market.instruments import InstrumentRow, InstrumentStatus, InstrumentTable
from tidegate_common.market.listing import LISTED_LONG_AGO

SHARE = parse_symbol("600001.SH")
OTHER = parse_symbol("000018.SZ")
# Two weeks of October 2020 after the holiday: Friday the 9th is the first trading day.
DAYS = [2020_10_09, 2020_10_12, 2020_10_13, 2020_10_14, 2020_10_15, 2020_10_16, 2020_10_19]
CALENDAR = TradingCalendar(
    np.array(DAYS, np.int64),
    first_date=2020_10_01,
    last_date=2020_10_25,
)
LONG_LISTED = InstrumentRow(
    instrument=SHARE,
    effective_from=FIRST_DATE,
    effective_to=LAST_DATE,
    board=Board.MAIN,
    status=ListingStatus.LISTED,
    risk_warning=RiskWarning.NO,
    listed=LISTED_LONG_AGO,
    has_same_day_resale=False,
    source="a list",
    confidence=Confidence.B,
)


def status_of(table: InstrumentTable, instrument: int, trade_date: int) -> InstrumentStatus:
    """Return an instrument's status on a day, on which both interfaces agree."""
    one = table.status_on(instrument, trade_date)
    many = table.statuses_on(np.array([instrument], np.int64), trade_date)
    for name in (field.name for field in fields(many)):
        assert getattr(many, name).tolist() == [getattr(one, name)]
    return one


def test_status_on_covered_day_says_what_the_row_says() -> None:
    """A person sees the facts, the days counted, and where they were read."""
    row = replace(LONG_LISTED, board=Board.ETF, listed=2020_10_12, has_same_day_resale=True)
    table = InstrumentTable([row], CALENDAR)

    status = status_of(table, SHARE, 2020_10_19)

    assert status == InstrumentStatus(
        instrument=SHARE,
        board=Board.ETF,
        stage=ListingStage.ORDINARY,
        status=ListingStatus.LISTED,
        risk_warning=RiskWarning.NO,
        listed=2020_10_12,
        listing_day=6,
        status_from=0,
        status_day=0,
        has_same_day_resale=True,
        row=row,
    )


@pytest.mark.parametrize(
    ("instrument", "trade_date"),
    [
        (SHARE, 2020_10_11),
        (SHARE, 2020_10_15),
        (SHARE - 1, 2020_10_12),
        (SHARE + 1, 2020_10_12),
        (0, 2020_10_12),
        (-1, 2020_10_12),
        (2**62, 2020_10_12),
    ],
)
def test_status_on_day_or_of_instrument_without_row_is_unknown(
    instrument: int,
    trade_date: int,
) -> None:
    """A neighbour's row, or the row of another day, is not an answer."""
    row = replace(LONG_LISTED, effective_from=2020_10_12, effective_to=2020_10_14)
    table = InstrumentTable([row], CALENDAR)

    status = status_of(table, instrument, trade_date)

    assert status == InstrumentStatus(
        instrument=instrument,
        board=Board.UNKNOWN,
        stage=ListingStage.UNKNOWN,
        status=ListingStatus.UNKNOWN,
        risk_warning=RiskWarning.UNKNOWN,
        listed=0,
        listing_day=0,
        status_from=0,
        status_day=0,
        has_same_day_resale=False,
        row=None,
    )


def test_status_on_empty_table_is_unknown() -> None:
    """A market may begin without instruments."""
    table = InstrumentTable([], CALENDAR)

    assert status_of(table, SHARE, 2020_10_12).row is None
    assert table.statuses_on(np.array([], np.int64), 2020_10_12).stage.shape == (0,)


def test_status_on_code_of_two_companies_tells_them_apart() -> None:
    """A code is given again: what was the old company's is not the new one's."""
    old = replace(LONG_LISTED, effective_to=2020_10_12, listed=LISTED_LONG_AGO)
    new = replace(LONG_LISTED, effective_from=2020_10_14, listed=2020_10_14, board=Board.STAR)
    table = InstrumentTable([new, old], CALENDAR)

    stages = [status_of(table, SHARE, day).stage for day in DAYS]

    assert stages == [
        ListingStage.ORDINARY,
        ListingStage.ORDINARY,
        ListingStage.UNKNOWN,
        *[ListingStage.FIRST_DAYS] * 4,
    ]


def test_status_on_days_of_delisting_counts_from_its_first_row() -> None:
    """What else changes meanwhile does not begin the period anew; a weekend does not end it."""
    listed = replace(LONG_LISTED, effective_to=2020_10_11)
    period = replace(
        LONG_LISTED,
        status=ListingStatus.DELISTING,
        effective_from=2020_10_12,
        effective_to=2020_10_16,
    )
    warned = replace(
        period,
        effective_from=2020_10_19,
        effective_to=2020_10_25,
        risk_warning=RiskWarning.YES,
    )
    table = InstrumentTable([warned, listed, period], CALENDAR)

    statuses = [status_of(table, SHARE, day) for day in DAYS]

    assert [status.status_day for status in statuses] == [0, 1, 2, 3, 4, 5, 6]
    assert {status.status_from for status in statuses[1:]} == {2020_10_12}
    assert [status.stage for status in statuses[:3]] == [
        ListingStage.ORDINARY,
        ListingStage.DELISTING_FIRST_DAY,
        ListingStage.DELISTING,
    ]


FIRST = replace(LONG_LISTED, effective_from=2020_10_09, effective_to=2020_10_12)
SECOND = replace(LONG_LISTED, effective_from=2020_10_13)


@pytest.mark.parametrize(
    "second",
    [
        replace(SECOND, instrument=OTHER),
        replace(SECOND, status=ListingStatus.RELISTING),
        replace(SECOND, listed=2020_10_13),
        replace(SECOND, effective_from=2020_10_14),
    ],
)
def test_status_from_begins_anew_where_rows_are_not_one_status(second: InstrumentRow) -> None:
    """Another share, status, company or a day between: the days are counted from there."""
    table = InstrumentTable([FIRST, second], CALENDAR)

    status = status_of(table, second.instrument, 2020_10_14)

    assert status.status_from == second.effective_from
    assert status.status_day == 1 + (second.effective_from == 2020_10_13)


def test_status_begun_before_the_calendar_has_no_days() -> None:
    """Whether it is the first day cannot be told, and must not be guessed."""
    row = replace(
        LONG_LISTED,
        status=ListingStatus.DELISTING,
        effective_from=2020_09_30,
    )
    table = InstrumentTable([row], CALENDAR)

    status = status_of(table, SHARE, 2020_10_09)

    assert (status.status_from, status.status_day) == (0, 0)
    assert status.stage is ListingStage.UNKNOWN


@pytest.mark.parametrize(
    ("trade_date", "stage"),
    [
        (2020_10_09, ListingStage.UNKNOWN),
        (2020_10_15, ListingStage.UNKNOWN),
        (2020_10_16, ListingStage.ORDINARY),
    ],
)
def test_status_of_listing_before_the_calendar_is_in_doubt_for_five_days(
    trade_date: int,
    stage: ListingStage,
) -> None:
    """Days before the calendar are not counted: the first it has may not be a first day."""
    table = InstrumentTable([replace(LONG_LISTED, listed=2020_09_30)], CALENDAR)

    assert status_of(table, SHARE, trade_date).stage is stage


@pytest.mark.parametrize(
    ("listed", "listing_day", "stage"),
    [
        (0, 0, ListingStage.UNKNOWN),
        (LISTED_LONG_AGO, 2, ListingStage.ORDINARY),
        (2020_10_12, 1, ListingStage.FIRST_DAY_BAND),
        (2020_10_13, 0, ListingStage.NOT_LISTED),
    ],
)
def test_status_on_first_days_counts_trading_days_of_the_listing(
    listed: int,
    listing_day: int,
    stage: ListingStage,
) -> None:
    """The stage follows from the calendar; a date that is not known has no days."""
    table = InstrumentTable([replace(LONG_LISTED, listed=listed)], CALENDAR)

    status = status_of(table, SHARE, 2020_10_12)

    assert (status.listing_day, status.stage) == (listing_day, stage)


def test_statuses_on_many_instruments_keep_their_order() -> None:
    """A frame's rows come as the feed sorts them, known and unknown mixed."""
    other = replace(LONG_LISTED, instrument=OTHER, risk_warning=RiskWarning.YES)
    table = InstrumentTable([other, LONG_LISTED], CALENDAR)

    columns = table.statuses_on(np.array([OTHER, 42, SHARE, OTHER]), 2020_10_12)

    assert columns.stage.tolist() == [
        ListingStage.RISK_WARNING,
        ListingStage.UNKNOWN,
        ListingStage.ORDINARY,
        ListingStage.RISK_WARNING,
    ]
    assert columns.stage.dtype == columns.board.dtype == columns.status.dtype == np.uint8
    assert columns.listed.dtype == columns.status_day.dtype == np.int64


@pytest.mark.parametrize("instrument", [SHARE, 42])
def test_status_on_day_outside_the_calendar_raises(instrument: int) -> None:
    """A day that cannot be counted has no status, known share or not."""
    table = InstrumentTable([LONG_LISTED], CALENDAR)

    with pytest.raises(CalendarError):
        table.status_on(instrument, 2020_10_26)
    with pytest.raises(CalendarError):
        table.statuses_on(np.array([instrument]), 2020_10_26)


def test_instrument_table_with_rows_sharing_a_day_names_both() -> None:
    """Two answers for one day: the message says which rows to mend."""
    first = replace(LONG_LISTED, effective_from=2001_01_02, effective_to=2005_06_30)
    second = replace(LONG_LISTED, effective_from=2005_06_30)

    with pytest.raises(
        ConfigError,
        match=r"600001\.SH 20010102 to 20050630 and 600001\.SH 20050630 to 99991231",
    ):
        InstrumentTable([second, first], CALENDAR)


def test_instrument_table_with_row_ending_before_it_begins_names_it() -> None:
    """Such a row would never answer, silently."""
    row = replace(LONG_LISTED, effective_from=2005_06_30, effective_to=2005_06_29)

    with pytest.raises(ConfigError, match=r"600001\.SH 20050630 to 20050629"):
        InstrumentTable([row], CALENDAR)


@pytest.mark.parametrize("instrument", [-1, 600_519, 4_000_000])
def test_instrument_table_with_foreign_instrument_raises(instrument: int) -> None:
    """A code without its exchange is no instrument."""
    with pytest.raises(ConfigError, match=f"was {instrument}"):
        InstrumentTable([replace(LONG_LISTED, instrument=instrument)], CALENDAR)
