"""The beats of one day, one after another: ways between open and close, books, trades.

A price walks from the day's opening aim to its closing aim, drawn to it the more the less is left
of the day (a bridge), and leans to the heavier side of the book. What is beyond a limit is sealed:
the price stands at the limit and the other side is empty. Of the volume that is left each beat
takes its part, and the closing call what remains, so that the day's volume is the planned one.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from tidegate_common.domain.enums import Phase
from tidegate_common.domain.units import BoolArray, Int64Array
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows
from tidegate_common.market.sessions import NS_PER_SECOND
from tidegate_ingest.engine.synthetic.book import (
    BOOK_OCTETS,
    PRESSURE_BITS,
    PRESSURE_ONE,
    Noise,
    Sides,
    call_sides,
    continuous_sides,
)
from tidegate_ingest.engine.synthetic.chance import (
    BELL_DEVIATION,
    BELL_WORDS,
    EXPONENTIAL,
    EXPONENTIAL_BITS,
    WORD_BITS,
    Chance,
    WordArray,
    bells_of,
)
from tidegate_ingest.engine.synthetic.daily import FINE_BITS, TICK_E4
from tidegate_ingest.engine.synthetic.plan import LOT_SHARES, MEAN_BITS, TickPlan
from tidegate_ingest.engine.synthetic.shares import SECTORS
from tidegate_ingest.engine.synthetic.timetable import PART_BITS, Timetable

_PART_ONE: Final = 1 << PART_BITS
# Deviations are kept so that times a bell, shifted back by this, they are a way.
_BELL_BITS: Final = 15

# What is left of the pressure in the next beat, in 1/1,024, what is new, and where it ends.
_PRESSURE_KEPT, _PRESSURE_NEW, _PRESSURE_MAX = 993, 150, 920
# A book that is all on one side leans by so small a part of a beat's deviations.
_LEAN_PARTS: Final = 10
# Words that a beat draws for a share: a bell, and these.
_NEWS, _ODDS, _SIZE, _SIDE = range(BELL_WORDS, BELL_WORDS + 4)
_WORDS: Final = _SIDE + 1
_OCTET_MAX: Final = 255
# A share that did not trade says nothing in so many beats of 256.
_SILENT: Final = 32


class DayTicks:
    """One day's beats, to be walked through once; after the last of them its bars are known.

    Parameters
    ----------
    chance : a stream of the day's own.
    midnight_ns : when the day begins, UTC epoch.
    """

    def __init__(
        self,
        plan: TickPlan,
        timetable: Timetable,
        chance: Chance,
        *,
        midnight_ns: int,
    ) -> None:
        count = len(plan.instrument)
        self._plan, self._timetable, self._chance = plan, timetable, chance
        self._midnight_ns = midnight_ns
        factors = chance.bells(len(timetable), 1 + len(SECTORS))
        self._market_bells, self._sector_bells = factors[:, 0].tolist(), factors[:, 1:]
        self._swing_market = _per_bell(plan.swing_market)
        self._swing_sector = _per_bell(plan.swing_sector)
        self._swing_own = _per_bell(plan.swing_own)
        self._lean = (plan.swing_market + plan.swing_sector + plan.swing_own) // _LEAN_PARTS
        self._has_opened = False
        self._quarter = -1
        self._noise = Noise(count)
        self._way = plan.aim_open.copy()
        self._pressure = np.zeros(count, dtype=np.int64)
        self._trade_odds = np.zeros(count, dtype=np.int64)
        # Traded so far: lots, and lots x ticks, which are CNY.
        self._lots, self._value = np.zeros((2, count), dtype=np.int64)
        self._left = plan.lots - plan.open_lots
        self._last = np.zeros(count, dtype=np.int64)
        self._high, self._low = plan.open.copy(), plan.open.copy()

    def rows(self) -> Iterator[QuoteRows]:
        """Yield the rows of each beat."""
        phases = [Phase(number) for number in self._timetable.phase.tolist()]
        for beat, phase in enumerate(phases):
            lots_before = self._lots
            sides = self._step(beat, phase)
            octets = self._chance.octets(1, len(lots_before))[0]
            speaks = (octets >= _SILENT) | (self._lots > lots_before)
            if beat == 0 or phase is not phases[beat - 1]:
                speaks[:] = True
            yield self._told(beat, phase, sides, np.flatnonzero(speaks))

    def bars(self, reference: ReferenceRows) -> BarRows:
        """Return the bars of the day's instruments; those that did not trade have its base."""
        plan = self._plan
        place = np.searchsorted(reference.instrument, plan.instrument)
        prices = {}
        for name, ticks in (
            ("open_e4", plan.open),
            ("high_e4", np.maximum(self._high, plan.close)),
            ("low_e4", np.minimum(self._low, plan.close)),
            ("close_e4", plan.close),
        ):
            prices[name] = reference.prev_close_e4.copy()
            prices[name][place] = ticks * TICK_E4
        volume_shares, amount_fen = np.zeros((2, len(reference)), dtype=np.int64)
        volume_shares[place] = plan.lots * LOT_SHARES
        amount_fen[place] = (self._value + self._left * plan.close) * LOT_SHARES
        return BarRows(
            instrument=reference.instrument,
            volume_shares=volume_shares,
            amount_fen=amount_fen,
            **prices,
        )

    def _step(self, beat: int, phase: Phase) -> Sides:
        """Move the day on by a beat; return its books."""
        plan = self._plan
        if phase is Phase.OPEN_CALL:
            return self._call(beat, plan.prev_close, plan.open, plan.open_lots)
        if not self._has_opened:
            self._has_opened = True
            self._trade(plan.open_lots, plan.open)
        if phase is Phase.CLOSE_CALL:
            return self._call(beat, self._price(), plan.close, self._left)
        draws = self._noise.refresh(self._chance.octets(BOOK_OCTETS, len(plan.instrument)))
        if phase is Phase.CONTINUOUS:
            words = self._chance.words(_WORDS, len(plan.instrument))
            self._walk(beat, words)
            sides = continuous_sides(plan, self._price(), draws, self._pressure)
            self._trade_in_book(beat, sides, words)
            return sides
        if phase is Phase.CLOSED:
            self._way = plan.close << FINE_BITS
            self._trade(self._left, plan.close)
            self._left = np.zeros_like(self._left)
        return continuous_sides(plan, self._price(), draws, self._pressure)

    def _call(self, beat: int, begin: Int64Array, end: Int64Array, lots: Int64Array) -> Sides:
        """Return books on their way from one virtual price to another."""
        part = int(self._timetable.call_part[beat])
        price = end + ((begin - end) * (_PART_ONE - part) >> PART_BITS)
        return call_sides(price, np.maximum(lots * part >> PART_BITS, 1))

    def _price(self) -> Int64Array:
        ticks: Int64Array = self._way >> FINE_BITS
        return np.clip(ticks, self._plan.lowest, self._plan.highest)

    def _walk(self, beat: int, words: WordArray) -> None:
        """Move prices towards the close, around the way there, and to the heavier side."""
        news = (
            words[_NEWS].astype(np.int64) * (2 * _PRESSURE_NEW + 1) >> WORD_BITS
        ) - _PRESSURE_NEW
        pressure = (self._pressure * _PRESSURE_KEPT >> PRESSURE_BITS) + news
        self._pressure = np.clip(pressure, -_PRESSURE_MAX, _PRESSURE_MAX)
        step = self._swing_own * bells_of(words[:BELL_WORDS])
        step += self._swing_sector * self._sector_bells[beat].take(self._plan.sector)
        step += self._swing_market * self._market_bells[beat]
        step >>= _BELL_BITS
        step += self._lean * self._pressure >> PRESSURE_BITS
        step *= int(self._timetable.swing_part[beat])
        step += (self._plan.aim_close - self._way) * int(self._timetable.pull_part[beat])
        step >>= PART_BITS
        self._way += step

    def _trade_in_book(self, beat: int, sides: Sides, words: WordArray) -> None:
        """Trade a part of what is left, at the best bid or ask."""
        plan, timetable = self._plan, self._timetable
        expected = (self._left << MEAN_BITS) * int(timetable.volume_part[beat]) >> PART_BITS
        if self._quarter != timetable.quarter[beat]:
            self._quarter = int(timetable.quarter[beat])
            self._trade_odds = (expected << WORD_BITS) // (expected + plan.book.trade)
        # Seldom trades are larger: on average what is expected.
        size = (expected + plan.book.trade) * EXPONENTIAL.take(words[_SIZE] >> 8)
        size = (size >> EXPONENTIAL_BITS) + (words[_SIZE] & _OCTET_MAX) >> MEAN_BITS
        size *= (words[_ODDS] < self._trade_odds) & ~self._is_halted(beat)
        # A lot is left for the closing call, whose price is the day's close.
        lots = np.minimum(size, self._left - 1)
        is_buy = (words[_SIDE] >> WORD_BITS - PRESSURE_BITS - 1).astype(np.int64) - PRESSURE_ONE
        price = np.where(is_buy < self._pressure, sides.best_ask, sides.best_bid)
        self._left = self._left - lots
        self._trade(lots, price)

    def _trade(self, lots: Int64Array, price: Int64Array) -> None:
        self._lots = self._lots + lots
        self._value += lots * price
        np.copyto(self._last, price, where=lots > 0)
        np.maximum(self._high, self._last, out=self._high)
        np.minimum(self._low, self._last, out=self._low)

    def _is_halted(self, beat: int) -> BoolArray:
        seconds = int(self._timetable.seconds_ns[beat]) // NS_PER_SECOND
        halted: BoolArray = (self._plan.halt_from <= seconds) & (seconds < self._plan.halt_to)
        return halted

    def _told(self, beat: int, phase: Phase, sides: Sides, chosen: Int64Array) -> QuoteRows:
        """Return the rows of those who speak; a halted share has no book."""
        phases = np.full(len(chosen), phase, dtype=np.uint8)
        levels = [
            np.ascontiguousarray(side.take(chosen, axis=1).T)
            for side in (sides.bid, sides.bid_lots, sides.ask, sides.ask_lots)
        ]
        halted = self._is_halted(beat)[chosen]
        if halted.any():
            phases[halted] = Phase.HALTED
            for side in levels:
                side[halted] = 0
        bid, bid_lots, ask, ask_lots = levels
        ts_event_ns = self._midnight_ns + int(self._timetable.seconds_ns[beat])
        return QuoteRows(
            instrument=self._plan.instrument[chosen],
            ts_event_ns=np.full(len(chosen), ts_event_ns),
            phase=phases,
            last_e4=self._last[chosen] * TICK_E4,
            volume_shares=self._lots[chosen] * LOT_SHARES,
            amount_fen=self._value[chosen] * LOT_SHARES,
            bid_price_e4=bid * TICK_E4,
            bid_shares=bid_lots * LOT_SHARES,
            ask_price_e4=ask * TICK_E4,
            ask_shares=ask_lots * LOT_SHARES,
        )


def _per_bell(deviation: Int64Array) -> Int64Array:
    """Return what a deviation must be so that times a bell, shifted by `_BELL_BITS`, it is one."""
    return (deviation << _BELL_BITS) // BELL_DEVIATION
