"""A day before its first beat: its reference rows, and what its beats are made from."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tidegate_common.domain.units import Float64Array, Int64Array
from tidegate_common.events.run import SyntheticSpec
from tidegate_common.frames.rows import ReferenceRows
from tidegate_ingest.engine.synthetic.chance import (
    BELL_DEVIATION,
    EXP_ONE_BITS,
    Chance,
    Purpose,
    exponential_of,
)
from tidegate_ingest.engine.synthetic.daily import (
    FINE_BITS,
    INTRADAY_E3,
    MILLION,
    TICK_E4,
    DailyMarket,
    DayMoves,
)
from tidegate_ingest.engine.synthetic.memory import Memory, Wave, mean_square_log
from tidegate_ingest.engine.synthetic.shares import SECTORS, make_shares
from tidegate_ingest.engine.synthetic.timetable import CALL_WEIGHTS, synthetic_date

LOT_SHARES: Final = 100
MEAN_BITS: Final = 8

# Fundamental figures: lots that can be traded, and price ratios in hundredths.
_FLOAT_LOTS: Final = (1_000_000, 6_000_000)
# Ten times the root of the usual price in ticks.
_ROOT_USUAL: Final = 374
_FLOAT_TIMES_DEVIATION: Final = 4_500
_PE_E2, _PB_E2, _PS_E2, _PCF_E2 = (500, 10_000), (50, 1_000), (30, 2_000), (300, 8_000)
_LOSS_ONE_IN: Final = 10

# Of its free shares a share trades so much a day, in millionths, by its usual rate times the mood
# of the days times what the day's move brings.
_TURNOVER_E6: Final = 26_000
_TURNOVER_DEVIATION: Final = 3_000
_TURNOVER_MEMORIES: Final = (
    Memory(kept=4_035, deviation=2_000),
    Memory(kept=3_500, deviation=1_500),
)
_MOVE_LOG: Final = 1_900
_MOVE_LOG_MAX: Final = 8_000
_LOTS_MIN: Final = 20
# Of all volume; the calls are apart in the profile of continuous trading.
_PROFILE_TOTAL: Final = 9_261 + sum(CALL_WEIGHTS)

# A beat of a Level-1 feed is 3 s: 4,740 of them are continuous trading, whose root is 69.
_BEATS: Final = 4_740
_BEATS_ROOT: Final = 69
# A trade is of about so many CNY: how seldom there is one in a beat of little volume.
_TRADE_CNY: Final = 6_000

_SPREAD_LEAST_E3, _SPREAD_THIN_CNY, _THIN_CNY = 600, 22_000_000, 10_000
_GAP_TENTHS: Final = 3
_DEPTH_LEAST_E3, _DEPTH_DENSE, _DENSE_E3 = 400, 2_400_000, 300
_DEEPER_LEAST_E3, _DEEPER_DENSE = 950, 500_000


@dataclass(frozen=True, slots=True)
class Book:
    """What the books of a day are like, (n,) each, means in 1/256.

    spread, gap : ticks between best bid and ask, and between levels, beyond one.
    depth, deeper : lots at the best level, and at the others.
    trade : lots of a trade.
    """

    spread: Int64Array
    gap: Int64Array
    depth: Int64Array
    deeper: Int64Array
    trade: Int64Array


@dataclass(frozen=True, slots=True)
class TickPlan:
    """What the beats of a day are made from: the n shares that trade, sorted by instrument.

    prev_close, open, close, lowest, highest : ticks, (n,) int64.
    aim_open, aim_close : without limits, in 2^-16 ticks.
    swing_market, swing_sector, swing_own : deviations of the day's way between them, in 2^-16
        ticks, by what moves it.
    lots, open_lots : of the day and of its opening call.
    halt_from, halt_to : seconds of the day.
    """

    instrument: Int64Array
    sector: Int64Array
    prev_close: Int64Array
    open: Int64Array
    close: Int64Array
    lowest: Int64Array
    highest: Int64Array
    aim_open: Int64Array
    aim_close: Int64Array
    swing_market: Int64Array
    swing_sector: Int64Array
    swing_own: Int64Array
    lots: Int64Array
    open_lots: Int64Array
    halt_from: Int64Array
    halt_to: Int64Array
    book: Book


@dataclass(frozen=True, slots=True)
class DayPlan:
    """A day before its first beat."""

    number: int
    trade_date: int
    reference: ReferenceRows
    ticks: TickPlan


class Planner:
    """Plans the days of a market, one after another."""

    def __init__(self, spec: SyntheticSpec) -> None:
        count = spec.instrument_count
        self._shares = make_shares(count, spec.seed)
        self._market = DailyMarket(self._shares, spec.seed)
        self._seed = spec.seed
        self._number = 0
        # A stream of its own: what is drawn here moves no price.
        chance = Chance(spec.seed, Purpose.FIGURES)
        lots = chance.between(*_FLOAT_LOTS, count) * _times(chance, count) >> EXP_ONE_BITS
        # Dear shares are fewer, by the root of their price.
        root = np.sqrt(self._market.close * 100).astype(np.int64)
        self._float_lots = lots * _ROOT_USUAL // root
        self._ratios = _ratios(chance, count)
        self._turnover_rate = np.full(count, np.nan)
        chance = Chance(spec.seed, Purpose.TURNOVER)
        self._usual_log = chance.bells(1, count)[0] * _TURNOVER_DEVIATION // BELL_DEVIATION
        self._wave = Wave(_TURNOVER_MEMORIES, chance, count)

    def next_day(self) -> DayPlan:
        """Return the plan of the next day, from day 0 on."""
        moves = self._market.next_day()
        events = moves.events
        # New shares out of reserves make the float larger.
        self._float_lots += self._float_lots * events.transfer_e6 // MILLION
        lots = self._lots(moves)
        listed = np.flatnonzero(events.is_listed)
        trade_date = synthetic_date(self._number)
        plan = DayPlan(
            number=self._number,
            trade_date=trade_date,
            reference=self._reference(moves, listed),
            ticks=self._tick_plan(
                moves, lots, np.flatnonzero(events.is_listed & ~events.is_suspended)
            ),
        )
        rate = (lots * LOT_SHARES) / (self._float_lots * LOT_SHARES)
        is_traded = events.is_listed & ~events.is_suspended
        self._turnover_rate = np.where(is_traded, rate, self._turnover_rate)
        self._number += 1
        return plan

    def _lots(self, moves: DayMoves) -> Int64Array:
        """Return what is traded in the day: more where prices move."""
        chance = Chance(self._seed, Purpose.DAY_TURNOVER, self._number)
        deviation_e6 = np.maximum(_deviation_e6(moves), 1)
        move_e6 = np.abs(moves.close - moves.base) * MILLION // moves.base
        log = self._usual_log + self._wave.next(chance) - mean_square_log(_TURNOVER_MEMORIES) // 2
        log += np.minimum(move_e6 * _MOVE_LOG // deviation_e6, _MOVE_LOG_MAX) - _MOVE_LOG
        rate_e6 = _TURNOVER_E6 * exponential_of(log) >> EXP_ONE_BITS
        lots: Int64Array = self._float_lots * rate_e6 // MILLION
        return np.clip(lots, _LOTS_MIN, self._float_lots)

    def _reference(self, moves: DayMoves, listed: Int64Array) -> ReferenceRows:
        shares = self._shares
        return ReferenceRows(
            instrument=shares.instrument[listed],
            board=shares.board[listed],
            limit_state=moves.limits.state[listed],
            is_st=moves.events.is_st[listed],
            is_suspended=moves.events.is_suspended[listed],
            prev_close_e4=moves.base[listed] * TICK_E4,
            limit_up_e4=moves.limits.up_e4[listed],
            limit_down_e4=moves.limits.down_e4[listed],
            open_e4=np.zeros(len(listed), dtype=np.int64),
            sector=np.array(SECTORS, dtype=np.object_)[shares.sector[listed]],
            float_shares=(self._float_lots[listed] * LOT_SHARES).astype(np.float64),
            turnover_rate=self._turnover_rate[listed],
            pe_ttm=self._ratios["pe_ttm"][listed],
            pb_mrq=self._ratios["pb_mrq"][listed],
            ps_ttm=self._ratios["ps_ttm"][listed],
            pcf_ttm=self._ratios["pcf_ttm"][listed],
            listing_date=moves.events.listing_date[listed],
            cash_e6=moves.events.cash_e6[listed],
            transfer_e6=moves.events.transfer_e6[listed],
        )

    def _tick_plan(self, moves: DayMoves, lots: Int64Array, trading: Int64Array) -> TickPlan:
        def swing(deviation_e6: Int64Array) -> Int64Array:
            fine = (moves.base << FINE_BITS) * (deviation_e6 * INTRADAY_E3 // 1_000) // MILLION
            chosen: Int64Array = fine[trading]
            return chosen

        return TickPlan(
            instrument=self._shares.instrument[trading],
            sector=self._shares.sector[trading],
            prev_close=moves.base[trading],
            open=moves.open[trading],
            close=moves.close[trading],
            lowest=moves.lowest[trading],
            highest=moves.highest[trading],
            aim_open=moves.aim_open[trading],
            aim_close=moves.aim_close[trading],
            swing_market=swing(moves.deviations.market_e6),
            swing_sector=swing(moves.deviations.sector_e6),
            swing_own=swing(moves.deviations.own_e6),
            lots=lots[trading],
            open_lots=np.maximum(lots[trading] * CALL_WEIGHTS[0] // _PROFILE_TOTAL, 1),
            halt_from=moves.events.halt_from[trading],
            halt_to=moves.events.halt_to[trading],
            book=_book(moves, lots, trading),
        )


def _deviation_e6(moves: DayMoves) -> Int64Array:
    """Return the deviation of a day's return, in millionths."""
    each = moves.deviations
    square = each.market_e6**2 + each.sector_e6**2 + each.own_e6**2
    # A root is rounded by rule too (IEEE 754), and these squares are exact in a float64.
    return np.sqrt(square.astype(np.float64)).astype(np.int64)


