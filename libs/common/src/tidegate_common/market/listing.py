"""The stage of a listing, which decides what limit a day has.

An offering's first days go by the rule in force on the day of its listing, not by that of the
day asked for. Where the rule book is silent about them, the days that any rule sets apart are
UNKNOWN and the later ones ordinary: every offering ever seen was over by then.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Board, ListingStage, ListingStatus, RiskWarning
from tidegate_common.domain.units import BoolArray, Int64Array
from tidegate_common.errors import InvariantError
from tidegate_common.market.dated import LAST_DATE, Confidence, DatedRow, row_on

# A listing date for whoever knows only that the first days are long over. 0 is "not known".
LISTED_LONG_AGO = 1

_SHARES_2023 = "SSE 2023 No. 32, SZSE 2023 No. 98: shares listed since 2023-04-10"
_BAND_2014 = (
    "SSE 2014 No. 37, SZSE 2014 No. 54, effective 2014-06-13: orders of 64% to 144% of the "
    "issue price on the first day"
)


@dataclass(frozen=True, slots=True)
class IpoRule:
    """What the days after an offering are.

    unlimited_days : so many trading days, the listing day being the first, have no price limit.
    has_first_day_band : the listing day has a band of valid orders around the issue price.
    """

    unlimited_days: int
    has_first_day_band: bool


_FIVE_DAYS = IpoRule(unlimited_days=5, has_first_day_band=False)
_ONE_DAY = IpoRule(unlimited_days=1, has_first_day_band=False)
_BAND = IpoRule(unlimited_days=0, has_first_day_band=True)

# By board, dated by the day of the listing. No row: ChiNext before 2014-06-13 (unverified), the
# main board from 2013-12-13 to 2014-06-12 (a band was in force that no source here gives), shares
# that moved to BSE on its first day from elsewhere, and funds.
IPO_ROWS: dict[Board, tuple[DatedRow[IpoRule], ...]] = {
    Board.MAIN: (
        DatedRow(
            1996_12_16,
            2013_12_12,
            _ONE_DAY,
            "seen in data: 600000.SH traded from 27.00 to 29.80 on 1999-11-10, issued at 10.00",
            Confidence.C,
        ),
        DatedRow(2014_06_13, 2023_04_09, _BAND, _BAND_2014, Confidence.A),
        DatedRow(2023_04_10, LAST_DATE, _FIVE_DAYS, _SHARES_2023, Confidence.A),
    ),
    Board.CHINEXT: (
        DatedRow(2014_06_13, 2020_08_23, _BAND, _BAND_2014, Confidence.A),
        DatedRow(
            2020_08_24,
            LAST_DATE,
            _FIVE_DAYS,
            "SZSE 2020 No. 515 and No. 620: shares listed since 2020-08-24",
            Confidence.A,
        ),
    ),
    Board.STAR: (
        DatedRow(
            2019_07_22,
            LAST_DATE,
            _FIVE_DAYS,
            "SSE STAR Market Trading Rules, effective 2019-07-22",
            Confidence.A,
        ),
    ),
    Board.BSE: (
        DatedRow(
            2021_11_15,
            LAST_DATE,
            _ONE_DAY,
            "BSE Trading Rules, trial 2021-11-15; BSE 2026 No. 17, effective 2026-07-06",
            Confidence.A,
        ),
    ),
}

# No rule sets more days apart than these.
FIRST_DAYS_MAX = max(row.value.unlimited_days for rows in IPO_ROWS.values() for row in rows)

_STAGE_BY_RISK_WARNING = {
    RiskWarning.NO: ListingStage.ORDINARY,
    RiskWarning.YES: ListingStage.RISK_WARNING,
    RiskWarning.UNKNOWN: ListingStage.RISK_WARNING_IN_DOUBT,
}


def stage_of(
    *,
    board: Board,
    risk_warning: RiskWarning,
    status: ListingStatus,
    listed: int,
    listing_day: int,
    status_day: int,
) -> ListingStage:
    """Return the stage of a listing on a day.

    Only the first day of a relisting and of a delisting period are days of their own: a status of
    RELISTING on a later day is an ordinary listing.

    Parameters
    ----------
    listed : YYYYMMDD, `LISTED_LONG_AGO` where only so much is known, 0 where nothing is.
    listing_day : number of the trading day since the listing, 1 the first, 0 before it.
    status_day : number of the trading day within the status, 1 the first, 0 not known.

    Returns
    -------
    `ListingStage.UNKNOWN` where a fact that the stage depends on is not known.

    Source: row by row in `IPO_ROWS`; statuses SSE 2023 No. 32, SZSE 2023 No. 98, read 2026-11-21.
    """
    match status:
        case ListingStatus.NOT_LISTED:
            return ListingStage.NOT_LISTED
        case ListingStatus.LISTED:
            return _listed_stage(
                board=board,
                risk_warning=risk_warning,
                listed=listed,
                listing_day=listing_day,
            )
        case ListingStatus.RELISTING if status_day == 1:
            return ListingStage.RELISTING
        case ListingStatus.RELISTING if status_day > 1:
            return _STAGE_BY_RISK_WARNING[risk_warning]
        case ListingStatus.DELISTING if status_day > 0:
            is_first = status_day == 1
            return ListingStage.DELISTING_FIRST_DAY if is_first else ListingStage.DELISTING
        case _:
            return ListingStage.UNKNOWN


def stages_of(
    *,
    boards: NDArray[np.uint8],
    risk_warning: NDArray[np.uint8],
    status: NDArray[np.uint8],
    listed: Int64Array,
    listing_day: Int64Array,
    status_day: Int64Array,
) -> NDArray[np.uint8]:
    """Return the stage of each listing on a day; equals `stage_of` elementwise.

    Parameters
    ----------
    boards, risk_warning, status : (n,) uint8, `Board`, `RiskWarning` and `ListingStatus`.
    listed, listing_day, status_day : (n,) int64, as of `stage_of`.

    Returns
    -------
    (n,) uint8, `ListingStage` values.

    Raises
    ------
    InvariantError
        If the arrays differ in shape.

    Source: as `stage_of`.
    """
    shapes = {
        column.shape for column in (boards, risk_warning, status, listed, listing_day, status_day)
    }
    if len(shapes) > 1:
        message = f"columns of a listing must have one shape, were {sorted(shapes)}"
        raise InvariantError(message)
    later = _LATER_STAGE[risk_warning]
    stages = np.full(boards.shape, ListingStage.UNKNOWN, dtype=np.uint8)
    is_listed = status == ListingStatus.LISTED
    _set_listed(stages, is_listed, later, boards=boards, listed=listed, listing_day=listing_day)
    is_relisting = status == ListingStatus.RELISTING
    is_delisting = status == ListingStatus.DELISTING
    if is_relisting.any() or is_delisting.any():
        is_first, is_later = status_day == 1, status_day > 1
        stages[is_relisting & is_first] = ListingStage.RELISTING
        np.copyto(stages, later, where=is_relisting & is_later)
        stages[is_delisting & is_first] = ListingStage.DELISTING_FIRST_DAY
        stages[is_delisting & is_later] = ListingStage.DELISTING
    stages[status == ListingStatus.NOT_LISTED] = ListingStage.NOT_LISTED
    return stages


def ordinary_stages_of(is_st: BoolArray) -> NDArray[np.uint8]:
    """Return the stage of shares that listed long ago, where only the ST flag is known.

    For feeds without listing dates: a first day, a relisting or a delisting period goes unseen.

    Parameters
    ----------
    is_st : (n,) bool, under risk warning (ST or *ST) on the day.

    Returns
    -------
    (n,) uint8, `ListingStage` ORDINARY or RISK_WARNING.
    """
    return np.where(
        is_st,
        np.uint8(ListingStage.RISK_WARNING),
        np.uint8(ListingStage.ORDINARY),
    )


def _listed_stage(
    *,
    board: Board,
    risk_warning: RiskWarning,
    listed: int,
    listing_day: int,
) -> ListingStage:
    if listed <= 0:
        return ListingStage.UNKNOWN
    if listed > LISTED_LONG_AGO and listing_day <= 0:
        return ListingStage.NOT_LISTED
    if listed > LISTED_LONG_AGO and listing_day <= FIRST_DAYS_MAX:
        row = row_on(IPO_ROWS.get(board, ()), listed)
        if row is None:
            return ListingStage.UNKNOWN
        if listing_day <= row.value.unlimited_days:
            return ListingStage.FIRST_DAYS
        if row.value.has_first_day_band and listing_day == 1:
            return ListingStage.FIRST_DAY_BAND
    return _STAGE_BY_RISK_WARNING[risk_warning]


def _set_listed(
    stages: NDArray[np.uint8],
    is_listed: BoolArray,
    later: NDArray[np.uint8],
    *,
    boards: NDArray[np.uint8],
    listed: Int64Array,
    listing_day: Int64Array,
) -> None:
    """Write the stages of listed shares into `stages`; the others stay as they are."""
    np.copyto(stages, later, where=is_listed & (listed > 0))
    is_dated = is_listed & (listed > LISTED_LONG_AGO)
    stages[is_dated & (listing_day <= 0)] = ListingStage.NOT_LISTED
    # A handful of the market: only these are looked up row by row.
    early = np.flatnonzero(is_dated & (listing_day > 0) & (listing_day <= FIRST_DAYS_MAX))
    if early.size == 0:
        return
    early_board, early_listed, early_day = boards[early], listed[early], listing_day[early]
    early_stages = np.full(early.shape, ListingStage.UNKNOWN, dtype=np.uint8)
    for board, rows in IPO_ROWS.items():
        for row in rows:
            is_of_row = (early_board == board) & (early_listed >= row.effective_from)
            is_of_row &= early_listed <= row.effective_to
            row_stages = np.where(
                early_day <= row.value.unlimited_days,
                np.uint8(ListingStage.FIRST_DAYS),
                later[early],
            )
            if row.value.has_first_day_band:
                row_stages[early_day == 1] = ListingStage.FIRST_DAY_BAND
            np.copyto(early_stages, row_stages, where=is_of_row)
    stages[early] = early_stages


def _build_later_stage() -> NDArray[np.uint8]:
    """Return the stage after the first days by risk warning, (256,): UNKNOWN where undefined."""
    table = np.full(256, ListingStage.UNKNOWN, dtype=np.uint8)
    for risk_warning, stage in _STAGE_BY_RISK_WARNING.items():
        table[risk_warning] = stage
    table.setflags(write=False)
    return table


_LATER_STAGE = _build_later_stage()
