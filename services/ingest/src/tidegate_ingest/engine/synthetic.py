"""A small synthetic market: same spec, same bytes.

Everything is integers drawn from a seeded generator, so that no processor's floating point can
tell two runs apart. Prices walk in geometric steps that lean towards the heavier side of the book;
there are jumps, now and then a suspension, and each day one share that runs to its upper limit and
one to its lower. Days are weekdays from 2026-03-02 on, holidays not left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import LimitState, Phase
from tidegate_common.domain.ids import InstrumentId, parse_symbol
from tidegate_common.domain.units import BoolArray, Float64Array, Int64Array
from tidegate_common.events.run import SyntheticSpec
from tidegate_common.frames.rows import LEVELS, BarRows, QuoteRows, ReferenceRows, unknown_figures
from tidegate_common.market.board import boards_of
from tidegate_common.market.listing import ordinary_stages_of
from tidegate_common.market.price_limits import price_limits
from tidegate_common.market.sessions import NS_PER_SECOND, shanghai_ns
from tidegate_ingest.engine.sequencer import Day

INSTRUMENT_COUNT_MAX = 5_000

_FIRST_DAY = date(2026, 3, 2)
_DAYS_PER_WEEK, _WEEKDAYS = 7, 5
_OPEN_SECONDS, _CLOSE_SECONDS = 9 * 3_600, 15 * 3_600
# Beats are spread evenly over these spans: start and end, in seconds of the day, and phase.
_SPANS = (
    (33_300, 33_900, Phase.OPEN_CALL),  # 09:15 to 09:25
    (34_200, 41_400, Phase.CONTINUOUS),  # 09:30 to 11:30
    (46_800, 53_820, Phase.CONTINUOUS),  # 13:00 to 14:57
    (53_820, 54_000, Phase.CLOSE_CALL),  # 14:57 to 15:00
)

# Codes are shared with real shares; the names are not.
_PREFIXES = ("SH600", "SZ000", "SZ300", "SH688", "SH601", "SZ002", "SZ301", "SH603")
_SECTORS = ("bank", "liquor", "electronics", "pharma", "energy")
_FIRST_CODE = 101
# The share with this rest is under risk warning (its board is the main board).
_ST_EVERY, _ST_REST = 40, 9

_LOT = 100
# Prices are whole fen here: 0.01 CNY is 100 of 1/10,000 CNY, and price x shares is fen.
_TICK_E4 = 100
# The walk is finer than a tick: this many units are 0.01 CNY.
_UNITS_PER_TICK = 100_000
_MILLION = 1_000_000
# A day moves a share by about 2%: one beat by 2% / sqrt(beats), in millionths.
_DAY_MOVE_E6 = 20_000
# Pressure is in thousandths, positive to buy: what is left of it in the next beat, in percent,
# and what is new. It is the book's imbalance, and the lean of the walk.
_PRESSURE_KEPT_PERCENT, _PRESSURE_NEW_MAX, _PRESSURE_MAX = 97, 150, 900
_LEAN_DIVISOR = 3_000
_JUMP_ONE_IN, _JUMP_E6 = 4_000, (10_000, 40_000)
_GAP_E6_MAX = 10_000
_SUSPENDED_ONE_IN = 100
_SILENT_ONE_IN = 8

# Fundamental figures: lots that can be traded, and price ratios in hundredths.
_FIGURES_STREAM = 1
_FLOAT_LOTS = (1_000_000, 50_000_000)
_PE_E2, _PB_E2, _PS_E2, _PCF_E2 = (500, 10_000), (50, 1_000), (30, 2_000), (300, 8_000)
_LOSS_ONE_IN = 10


@dataclass(frozen=True, slots=True)
class SyntheticInstruments:
    """The shares of a synthetic market, sorted by instrument.

    instrument : (n,) int64.   is_st : (n,) bool.   sector : (n,) str objects.
    names : n names for people.
    """

    instrument: Int64Array
    is_st: BoolArray
    sector: NDArray[np.object_]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Beats:
    """When a day's beats are: (beats,) each."""

    seconds_ns: Int64Array
    phase: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Walk:
    """Where the market goes in a day; prices in ticks, (beats, n) each.

    price : within the limits.   pressure : thousandths.
    """

    price: Int64Array
    pressure: Int64Array


