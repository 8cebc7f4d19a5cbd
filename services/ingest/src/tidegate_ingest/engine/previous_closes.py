"""Previous closes of feeds that say none: the closes of the trading day before."""

import numpy as np

from tidegate_common.domain.units import Int64Array
from tidegate_common.market.calendar import CalendarError, xshg_calendar


class PreviousCloses:
    """Closing prices of the last day, which stand in where a file has no previous close.

    A close counts only on the very next trading day: who knows what happened over a gap. It is
    no ex-rights reference price: on an ex-date it is too high, and the day's limits with it.
    """

    def __init__(self) -> None:
        """Know no day."""
        self._trade_date = 0
        self._instrument: Int64Array = np.zeros(0, dtype=np.int64)
        self._close_e4: Int64Array = np.zeros(0, dtype=np.int64)

    def on(self, trade_date: int, instrument: Int64Array) -> Int64Array:
        """Return the previous closes on a day, (n,) int64, 0 where none is known."""
        found = np.zeros(len(instrument), dtype=np.int64)
        if not len(self._instrument) or self._trade_date != _day_before(trade_date):
            return found
        place = np.searchsorted(self._instrument, instrument)
        place = np.minimum(place, len(self._instrument) - 1)
        return np.where(self._instrument[place] == instrument, self._close_e4[place], found)

    def learn(self, trade_date: int, instrument: Int64Array, close_e4: Int64Array) -> None:
        """Take the closes of a day, sorted by instrument."""
        self._trade_date, self._instrument, self._close_e4 = trade_date, instrument, close_e4


def _day_before(trade_date: int) -> int:
    """Return the trading day before; -1 where the calendar does not say it."""
    try:
        return xshg_calendar().previous_day(trade_date)
    except CalendarError:
        return -1
