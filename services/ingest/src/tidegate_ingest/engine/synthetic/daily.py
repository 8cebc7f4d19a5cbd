"""What a day is for every share: where it opens and closes, and how nervous it is.

A return is that of the market, of the sector and of the share, with volatilities that come and
go. A quarter of its variance is overnight. News makes jumps. What a price limit cuts off is partly
made up for on the next day. The constants are calibrated against recorded days:
docs/synthetic-market.md.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tidegate_common.domain.enums import Board, LimitState
from tidegate_common.domain.units import PRICE_E4_PER_FEN, Int64Array
from tidegate_common.market.corporate_actions import ex_rights_references
from tidegate_common.market.listing import FIRST_DAYS_MAX
from tidegate_common.market.price_limits import PriceLimits, price_limits
from tidegate_ingest.engine.synthetic.chance import (
    BELL_DEVIATION,
    EXP_ONE_BITS,
    WORD,
    Chance,
    Purpose,
    exponential_of,
)
from tidegate_ingest.engine.synthetic.events import DayEvents, EventCalendar
from tidegate_ingest.engine.synthetic.memory import Memory, Wave, mean_square_log
from tidegate_ingest.engine.synthetic.shares import SECTORS, SyntheticShares
from tidegate_ingest.engine.synthetic.timetable import synthetic_date

# Shares of every board tick in fen.
TICK_E4: Final = PRICE_E4_PER_FEN
MILLION: Final = 1_000_000
# Paths within a day are finer than a tick: 2^16 units each.
FINE_BITS: Final = 16
# Cutting would let cheap shares fall for ever.
_HALF_TICK: Final = 1 << FINE_BITS - 1

# Deviations of a day's returns, in millionths; the share's own one is drawn from a span.
_MARKET_E6: Final = 14_000
_SECTOR_E6: Final = 12_500
_OWN_E6: Final = (11_000, 23_500)
_BETA_E3: Final = (700, 1_300)
# ChiNext, STAR and Beijing are so much more nervous, in thousandths.
_GROWTH_E3: Final = 1_250
_MARKET_MEMORIES: Final = (Memory(kept=4_030, deviation=1_600), Memory(kept=2_700, deviation=1_200))
_OWN_MEMORIES: Final = (Memory(kept=4_055, deviation=2_250), Memory(kept=2_700, deviation=1_000))
# Of the variance a quarter is overnight: of the deviation 500 and 866 thousandths.
_OVERNIGHT_E3, INTRADAY_E3 = 500, 866

_PRICE_TICKS_MEDIAN: Final = 1_400
_PRICE_DEVIATION: Final = 3_300
_PRICE_TICKS: Final = (200, 200_000)
_DEAR_ONE_IN, _DEAR_TIMES = 150, 8
# Whatever happens, a share costs from 0.20 to 10,000 CNY.
_TICKS_MIN, _TICKS_MAX = 20, 1_000_000
# A price far from where it began comes back, by so small a part of the way a day.
_RETURN_DAYS: Final = 300
_PULL_E6_MAX: Final = 6_000

_JUMP: Final = WORD // 150
_JUMP_UP_IN_16: Final = 10
_JUMP_E6: Final = (30_000, 130_000)
# What jumps are on average, taken off again.
_DRIFT_E6: Final = -200
_CARRY_E6_MAX: Final = 60_000
_CARRY_PERCENT: Final = 60

# Buyers crowd where a share comes near its upper limit, sellers nearer to the lower one: what is
# beyond so much of the way there counts twice.
_BUYERS_PERCENT, _SELLERS_PERCENT = 38, 60

_FIRST_DAY_GAIN_E6: Final = (100_000, 1_500_000)
_FIRST_DAYS_TIMES: Final = 3
_DELISTING_LOSS_E6: Final = (-700_000, -400_000)
_DELISTING_TIMES: Final = 2
_RETURN_E6_MIN: Final = -900_000


@dataclass(frozen=True, slots=True)
class Deviations:
    """How far a day's return goes by what moves it, in millionths of the base, (n,) each."""

    market_e6: Int64Array
    sector_e6: Int64Array
    own_e6: Int64Array