@dataclass(frozen=True, slots=True)
class _Book:
    """Five levels a side: ticks and shares, (beats, n, 5) each."""

    bid_price: Int64Array
    bid_shares: Int64Array
    ask_price: Int64Array
    ask_shares: Int64Array


@dataclass(frozen=True, slots=True)
class _Trades:
    """What was traded: ticks, shares and fen.

    last, volume_shares, amount_fen : (beats, n), the two latter cumulative.
    bars : of the day.
    """

    last: Int64Array
    volume_shares: Int64Array
    amount_fen: Int64Array
    bars: BarRows


def synthetic_instruments(count: int) -> SyntheticInstruments:
    """Return `count` shares over main board, ChiNext and STAR, and over the sectors."""
    listed: list[tuple[InstrumentId, bool, str, str]] = []
    for number in range(count):
        round_number, turn = divmod(number, len(_PREFIXES))
        exchange, prefix = _PREFIXES[turn][:2], _PREFIXES[turn][2:]
        sector = _SECTORS[number % len(_SECTORS)]
        instrument = parse_symbol(f"{prefix}{_FIRST_CODE + round_number:03d}.{exchange}")
        name = f"Synthetic {sector} {number + 1}"
        listed.append((instrument, number % _ST_EVERY == _ST_REST, sector, name))
    listed.sort()
    return SyntheticInstruments(
        instrument=np.array([share[0] for share in listed], dtype=np.int64),
        is_st=np.array([share[1] for share in listed], dtype=np.bool_),
        sector=np.array([share[2] for share in listed], dtype=np.object_),
        names=tuple(share[3] for share in listed),
    )


def synthetic_days(spec: SyntheticSpec) -> Iterator[Day]:
    """Yield the days of a synthetic market, from the first one at every call.

    `beats_per_day` counts TICK beats; the day's OPEN and CLOSE come on top.
    """
    generator = np.random.Generator(np.random.PCG64(spec.seed))
    listed = synthetic_instruments(spec.instrument_count)
    figures = _figures(spec)
    beats = _beats_of_day(spec.beats_per_day)
    close_ticks = generator.integers(500, 15_000, spec.instrument_count, dtype=np.int64)
    for number in range(spec.day_count):
        reference = _reference(
            generator,
            listed,
            figures,
            prev_close_e4=close_ticks * _TICK_E4,
            trade_date=synthetic_date(number),
        )
        day = _make_day(generator, reference, beats, synthetic_date(number))
        yield day
        close_ticks = day.bars.close_e4 // _TICK_E4
        rate, volume_shares = figures["turnover_rate"], day.bars.volume_shares
        is_traded = volume_shares > 0
        figures["turnover_rate"] = np.where(
            is_traded, volume_shares / figures["float_shares"], rate
        )


def synthetic_date(number: int) -> int:
    """Return the date YYYYMMDD of day `number`, from 0."""
    weeks, weekday = divmod(number, _WEEKDAYS)
    day = _FIRST_DAY + timedelta(days=weeks * _DAYS_PER_WEEK + weekday)
    return day.year * 10_000 + day.month * 100 + day.day


