"""What the exchanges' notices say of instruments, with the days it holds.

A code tells little of the past: it had another board, another status, another company. Here each
fact is a row of days; a day without a row is UNKNOWN, and so is an instrument without rows.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import (
    Board,
    Exchange,
    ListingStage,
    ListingStatus,
    RiskWarning,
)
from tidegate_common.domain.ids import EXCHANGE_STEP, format_symbol
from tidegate_common.domain.units import BoolArray, Int64Array
from tidegate_common.errors import ConfigError
from tidegate_common.market.calendar import TradingCalendar
from tidegate_common.market.dated import FIRST_DATE, Confidence
from tidegate_common.market.listing import (
    FIRST_DAYS_MAX,
    LISTED_LONG_AGO,
    stage_of,
    stages_of,
)

# A place for every date behind an instrument id: 1,600,519 and 2023-02-01 are 160051920230201.
_DATES = 1_0000_00_00
_NOWHERE = -1
_LAST_EXCHANGE = max(Exchange)


@dataclass(frozen=True, slots=True)
class InstrumentRow:
    """What is true of an instrument from `effective_from` to `effective_to`, both included.

    listed : YYYYMMDD, `listing.LISTED_LONG_AGO` or 0 (not known); another company on the same
        code has another date.
    has_same_day_resale : what was bought today can be sold today (some funds).
    """

    instrument: int
    effective_from: int
    effective_to: int
    board: Board
    status: ListingStatus
    risk_warning: RiskWarning
    listed: int
    has_same_day_resale: bool
    source: str
    confidence: Confidence


_NOTHING = InstrumentRow(
    instrument=0,
    effective_from=FIRST_DATE,
    effective_to=FIRST_DATE,
    board=Board.UNKNOWN,
    status=ListingStatus.UNKNOWN,
    risk_warning=RiskWarning.UNKNOWN,
    listed=0,
    has_same_day_resale=False,
    source="",
    confidence=Confidence.D,
)


@dataclass(frozen=True, slots=True)
class InstrumentStatus:
    """An instrument on a day.

    listing_day : number of the trading day since the listing, 1 the first; 0 before it or not
        known.
    status_from, status_day : first date of the status, whatever else changed meanwhile, and
        number of the trading day within it, 1 the first; 0 not known.
    row : where this was read; None where nothing is known.
    """

    instrument: int
    board: Board
    stage: ListingStage
    status: ListingStatus
    risk_warning: RiskWarning
    listed: int
    listing_day: int
    status_from: int
    status_day: int
    has_same_day_resale: bool
    row: InstrumentRow | None


@dataclass(frozen=True, slots=True)
class InstrumentColumns:
    """Instruments on a day, one row each; `InstrumentStatus` says what the columns are.

    board, stage, status, risk_warning : (n,) uint8, values of their enums.
    listed, listing_day, status_from, status_day : (n,) int64.
    has_same_day_resale : (n,) bool.
    """

    instrument: Int64Array
    board: NDArray[np.uint8]
    stage: NDArray[np.uint8]
    status: NDArray[np.uint8]
    risk_warning: NDArray[np.uint8]
    listed: Int64Array
    listing_day: Int64Array
    status_from: Int64Array
    status_day: Int64Array
    has_same_day_resale: BoolArray


class InstrumentTable:
    """The instruments of a market and what was true of them when.

    Parameters
    ----------
    rows : in any order.
    calendar : counts the trading days of a listing and of a status.

    Raises
    ------
    ConfigError
        If a row's instrument is of no exchange, a row ends before it begins, or two rows of an
        instrument share a day.
    """

    def __init__(self, rows: Iterable[InstrumentRow], calendar: TradingCalendar) -> None:
        ordered = sorted(rows, key=lambda row: (row.instrument, row.effective_from))
        _check_rows(ordered)
        self._calendar = calendar
        self._keys = [row.instrument * _DATES + row.effective_from for row in ordered]
        self._key_column = np.array(self._keys, dtype=np.int64)
        status_from = [*_status_starts(ordered, calendar), 0]
        # The last row says what is not known: place -1 finds it.
        self._rows = everything = [*ordered, _NOTHING]
        self._instrument = np.array([row.instrument for row in everything], dtype=np.int64)
        self._effective_to = np.array([row.effective_to for row in everything], dtype=np.int64)
        self._board = np.array([row.board for row in everything], dtype=np.uint8)
        self._status = np.array([row.status for row in everything], dtype=np.uint8)
        self._risk_warning = np.array([row.risk_warning for row in everything], dtype=np.uint8)
        self._listed = np.array([row.listed for row in everything], dtype=np.int64)
        self._status_from = np.array(status_from, dtype=np.int64)
        self._has_same_day_resale = np.array([row.has_same_day_resale for row in everything])

    def status_on(self, instrument: int, trade_date: int) -> InstrumentStatus:
        """Return an instrument on a day, UNKNOWN where no row covers it.

        Parameters
        ----------
        trade_date : YYYYMMDD, Shanghai.

        Raises
        ------
        CalendarError
            If the calendar does not cover the day.
        """
        place = bisect_right(self._keys, instrument * _DATES + trade_date) - 1
        row = self._rows[place]
        if row.instrument != instrument or row.effective_to < trade_date:
            place, row = _NOWHERE, _NOTHING
        status_from = int(self._status_from[place])
        listing_day = self._day_number(row.listed, trade_date)
        status_day = self._day_number(status_from, trade_date)
        return InstrumentStatus(
            instrument=instrument,
            board=row.board,
            stage=stage_of(
                board=row.board,
                risk_warning=row.risk_warning,
                status=row.status,
                listed=0 if self._is_in_doubt(row.listed, listing_day) else row.listed,
                listing_day=listing_day,
                status_day=status_day,
            ),
            status=row.status,
            risk_warning=row.risk_warning,
            listed=row.listed,
            listing_day=listing_day,
            status_from=status_from,
            status_day=status_day,
            has_same_day_resale=row.has_same_day_resale,
            row=row if place != _NOWHERE else None,
        )

    def statuses_on(self, instruments: Int64Array, trade_date: int) -> InstrumentColumns:
        """Return many instruments on a day; equals `status_on` elementwise.

        Parameters
        ----------
        instruments : (n,) int64, in any order, known or not.
        trade_date : YYYYMMDD, Shanghai.

        Raises
        ------
        CalendarError
            If the calendar does not cover the day.
        """
        wanted = instruments * _DATES + trade_date
        place = np.searchsorted(self._key_column, wanted, side="right") - 1
        is_known = self._instrument[place] == instruments
        is_known &= self._effective_to[place] >= trade_date
        place[~is_known] = _NOWHERE
        board, status = self._board[place], self._status[place]
        risk_warning, listed = self._risk_warning[place], self._listed[place]
        status_from = self._status_from[place]
        listing_day = self._day_numbers(listed, trade_date)
        status_day = self._day_numbers(status_from, trade_date)
        return InstrumentColumns(
            instrument=instruments,
            board=board,
            stage=stages_of(
                boards=board,
                risk_warning=risk_warning,
                status=status,
                listed=np.where(self._are_in_doubt(listed, listing_day), 0, listed),
                listing_day=listing_day,
                status_day=status_day,
            ),
            status=status,
            risk_warning=risk_warning,
            listed=listed,
            listing_day=listing_day,
            status_from=status_from,
            status_day=status_day,
            has_same_day_resale=self._has_same_day_resale[place],
        )

    def _is_in_doubt(self, listed: int, listing_day: int) -> bool:
        """Tell whether a listing is older than the calendar, and may have been in its first days.

        Its days are counted from the calendar's first date: there may have been more.
        """
        is_uncovered = LISTED_LONG_AGO < listed < self._calendar.first_date
        return is_uncovered and listing_day <= FIRST_DAYS_MAX

    def _are_in_doubt(self, listed: Int64Array, listing_day: Int64Array) -> BoolArray:
        is_uncovered = (listed > LISTED_LONG_AGO) & (listed < self._calendar.first_date)
        return is_uncovered & (listing_day <= FIRST_DAYS_MAX)

    def _day_number(self, since: int, trade_date: int) -> int:
        number = self._calendar.day_number(since=since, on=trade_date)
        return number if since > 0 else 0

    def _day_numbers(self, since: Int64Array, trade_date: int) -> Int64Array:
        return np.where(since > 0, self._calendar.day_numbers(since, on=trade_date), 0)


def _check_rows(rows: Sequence[InstrumentRow]) -> None:
    """Raise ConfigError unless sorted rows are of instruments, in order and apart."""
    for row in rows:
        if not 1 <= row.instrument // EXCHANGE_STEP <= _LAST_EXCHANGE:
            message = f"instrument must be of exchange 1, 2 or 3, was {row.instrument}"
            raise ConfigError(message)
        if row.effective_from > row.effective_to:
            message = f"a row must not end before it begins, was {_describe(row)}"
            raise ConfigError(message)
    for row, following in pairwise(rows):
        if row.instrument == following.instrument and row.effective_to >= following.effective_from:
            message = (
                "rows of an instrument must not share a day, "
                f"were {_describe(row)} and {_describe(following)}"
            )
            raise ConfigError(message)


def _describe(row: InstrumentRow) -> str:
    return f"{format_symbol(row.instrument)} {row.effective_from} to {row.effective_to}"


def _status_starts(rows: Sequence[InstrumentRow], calendar: TradingCalendar) -> list[int]:
    """Return when the status of each sorted row began: rows without a day between are one.

    0 where it began before the calendar: its days cannot be counted.
    """
    first_date = calendar.first_date
    starts = [row.effective_from if row.effective_from >= first_date else 0 for row in rows]
    for place, (row, following) in enumerate(pairwise(rows), start=1):
        if (
            row.instrument == following.instrument
            and row.status == following.status
            and row.listed == following.listed
            and not _has_day_between(calendar, after=row.effective_to, before=following)
        ):
            starts[place] = starts[place - 1]
    return starts


def _has_day_between(calendar: TradingCalendar, *, after: int, before: InstrumentRow) -> bool:
    first = np.searchsorted(calendar.sessions, after, side="right")
    return bool(first < np.searchsorted(calendar.sessions, before.effective_from))
