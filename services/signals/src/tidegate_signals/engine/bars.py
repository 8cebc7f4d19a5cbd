"""Bars of 1, 5 and 15 minutes from quotes, or from a feed's shorter bars.

Rules
-----
- A bar is stamped by its end: 09:31 to 11:30 and 13:01 to 15:00. A time belongs to the first end
  that is not before it: the opening call falls into the first bar, lunch into the 13:01 bar, and
  what comes after 15:00 into the last one.
- A bar is complete at the first TICK beat that is stamped after its end, at the BAR beat that is
  stamped with it, and the last ones of a day at CLOSE. Stamps are the same for every shard, so
  shards stay invisible.
- A quote belongs to the open bar if its own time is not after that bar's end, else to the bar of
  its beat's stamp. So nothing falls into the next bar only because someone spoke later in the
  same beat, what comes late falls into the open bar, and a beat completes at most one bar of a
  period. A feed's bars have no time but the stamp: one that is stamped within a bar leaves it
  open, and the next beat may complete both that bar and its own.
- Level 1 has no trades: prices are the last prices of quotes whose cumulative volume grew, the
  first of them the open. What was traded between two quotes belongs to the bar of the second.
- A cumulative figure that falls is taken as unknown: it counts for nothing until it is above its
  old height, as in ingest's checks, so no volume is negative or counted twice. Volume without a
  price waits for the instrument's next bar that has one.
- Where a day's first TICK beat comes after the first bar, an instrument's first quote only says
  where its counts stand: what was traded before is no bar's.
- Bars can only be made longer. Those of a feed are as long as the greatest common divisor of the
  ends at which its BAR beats are stamped. A beat stamped at no bar's end tells no length, and
  without a length nothing is completed.
- A day has TICK beats or BAR beats, not both. The bar of the whole day is its CLOSE beat's.
"""

from bisect import bisect_left
from dataclasses import dataclass
from math import gcd
from typing import cast

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.units import BoolArray, Int64Array
from tidegate_common.frames.rows import BarRows, QuoteRows
from tidegate_common.market.sessions import (
    NS_PER_SECOND,
    SECONDS_PER_DAY,
    SHANGHAI_OFFSET_SECONDS,
)
from tidegate_signals.engine.features.observations import RowIndex
from tidegate_signals.engine.features.spec import Period

# Lengths in minutes, each a multiple of the one before, so that bars of one make those of the next.
_PERIODS = ((Period.MINUTE_1, 1), (Period.MINUTE_5, 5), (Period.MINUTE_15, 15))

_NS_PER_DAY = SECONDS_PER_DAY * NS_PER_SECOND
_OFFSET_NS = SHANGHAI_OFFSET_SECONDS * NS_PER_SECOND
# Ends of the day's 240 minutes in nanoseconds after midnight in Shanghai: those after 09:30 (the
# 570th minute) to 11:30, and after 13:00 (the 780th) to 15:00.
_ENDS_NS = [60 * NS_PER_SECOND * minute for minute in (*range(571, 690 + 1), *range(781, 900 + 1))]
_LAST_MINUTE = len(_ENDS_NS) - 1

# Rows of an open bar's state. A low is kept as its depth below a ceiling, so that every field of
# an empty bar is 0 and both extremes are maxima; no price comes near 2**62.
_OPEN, _HIGH, _DEPTH, _CLOSE, _VOLUME, _AMOUNT = range(6)
_TOTALS = slice(_VOLUME, _AMOUNT + 1)
_CEILING_E4 = 2**62

# Open, high, low and close, (n,) each.
_Prices = tuple[Int64Array, Int64Array, Int64Array, Int64Array]


@dataclass(frozen=True, slots=True)
class CompletedBars:
    """Bars of one period and end, of the rows that traded in it.

    ts_end_ns : UTC epoch time of the bars' end.
    rows : (n,) int64, rows of state, ascending; n > 0.
    open_e4, high_e4, low_e4, close_e4 : (n,) int64, 1/10,000 CNY, > 0.
    volume_shares, amount_fen : (n,) int64, of the bar; > 0 and >= 0.
    """

    period: Period
    ts_end_ns: int
    rows: Int64Array
    open_e4: Int64Array
    high_e4: Int64Array
    low_e4: Int64Array
    close_e4: Int64Array
    volume_shares: Int64Array
    amount_fen: Int64Array