def _make_day(
    generator: np.random.Generator,
    reference: ReferenceRows,
    beats: _Beats,
    trade_date: int,
) -> Day:
    liquidity = np.clip(_MILLION // reference.prev_close_e4, 1, 20)
    walk = _walk(generator, reference, beats)
    book = _book(generator, reference, beats, walk, liquidity)
    trades = _trades(generator, reference, beats, walk, book, liquidity)
    speaks = generator.integers(0, _SILENT_ONE_IN, walk.price.shape) > 0
    speaks &= ~reference.is_suspended
    midnight_ns = shanghai_ns(trade_date, 0)
    tick_ts_ns = midnight_ns + beats.seconds_ns
    beat, place = np.nonzero(speaks)
    return Day(
        trade_date=trade_date,
        open_ts_ns=midnight_ns + _OPEN_SECONDS * NS_PER_SECOND,
        close_ts_ns=midnight_ns + _CLOSE_SECONDS * NS_PER_SECOND,
        reference=reference,
        quotes=QuoteRows(
            instrument=reference.instrument[place],
            ts_event_ns=tick_ts_ns[beat],
            phase=beats.phase[beat],
            last_e4=trades.last[beat, place] * _TICK_E4,
            volume_shares=trades.volume_shares[beat, place],
            amount_fen=trades.amount_fen[beat, place],
            bid_price_e4=book.bid_price[beat, place] * _TICK_E4,
            bid_shares=book.bid_shares[beat, place],
            ask_price_e4=book.ask_price[beat, place] * _TICK_E4,
            ask_shares=book.ask_shares[beat, place],
        ),
        tick_edges=np.concatenate(([0], np.cumsum(speaks.sum(axis=1)))),
        tick_ts_ns=tick_ts_ns,
        bars=trades.bars,
    )


def _figures(spec: SyntheticSpec) -> dict[str, Float64Array]:
    """Return what is known of each share from the first day on, one share in ten at a loss.

    They have a generator of their own: what is drawn here moves no price.
    """
    generator = np.random.Generator(np.random.PCG64((spec.seed, _FIGURES_STREAM)))
    count = spec.instrument_count
    sign = np.where(generator.integers(0, _LOSS_ONE_IN, count) == 0, -1, 1)
    return {
        **unknown_figures(count),
        "float_shares": generator.integers(*_FLOAT_LOTS, count).astype(np.float64) * _LOT,
        "pe_ttm": sign * generator.integers(*_PE_E2, count) / 100,
        "pb_mrq": generator.integers(*_PB_E2, count) / 100,
        "ps_ttm": generator.integers(*_PS_E2, count) / 100,
        "pcf_ttm": sign * generator.integers(*_PCF_E2, count) / 100,
    }


def _beats_of_day(count: int) -> _Beats:
    """Return `count` beats in the middle of equal parts of the trading time."""
    lengths = [end - start for start, end, _ in _SPANS]
    total_ns = sum(lengths) * NS_PER_SECOND
    offset_ns = np.array([(2 * k + 1) * total_ns // (2 * count) for k in range(count)])
    span_ends_ns = np.cumsum(lengths) * NS_PER_SECOND
    span = np.searchsorted(span_ends_ns, offset_ns, side="right")
    starts_ns = np.array([start for start, _, _ in _SPANS]) * NS_PER_SECOND
    span_begins_ns = span_ends_ns - np.array(lengths) * NS_PER_SECOND
    return _Beats(
        seconds_ns=starts_ns[span] + offset_ns - span_begins_ns[span],
        phase=np.array([phase for _, _, phase in _SPANS], dtype=np.uint8)[span],
    )


def _reference(
    generator: np.random.Generator,
    listed: SyntheticInstruments,
    figures: Mapping[str, Float64Array],
    *,
    prev_close_e4: Int64Array,
    trade_date: int,
) -> ReferenceRows:
    count = len(listed.instrument)
    boards = boards_of(listed.instrument)
    limits = price_limits(
        boards=boards,
        stages=ordinary_stages_of(listed.is_st),
        prev_close_e4=prev_close_e4,
        trade_date=trade_date,
    )
    assert (limits.state == LimitState.LIMITED).all(), "the market's boards all have limits"
    return ReferenceRows(
        instrument=listed.instrument,
        board=boards,
        limit_state=limits.state,
        is_st=listed.is_st,
        is_suspended=generator.integers(0, _SUSPENDED_ONE_IN, count) == 0,
        prev_close_e4=prev_close_e4,
        limit_up_e4=limits.up_e4,
        limit_down_e4=limits.down_e4,
        open_e4=np.zeros(count, dtype=np.int64),
        sector=listed.sector,
        **figures,
    )


def _walk(generator: np.random.Generator, reference: ReferenceRows, beats: _Beats) -> _Walk:
    """Return a day's prices: noise, lean, trend, jumps, and two shares that run to a limit."""
    shape = beat_count, count = len(beats.phase), len(reference)
    sigma_e6 = isqrt(_DAY_MOVE_E6**2 // beat_count)
    # Three even draws add up to nearly a bell of this very width.
    step_e6 = generator.integers(-sigma_e6, sigma_e6 + 1, (3, *shape)).sum(axis=0)
    step_e6 += generator.integers(-(sigma_e6 // 20), sigma_e6 // 20 + 1, count)
    jump_e6 = generator.integers(*_JUMP_E6, shape) * generator.choice(np.array([-1, 1]), shape)
    step_e6 += np.where(generator.integers(0, _JUMP_ONE_IN, shape) == 0, jump_e6, 0)
    distance_e6 = (reference.limit_up_e4 - reference.prev_close_e4) * _MILLION
    distance_e6 //= reference.prev_close_e4
    run = slice(beat_count // 4, max(beat_count // 2, beat_count // 4 + 1))
    for runner, direction in zip(generator.integers(0, count, 2), (1, -1), strict=True):
        push_e6 = distance_e6[runner] * 3 // (2 * (run.stop - run.start))
        step_e6[run, runner] += direction * push_e6
    news = generator.integers(-_PRESSURE_NEW_MAX, _PRESSURE_NEW_MAX + 1, shape)
    gap_e6 = generator.integers(-_GAP_E6_MAX, _GAP_E6_MAX + 1, count)
    up, down = reference.limit_up_e4 // _TICK_E4, reference.limit_down_e4 // _TICK_E4
    # A little room beyond the limit keeps a share locked there for a while.
    highest = up * _UNITS_PER_TICK + up * (_UNITS_PER_TICK // 200)
    lowest = down * _UNITS_PER_TICK - down * (_UNITS_PER_TICK // 200)
    value = reference.prev_close_e4 // _TICK_E4 * _UNITS_PER_TICK
    value += value * gap_e6 // _MILLION
    pressure = np.zeros(count, dtype=np.int64)
    values, pressures = np.empty((2, *shape), dtype=np.int64)
    for beat in range(beat_count):
        pressure = (pressure * _PRESSURE_KEPT_PERCENT + 50) // 100 + news[beat]
        pressure = np.clip(pressure, -_PRESSURE_MAX, _PRESSURE_MAX)
        lean_e6 = pressure * sigma_e6 // _LEAN_DIVISOR
        value = np.clip(value + value * (step_e6[beat] + lean_e6) // _MILLION, lowest, highest)
        values[beat], pressures[beat] = value, pressure
    return _Walk(price=np.clip(values // _UNITS_PER_TICK, down, up), pressure=pressures)


def _book(
    generator: np.random.Generator,
    reference: ReferenceRows,
    beats: _Beats,
    walk: _Walk,
    liquidity: Int64Array,
) -> _Book:
    """Return five levels around the walk; at a limit one side is empty.

    In a call auction level 1 holds the virtual match price on both sides, as the exchanges send.
    """
    shape = (*walk.price.shape, LEVELS)
    up = (reference.limit_up_e4 // _TICK_E4)[:, None]
    down = (reference.limit_down_e4 // _TICK_E4)[:, None]
    price = walk.price[:, :, None]
    is_call = (beats.phase != Phase.CONTINUOUS)[:, None, None]
    bid_steps, ask_steps = np.cumsum(generator.integers(1, 3, (2, *shape)), axis=3)
    spread = generator.integers(1, 4, walk.price.shape)[:, :, None]
    # At the lower limit sellers queue at it; else the best bid is where the walk is.
    is_down = price <= down
    best_ask = np.where(is_down, down, price + spread)
    bid_price = price - bid_steps + bid_steps[:, :, :1]
    ask_price = best_ask + ask_steps - ask_steps[:, :, :1]
    lots = generator.integers(4, 40, (2, *shape)) * liquidity[:, None]
    lean = walk.pressure[:, :, None]
    bid_shares = np.maximum(lots[0] * (1_000 + lean) // 1_000, 1) * _LOT
    ask_shares = np.maximum(lots[1] * (1_000 - lean) // 1_000, 1) * _LOT
    first = np.arange(LEVELS) == 0
    bid_shares = np.where((price >= up) & first, bid_shares * 20, bid_shares)
    ask_shares = np.where(is_down & first, ask_shares * 20, ask_shares)
    matched = np.minimum(bid_shares, ask_shares)
    is_bid = np.where(is_call, first, (bid_price >= down) & ~is_down)
    is_ask = np.where(is_call, first, ask_price <= up)
    return _Book(
        bid_price=np.where(is_bid, bid_price, 0),
        bid_shares=np.where(is_bid, np.where(is_call, matched, bid_shares), 0),
        ask_price=np.where(is_ask, np.where(is_call, price, ask_price), 0),
        ask_shares=np.where(is_ask, np.where(is_call, matched, ask_shares), 0),
    )


def _trades(
    generator: np.random.Generator,
    reference: ReferenceRows,
    beats: _Beats,
    walk: _Walk,
    book: _Book,
    liquidity: Int64Array,
) -> _Trades:
    """Return what is traded: in each continuous beat, and where a call auction ends."""
    shape = walk.price.shape
    is_continuous = beats.phase == Phase.CONTINUOUS
    bid, ask = book.bid_price[:, :, 0], book.ask_price[:, :, 0]
    is_buy = generator.integers(-1_000, 1_000, shape) < walk.pressure
    price = np.where((is_buy & (ask > 0)) | (bid == 0), ask, bid)
    shares = generator.integers(1, 30, shape) * liquidity * _LOT
    shares = np.where((bid == 0) | (ask == 0), np.maximum(shares // (10 * _LOT), 1) * _LOT, shares)
    shares = np.where(is_continuous[:, None] & ~reference.is_suspended, shares, 0)
    amount = price * shares
    first = int(np.argmax(is_continuous))
    open_price, close_price = price[first], price[is_continuous][-1]
    auction_shares = generator.integers(10, 100, (2, shape[1])) * liquidity * _LOT
    auction_shares[:, reference.is_suspended] = 0
    if first:
        open_price = walk.price[first - 1]
        shares[first] += auction_shares[0]
        amount[first] += auction_shares[0] * open_price
    volume_shares, amount_fen = np.cumsum(shares, axis=0), np.cumsum(amount, axis=0)
    day_shares, day_amount = volume_shares[-1].copy(), amount_fen[-1].copy()
    if not is_continuous[-1]:
        close_price = walk.price[-1]
        day_shares += auction_shares[1]
        day_amount += auction_shares[1] * close_price
    told = np.where(is_continuous[:, None], price, 0)
    prices = np.concatenate((price[is_continuous], [open_price, close_price]))

    def whole_day(price_ticks: Int64Array) -> Int64Array:
        price_e4 = price_ticks * _TICK_E4
        return np.where(reference.is_suspended, reference.prev_close_e4, price_e4)

    return _Trades(
        # After the last continuous beat the last price stays what it was.
        last=told[np.maximum.accumulate(np.where(is_continuous, np.arange(shape[0]), 0))],
        volume_shares=volume_shares,
        amount_fen=amount_fen,
        bars=BarRows(
            instrument=reference.instrument,
            open_e4=whole_day(open_price),
            high_e4=whole_day(prices.max(axis=0)),
            low_e4=whole_day(prices.min(axis=0)),
            close_e4=whole_day(close_price),
            volume_shares=day_shares,
            amount_fen=day_amount,
        ),
    )
