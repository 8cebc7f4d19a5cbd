"""Trading days of the A-share market.

The exchanges publish their days one year ahead at most: where the calendar ends it says so, and
never guesses. Shanghai, Shenzhen and, since it opened, Beijing share their trading days, so one
calendar serves all three. Dates are `YYYYMMDD` integers, Shanghai.
"""

import warnings
from bisect import bisect_left, bisect_right
from datetime import date
from functools import cache

import numpy as np

from tidegate_common.domain.units import BoolArray, Int64Array
from tidegate_common.errors import ConfigError

# Shanghai's first trading day: nothing was traded before it.
XSHG_FIRST_DATE = 1990_12_19


class CalendarError(ConfigError):
    """A date is none, is no trading day, or lies outside what the calendar covers."""


class TradingCalendar:
    """The trading days between two dates, and arithmetic on them.

    Parameters
    ----------
    sessions : (n,) int64, trading days, strictly increasing, n >= 1; copied.
    first_date, last_date : the covered span, both included. Every day of it that is not in
        `sessions` is known to be without trading.

    Raises
    ------
    CalendarError
        If the days are not strictly increasing or lie outside the span, or an end is no date.
    """

    def __init__(self, sessions: Int64Array, *, first_date: int, last_date: int) -> None:
        _check_sessions(sessions, first_date=first_date, last_date=last_date)
        self.first_date = first_date
        self.last_date = last_date
        self.sessions: Int64Array = sessions.copy()
        self.sessions.setflags(write=False)
        # Bisection over a list is several times faster than numpy's for one date.
        self._days: list[int] = sessions.tolist()
        # For many dates a look-up is: how many trading days are before each number of the span.
        # Dates are numbers with gaps, so 36 years take 360,000 places of four bytes.
        numbers = np.arange(first_date, last_date + 2)
        self._days_before = np.searchsorted(sessions, numbers).astype(np.int32)

    def is_trading_day(self, trade_date: int) -> bool:
        """Tell whether there is trading on a day.

        Raises
        ------
        CalendarError
            If the date is none or is not covered.
        """
        self._check_covered(trade_date)
        place = bisect_left(self._days, trade_date)
        return place < len(self._days) and self._days[place] == trade_date

    def require_trading_day(self, trade_date: int) -> None:
        """Raise CalendarError unless there is trading on a day."""
        if not self.is_trading_day(trade_date):
            place = bisect_left(self._days, trade_date)
            near = " and ".join(map(_text, self._days[max(0, place - 1) : place + 1]))
            message = f"date must be a trading day, was {_text(trade_date)}; nearest: {near}"
            raise CalendarError(message)

    def next_day(self, trade_date: int) -> int:
        """Return the first trading day after a date.

        Raises
        ------
        CalendarError
            If the date is none or is not covered, or the calendar ends before that day.
        """
        self._check_covered(trade_date)
        place = bisect_right(self._days, trade_date)
        if place == len(self._days):
            message = f"no trading day is known after {_text(trade_date)}: {self._span_text()}"
            raise CalendarError(message)
        return self._days[place]

    def previous_day(self, trade_date: int) -> int:
        """Return the last trading day before a date.

        Raises
        ------
        CalendarError
            If the date is none or is not covered, or the calendar begins after that day.
        """
        self._check_covered(trade_date)
        place = bisect_left(self._days, trade_date)
        if place == 0:
            message = f"no trading day is known before {_text(trade_date)}: {self._span_text()}"
            raise CalendarError(message)
        return self._days[place - 1]

    def day_number(self, *, since: int, on: int) -> int:
        """Return the number of a day counted in trading days from a date.

        Parameters
        ----------
        since : first day of the count; one before the calendar counts from its first date.
        on : the day asked about.

        Returns
        -------
        1 on the first trading day on or after `since`; 0 before it. A day without trading has
        the number of the last trading day before it.

        Raises
        ------
        CalendarError
            If `on` is no date or is not covered.
        """
        self._check_covered(on)
        return max(0, bisect_right(self._days, on) - bisect_left(self._days, since))

    def day_numbers(self, since: Int64Array, *, on: int) -> Int64Array:
        """Return `day_number` elementwise.

        Parameters
        ----------
        since : (n,) int64, first days of the counts.
        on : the day asked about.

        Returns
        -------
        (n,) int64.

        Raises
        ------
        CalendarError
            If `on` is no date or is not covered.
        """
        self._check_covered(on)
        place = np.clip(since, self.first_date, self.last_date + 1) - self.first_date
        days_before = self._days_before.take(place).astype(np.int64)
        return np.maximum(0, bisect_right(self._days, on) - days_before)

    def _check_covered(self, trade_date: int) -> None:
        _check_date(trade_date)
        if not self.first_date <= trade_date <= self.last_date:
            message = f"{_text(trade_date)} is not in the trading calendar: {self._span_text()}"
            raise CalendarError(message)

    def _span_text(self) -> str:
        return f"it covers {_text(self.first_date)} to {_text(self.last_date)}"


@cache
def xshg_calendar() -> TradingCalendar:
    """Return the trading days of Shanghai, 1990-12-19 to the last day that was published.

    Both ends are given to exchange_calendars, whose defaults follow the wall clock. Which last
    day that is depends on its pinned version alone: 2026-12-31 for 4.13.

    Source: exchange_calendars, calendar XSHG; agrees with the calendars of baostock (2015 to
    2023) and Tushare (2024 to 2026) and with DolphinDB's holiday lists of XSHG and XSHE, read
    2026-11-21 (B).
    """
    # The import takes more than a second; who never asks for a date does not wait for it.
    from exchange_calendars.exchange_calendar_xshg import (  # noqa: PLC0415
        XSHGExchangeCalendar,
    )

    last = XSHGExchangeCalendar.bound_max()
    # It still uses what pandas is about to change, on hours of the day that we do not read.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        days = XSHGExchangeCalendar(start=_text(XSHG_FIRST_DATE), end=last).sessions
    sessions = np.asarray(days.year * 10_000 + days.month * 100 + days.day, dtype=np.int64)
    last_date = last.year * 10_000 + last.month * 100 + last.day
    return TradingCalendar(sessions, first_date=XSHG_FIRST_DATE, last_date=last_date)


def _check_sessions(sessions: Int64Array, *, first_date: int, last_date: int) -> None:
    is_rising: BoolArray = np.diff(sessions) > 0
    if not len(sessions) or not is_rising.all():
        message = f"trading days must be one or more, strictly increasing, were {sessions}"
        raise CalendarError(message)
    for number in (first_date, last_date):
        _check_date(number)
    if not first_date <= sessions[0] <= sessions[-1] <= last_date:
        message = (
            f"trading days must lie within {_text(first_date)} to {_text(last_date)}, "
            f"were {_text(int(sessions[0]))} to {_text(int(sessions[-1]))}"
        )
        raise CalendarError(message)


def _check_date(number: int) -> None:
    year, month_day = divmod(number, 10_000)
    try:
        date(year, *divmod(month_day, 100))
    except ValueError as error:
        message = f"date must be a day of the calendar as YYYYMMDD, was {number}"
        raise CalendarError(message) from error


def _text(trade_date: int) -> str:
    year, month_day = divmod(trade_date, 10_000)
    month, day = divmod(month_day, 100)
    return f"{year:04d}-{month:02d}-{day:02d}"