class BarBuilder:
    """The open bars of all instruments, one row an instrument; see the module's rules."""

    def __init__(self) -> None:
        self._bars: Int64Array = np.zeros((len(_PERIODS), _AMOUNT + 1, 0), np.int64)
        # Volume and amount of the day: as last seen, and as completed 1-minute bars have them.
        self._seen: Int64Array = np.zeros((2, 0), np.int64)
        self._told: Int64Array = np.zeros((2, 0), np.int64)
        # When the day began, and its open minute by number from 0, 240 after CLOSE.
        self._midnight_ns = 0
        self._minute = 0
        # Minutes from a beat's bars to the next one's, 0 while unknown.
        self._step = 0
        self._is_late = False

    def grow(self, count: int) -> None:
        """Add rows at the end, without bars."""
        self._bars, self._seen, self._told = (
            np.concatenate([array, np.zeros((*array.shape[:-1], count), np.int64)], axis=-1)
            for array in (self._bars, self._seen, self._told)
        )
        if self._is_late and count:
            self._seen[:, -count:] = -1

    def begin_day(self) -> None:
        """Forget yesterday, at OPEN."""
        for array in (self._bars, self._seen, self._told):
            array[:] = 0
        self._minute, self._step, self._is_late = 0, 0, False

    def take_quotes(
        self,
        ts_event_ns: int,
        rows: RowIndex,
        quotes: QuoteRows,
    ) -> tuple[CompletedBars, ...]:
        """Take the quotes of a TICK beat; return the bars that it completes.

        Parameters
        ----------
        ts_event_ns : the beat's stamp, the same for all shards and not before the last one's.
        rows : the quotes' rows of state.

        Returns
        -------
        At most one of a period, the shortest first; none that is empty.
        """
        minute = self._minute_at(ts_event_ns)
        if not self._step:
            self._begin_quotes(minute)
        columns = quotes.last_e4, quotes.volume_shares, quotes.amount_fen
        completed: tuple[CompletedBars, ...] = ()
        if minute > self._minute:
            end_ns = self._midnight_ns + _ENDS_NS[self._minute]
            early = np.flatnonzero(quotes.ts_event_ns <= end_ns)
            early_rows = np.arange(self._seen.shape[1])[rows][early]
            self._add_quotes(early_rows, *(column[early] for column in columns))
            completed = self._advance(minute)
        # Those that were early say nothing new to the next bar.
        self._add_quotes(rows, *columns)
        return completed

    def take_bars(
        self,
        ts_event_ns: int,
        rows: RowIndex,
        bars: BarRows,
    ) -> tuple[CompletedBars, ...]:
        """Take the bars of a BAR beat; return the bars that it completes; see `take_quotes`.

        At most two of a period, the earlier first.
        """
        minute = self._minute_at(ts_event_ns)
        is_end = _ENDS_NS[min(minute, _LAST_MINUTE)] == ts_event_ns - self._midnight_ns
        if is_end:
            self._step = gcd(self._step, minute + 1)
        completed = self._advance(minute)
        columns = (
            self._spread(rows, column)
            for column in (
                bars.open_e4,
                bars.high_e4,
                bars.low_e4,
                bars.close_e4,
                bars.volume_shares,
                bars.amount_fen,
            )
        )
        open_e4, high_e4, low_e4, close_e4, volume_shares, amount_fen = columns
        is_traded = (np.minimum(open_e4, low_e4) > 0) & (volume_shares > 0)
        self._seen[0] += volume_shares * is_traded
        self._seen[1] += amount_fen * is_traded
        _extend(self._bars[0], is_traded, (open_e4, high_e4, low_e4, close_e4))
        if is_end and minute < _LAST_MINUTE:
            completed += self._advance(minute + 1)
        return completed

    def close_day(self) -> tuple[CompletedBars, ...]:
        """Return the bars that are open, complete now, at CLOSE."""
        return self._advance(_LAST_MINUTE + 1)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the state itself, int64 arrays by name; the keys never change."""
        clock = [self._midnight_ns, self._minute, self._step, self._is_late]
        return {
            "bars": self._bars,
            "seen": self._seen,
            "told": self._told,
            "clock": np.array(clock, np.int64),
        }

    def load(self, arrays: dict[str, NDArray[np.generic]]) -> None:
        """Take the state from arrays such as `arrays` returned; they become this builder's."""
        self._bars = cast("Int64Array", arrays["bars"])
        self._seen = cast("Int64Array", arrays["seen"])
        self._told = cast("Int64Array", arrays["told"])
        clock: list[int] = arrays["clock"].tolist()
        self._midnight_ns, self._minute, self._step, is_late = clock
        self._is_late = bool(is_late)

    def _minute_at(self, ts_event_ns: int) -> int:
        """Return the number of the minute to which a beat belongs, never one before the open."""
        ns_of_day = (ts_event_ns + _OFFSET_NS) % _NS_PER_DAY
        self._midnight_ns = ts_event_ns - ns_of_day
        return max(self._minute, min(bisect_left(_ENDS_NS, ns_of_day), _LAST_MINUTE))

    def _begin_quotes(self, minute: int) -> None:
        """Begin a day of TICK beats."""
        self._step, self._is_late = 1, minute > 0
        if self._is_late:
            self._seen[:] = -1

    def _add_quotes(
        self,
        rows: RowIndex,
        last_e4: Int64Array,
        volume_shares: Int64Array,
        amount_fen: Int64Array,
    ) -> None:
        """Bring quotes into the open minute."""
        last_e4, volume_shares, amount_fen = (
            self._spread(rows, column) for column in (last_e4, volume_shares, amount_fen)
        )
        seen = self._seen
        if self._is_late:
            is_first = seen[0] < 0
            for number, count in enumerate((volume_shares, amount_fen)):
                seen[number] = np.where(is_first, count, seen[number])
                self._told[number] = np.where(is_first, count, self._told[number])
        is_traded = (volume_shares > seen[0]) & (last_e4 > 0)
        np.maximum(seen[0], volume_shares, out=seen[0])
        np.maximum(seen[1], amount_fen, out=seen[1])
        _extend(self._bars[0], is_traded, (last_e4, last_e4, last_e4, last_e4))

    def _spread(self, rows: RowIndex, values: Int64Array) -> Int64Array:
        """Return values for all rows, -1 for those without: cheaper than to gather the state."""
        if isinstance(rows, slice):
            return values
        spread = np.full(self._seen.shape[1], -1, np.int64)
        spread[rows] = values
        return spread

    def _advance(self, minute: int) -> tuple[CompletedBars, ...]:
        """Go to a minute that is not before the open one; return what is complete by then."""
        completed: list[CompletedBars] = []
        for level, (_, length) in enumerate(_PERIODS):
            if self._minute // length == minute // length:
                break
            completed += self._complete(level)
        self._minute = minute
        return tuple(completed)

    def _complete(self, level: int) -> list[CompletedBars]:
        """Empty the bars of a period into the next longer ones; return them if they are whole."""
        period, length = _PERIODS[level]
        bars = self._bars[level]
        is_traded = bars[_OPEN] > 0
        if level == 0:
            np.multiply(self._seen - self._told, is_traded, out=bars[_TOTALS])
            self._told += bars[_TOTALS]
        rows = np.flatnonzero(is_traded)
        if level + 1 < len(_PERIODS):
            longer = self._bars[level + 1]
            _extend(longer, is_traded, _prices_of(bars))
            longer[_TOTALS] += bars[_TOTALS]
        done = np.take(bars, rows, axis=1)
        bars[:] = 0
        if not len(rows) or not self._step or length % self._step:
            return []
        end_ns = self._midnight_ns + _ENDS_NS[(self._minute // length + 1) * length - 1]
        return [CompletedBars(period, end_ns, rows, *_prices_of(done), *done[_TOTALS])]


def _prices_of(bars: Int64Array) -> _Prices:
    """Return the prices of bars; the low of an empty one is nonsense."""
    return bars[_OPEN], bars[_HIGH], _CEILING_E4 - bars[_DEPTH], bars[_CLOSE]


def _extend(bars: Int64Array, is_traded: BoolArray, prices: _Prices) -> None:
    """Let open bars go on with later prices.

    Products with the mask cost a fraction of selections, whose branches real data defeat.

    Parameters
    ----------
    bars : (6, n) int64, the open bars of a period, changed in place.
    is_traded : (n,) which prices count; those are > 0.
    """
    open_e4, high_e4, low_e4, close_e4 = prices
    bars[_OPEN] += open_e4 * (is_traded & (bars[_OPEN] == 0))
    np.maximum(bars[_HIGH], high_e4 * is_traded, out=bars[_HIGH])
    np.maximum(bars[_DEPTH], (_CEILING_E4 - low_e4) * is_traded, out=bars[_DEPTH])
    bars[_CLOSE] += (close_e4 - bars[_CLOSE]) * is_traded