@dataclass(frozen=True, slots=True)
class DayMoves:
    """One day of all shares that a market ever has, (n,) each; prices in ticks.

    base : the ex-rights reference price, on a listing day the issue price.
    lowest, highest : within which prices stay, limits or not.
    aim_open, aim_close : where the day would begin and end without limits, in 2^-16 ticks.
    open, close : where it does; both are the base of a share that is suspended.
    """

    events: DayEvents
    limits: PriceLimits
    deviations: Deviations
    base: Int64Array
    lowest: Int64Array
    highest: Int64Array
    aim_open: Int64Array
    aim_close: Int64Array
    open: Int64Array
    close: Int64Array


class DailyMarket:
    """Moves a market from day to day; each day's chance is its own stream."""

    def __init__(self, shares: SyntheticShares, seed: int) -> None:
        count = len(shares)
        chance = Chance(seed, Purpose.PRICES)
        self._seed, self._shares = seed, shares
        self._calendar = EventCalendar(shares)
        self._number = 0
        times = exponential_of(chance.bells(1, count)[0] * _PRICE_DEVIATION // BELL_DEVIATION)
        times *= np.where(chance.between(0, _DEAR_ONE_IN, count) == 0, _DEAR_TIMES, 1)
        self._close: Int64Array = np.clip(
            _PRICE_TICKS_MEDIAN * times >> EXP_ONE_BITS, *_PRICE_TICKS
        )
        self._anchor = self._close
        is_growth = np.isin(shares.board, (Board.CHINEXT, Board.STAR, Board.BSE))
        growth_e3 = np.where(is_growth, _GROWTH_E3, 1_000)
        self._beta_e3 = chance.between(*_BETA_E3, count) * growth_e3 // 1_000
        self._own_e6 = chance.between(*_OWN_E6, count) * growth_e3 // 1_000
        self._carry_e6 = np.zeros(count, dtype=np.int64)
        self._market_wave = Wave(_MARKET_MEMORIES, chance, 1)
        self._own_wave = Wave(_OWN_MEMORIES, chance, count)

    @property
    def close(self) -> Int64Array:
        """The last closes, (n,) ticks; of a share that is to list its issue price."""
        return self._close

    def next_day(self) -> DayMoves:
        """Return the next day, from day 0 on."""
        chance = Chance(self._seed, Purpose.DAYS, self._number)
        events = self._calendar.day(self._number, self._close * TICK_E4, chance)
        none = np.zeros(len(self._shares), dtype=np.int64)
        reference_e4 = ex_rights_references(
            prev_close_e4=self._close * TICK_E4,
            cash_e6=events.cash_e6,
            bonus_e6=none,
            transfer_e6=events.transfer_e6,
            rights_e6=none,
            rights_price_e4=none,
        )
        limits = price_limits(
            boards=self._shares.board,
            stages=events.stage,
            prev_close_e4=reference_e4,
            trade_date=synthetic_date(self._number),
            status_from=events.status_from,
        )
        base = reference_e4 // TICK_E4
        self._anchor = np.maximum(self._anchor * base // self._close, 1)
        moves = self._move(chance, events, limits, base)
        cut_e6 = ((moves.aim_close >> FINE_BITS) - moves.close) * MILLION // base
        carry_e6 = np.clip(cut_e6, -_CARRY_E6_MAX, _CARRY_E6_MAX) * _CARRY_PERCENT // 100
        self._carry_e6 = np.where(events.is_suspended, self._carry_e6, carry_e6)
        # A share that is not listed yet, or no longer, stays where it is.
        self._close = np.where(events.is_listed, moves.close, self._close)
        self._number += 1
        return moves

    def _move(
        self,
        chance: Chance,
        events: DayEvents,
        limits: PriceLimits,
        base: Int64Array,
    ) -> DayMoves:
        count = len(self._shares)
        deviations = self._deviations(chance, events)
        factors = chance.bells(2, 1 + len(SECTORS))
        returns_e6 = deviations.market_e6 * factors[:, :1] + deviations.own_e6 * chance.bells(
            2, count
        )
        returns_e6 += deviations.sector_e6 * factors[:, 1:][:, self._shares.sector]
        returns_e6 //= BELL_DEVIATION
        jump_e6 = _jumps_e6(chance, count) // 2
        pull_e6 = (self._anchor - base) * MILLION // (base * _RETURN_DAYS)
        open_e6 = returns_e6[0] * _OVERNIGHT_E3 // 1_000 + jump_e6 + self._carry_e6
        open_e6 += np.clip(pull_e6, -_PULL_E6_MAX, _PULL_E6_MAX) + _DRIFT_E6
        open_e6 += chance.between(*_FIRST_DAY_GAIN_E6, count) * (events.listing_day == 1)
        open_e6 += chance.between(*_DELISTING_LOSS_E6, count) * (events.delisting_day == 1)
        close_e6 = open_e6 + returns_e6[1] * INTRADAY_E3 // 1_000 + jump_e6
        close_e6 += _crowd_e6(close_e6, limits, base)
        is_limited = limits.state == LimitState.LIMITED
        lowest = np.maximum(np.where(is_limited, limits.down_e4 // TICK_E4, 0), _TICKS_MIN)
        highest = np.where(is_limited, limits.up_e4 // TICK_E4, _TICKS_MAX)
        aim_open, aim_close = (
            (base << FINE_BITS) * (MILLION + np.maximum(each, _RETURN_E6_MIN)) // MILLION
            for each in (open_e6, close_e6)
        )
        opening, closing = (
            np.where(
                events.is_suspended, base, np.clip(aim + _HALF_TICK >> FINE_BITS, lowest, highest)
            )
            for aim in (aim_open, aim_close)
        )
        return DayMoves(
            events=events,
            limits=limits,
            deviations=deviations,
            base=base,
            lowest=lowest,
            highest=highest,
            aim_open=aim_open,
            aim_close=aim_close,
            open=opening,
            close=closing,
        )

    def _deviations(self, chance: Chance, events: DayEvents) -> Deviations:
        market_log = self._market_wave.next(chance) - mean_square_log(_MARKET_MEMORIES)
        own_log = self._own_wave.next(chance) - mean_square_log(_OWN_MEMORIES)
        market_times, own_times = exponential_of(market_log), exponential_of(own_log)
        is_new = (events.listing_day > 0) & (events.listing_day <= FIRST_DAYS_MAX)
        own_times = own_times * np.where(is_new, _FIRST_DAYS_TIMES, 1)
        own_times = own_times * np.where(events.delisting_day > 0, _DELISTING_TIMES, 1)
        return Deviations(
            market_e6=(self._beta_e3 * _MARKET_E6 // 1_000) * market_times >> EXP_ONE_BITS,
            sector_e6=np.full(len(own_times), _SECTOR_E6) * market_times >> EXP_ONE_BITS,
            own_e6=self._own_e6 * own_times >> EXP_ONE_BITS,
        )


def _jumps_e6(chance: Chance, count: int) -> Int64Array:
    size = chance.between(*_JUMP_E6, count) * chance.happens(_JUMP, count)
    return size * np.where(chance.between(0, 16, count) < _JUMP_UP_IN_16, 1, -1)


def _crowd_e6(return_e6: Int64Array, limits: PriceLimits, base: Int64Array) -> Int64Array:
    """Return what crowds add to a return; nothing where there is no limit."""
    up_e6 = (limits.up_e4 // TICK_E4 - base) * MILLION // base * _BUYERS_PERCENT // 100
    down_e6 = (limits.down_e4 // TICK_E4 - base) * MILLION // base * _SELLERS_PERCENT // 100
    beyond_e6 = np.maximum(return_e6 - up_e6, 0) + np.minimum(return_e6 - down_e6, 0)
    crowd_e6: Int64Array = beyond_e6 * (limits.state == LimitState.LIMITED)
    return crowd_e6