def _book(moves: DayMoves, lots: Int64Array, trading: Int64Array) -> Book:
    """Return what books are like: wide where a beat moves many ticks, thick where it moves few."""
    base, lots = moves.base[trading], lots[trading]
    # How far 3 s of continuous trading go, in thousandths of a tick.
    step_e3 = base * _deviation_e6(moves)[trading] // (1_000 * _BEATS_ROOT)
    # A lot costs as many CNY as a share has ticks.
    beat_cny = lots * base // _BEATS
    thin_e3 = _SPREAD_LEAST_E3 + _SPREAD_THIN_CNY // (beat_cny + _THIN_CNY)
    spread = (step_e3 * thin_e3 << MEAN_BITS) // MILLION
    dense_e3 = _DEPTH_LEAST_E3 + _DEPTH_DENSE // (_DENSE_E3 + step_e3)
    depth = (lots * dense_e3 << MEAN_BITS) // (1_000 * _BEATS)
    deeper_e3 = _DEEPER_LEAST_E3 + _DEEPER_DENSE // (1_000 + step_e3)
    least = 1 << MEAN_BITS
    return Book(
        spread=spread,
        gap=spread * _GAP_TENTHS // 10,
        depth=np.maximum(depth, least),
        deeper=np.maximum(depth * deeper_e3 // 1_000, least),
        trade=np.maximum((_TRADE_CNY << MEAN_BITS) // base, least),
    )


def _times(chance: Chance, count: int) -> Int64Array:
    return exponential_of(chance.bells(1, count)[0] * _FLOAT_TIMES_DEVIATION // BELL_DEVIATION)


def _ratios(chance: Chance, count: int) -> dict[str, Float64Array]:
    """Return price ratios, which stay; one share in ten is at a loss."""
    sign = np.where(chance.between(0, _LOSS_ONE_IN, count) == 0, -1, 1)
    return {
        "pe_ttm": sign * chance.between(*_PE_E2, count) / 100,
        "pb_mrq": chance.between(*_PB_E2, count) / 100,
        "ps_ttm": chance.between(*_PS_E2, count) / 100,
        "pcf_ttm": sign * chance.between(*_PCF_E2, count) / 100,
    }
