"""Raw columns to integer columns: one row in, one row out, in the same order.

What cannot be said in integers (NaN, infinity, a negative number) comes out as 0 or as the edge
of the range; `quality` looks at the raw columns and rejects such rows.
"""

import re
from datetime import date
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Board, Exchange, Phase
from tidegate_common.domain.ids import EXCHANGE_STEP
from tidegate_common.domain.units import FEN_PER_YUAN, Float64Array, Int64Array
from tidegate_common.market.board import board_of
from tidegate_common.market.sessions import NS_PER_SECOND, SHANGHAI_OFFSET_SECONDS, phase_at
from tidegate_ingest.engine.columns import (
    BarColumns,
    MinuteColumns,
    RawBars,
    RawMinuteBars,
    RawSnapshots,
    SnapshotColumns,
    TextColumn,
)

# Prices of shares are whole fen: 0.01 CNY is 100 of 1/10,000 CNY.
PRICE_TICK_E4 = 100
# Larger than any real number here, and still exact in a float64 (2^53 is about 9.0e15).
WHOLE_MAX = 9_000_000_000_000_000

# Beside the values of `Phase`: a word that means nothing, and a break whose kind the clock tells.
PHASE_UNKNOWN = 255
_PHASE_BREAK = 254
_PHASE_BY_CLOCK = 253
# The word of a feed that says no phases: the session table does.
PHASE_BY_CLOCK = "BY_CLOCK"

_MINUTES_PER_DAY = 1_440
_SECONDS_PER_MINUTE = 60
_SECONDS_PER_DAY = 86_400
_UNIX_YEAR = 1970
_YEARS = range(1990, 2100)

# SSE `InstruStatus`, `InstrumentStatus`. SUSP is a suspension, HALT and VOLA are halts.
_SSE_PHASES = {
    "START": Phase.CLOSED,
    "PRETR": Phase.CLOSED,
    "OCALL": Phase.OPEN_CALL,
    "TRADE": Phase.CONTINUOUS,
    "BREAK": _PHASE_BREAK,
    "CCALL": Phase.CLOSE_CALL,
    "CLOSE": Phase.CLOSED,
    "ENDTR": Phase.CLOSED,
    "POSTR": Phase.CLOSED,
    "SUSP": Phase.HALTED,
    "HALT": Phase.HALTED,
    "VOLA": Phase.HALTED,
    PHASE_BY_CLOCK: _PHASE_BY_CLOCK,
}
# SZSE `TradingPhaseCode`, first character; the second one is 1 when the share is suspended.
_SZSE_PHASES = {
    "S": Phase.CLOSED,
    "O": Phase.OPEN_CALL,
    "T": Phase.CONTINUOUS,
    "B": _PHASE_BREAK,
    "C": Phase.CLOSE_CALL,
    "E": Phase.CLOSED,
    "A": Phase.CLOSED,
    "H": Phase.HALTED,
    "V": Phase.HALTED,
}
# A vendor's numbers. 1 to 6 are in the recorded files; 0 and 7 to 9 are unverified.
_NUMERIC_PHASES = {
    "0": Phase.CLOSED,
    "1": Phase.OPEN_CALL,
    "2": Phase.PAUSE,
    "3": Phase.CONTINUOUS,
    "4": Phase.LUNCH,
    "5": Phase.CLOSE_CALL,
    "6": Phase.CLOSED,
    "7": Phase.CLOSED,
    "8": Phase.HALTED,
    "9": Phase.HALTED,
}
# An exchange's breaks are the same on all its boards: one of them tells the breaks of indices and
# of codes whose board nobody knows, too.
_BOARD_OF_BREAKS = {
    Exchange.SH: Board.MAIN,
    Exchange.SZ: Board.MAIN,
    Exchange.BJ: Board.BSE,
}
_SZSE_WORD = re.compile(r"([A-Z])([01])?")

# How sources name the exchanges.
_VENUES = {
    "SH": Exchange.SH,
    "SZ": Exchange.SZ,
    "BJ": Exchange.BJ,
    "SSE": Exchange.SH,
    "SZSE": Exchange.SZ,
    "BSE": Exchange.BJ,
    "XSHG": Exchange.SH,
    "XSHE": Exchange.SZ,
}
_SUFFIXED = re.compile(rf"(\d{{6}})\.({'|'.join(_VENUES)})", re.IGNORECASE)
_PREFIXED = re.compile(r"(SH|SZ|BJ)\.?(\d{6})", re.IGNORECASE)
_BARE = re.compile(r"\d{1,6}")
# A time of day may follow.
_DATE = re.compile(r"(\d{4})([-.]?)(\d{2})\2(\d{2})([ T].*)?", re.ASCII)
_CODE_DIGITS = 6
_WORDS_MAX = 65_536


def normalize_snapshots(raw: RawSnapshots) -> SnapshotColumns:
    """Return snapshots in integers; see the columns' own notes for units."""
    instrument = _instruments(raw.code, raw.exchange)
    trade_date = _shanghai_dates(raw.ts_event_ns)
    return SnapshotColumns(
        instrument=instrument,
        trade_date=trade_date,
        row=np.arange(len(raw.code)),
        ts_event_ns=raw.ts_event_ns,
        phase=_phases(raw, instrument, trade_date),
        prev_close_e4=prices_e4(raw.prev_close),
        open_e4=prices_e4(raw.open),
        high_e4=prices_e4(raw.high),
        low_e4=prices_e4(raw.low),
        last_e4=prices_e4(raw.last),
        volume_shares=whole(raw.volume),
        amount_fen=whole(scaled(raw.amount, FEN_PER_YUAN)),
        limit_up_e4=prices_e4(raw.limit_up),
        limit_down_e4=prices_e4(raw.limit_down),
        bid_price_e4=prices_e4(raw.bid_price),
        bid_shares=whole(raw.bid_shares),
        ask_price_e4=prices_e4(raw.ask_price),
        ask_shares=whole(raw.ask_shares),
    )


def normalize_bars(raw: RawBars) -> BarColumns:
    """Return daily bars in integers; a suspended share has its last close as every price."""
    close_e4 = prices_e4(raw.close)
    return BarColumns(
        instrument=_instruments(raw.code, None),
        trade_date=raw.date.map_words(date_of),
        row=np.arange(len(raw.code)),
        prev_close_e4=prices_e4(raw.prev_close),
        open_e4=np.where(raw.is_suspended, close_e4, prices_e4(raw.open)),
        high_e4=np.where(raw.is_suspended, close_e4, prices_e4(raw.high)),
        low_e4=np.where(raw.is_suspended, close_e4, prices_e4(raw.low)),
        close_e4=close_e4,
        volume_shares=np.where(
            raw.is_suspended, 0, whole(scaled(raw.volume, raw.volume_shares_per_unit))
        ),
        amount_fen=np.where(
            raw.is_suspended, 0, whole(scaled(raw.amount, raw.amount_fen_per_unit))
        ),
        is_st=raw.is_st,
        is_suspended=raw.is_suspended,
        turn=raw.turn,
        pe_ttm=raw.pe_ttm,
        pb_mrq=raw.pb_mrq,
        ps_ttm=raw.ps_ttm,
        pcf_ttm=raw.pcf_ttm,
    )


def normalize_minute_bars(raw: RawMinuteBars) -> MinuteColumns:
    """Return bars of some minutes in integers."""
    return MinuteColumns(
        instrument=_instruments(raw.code, None),
        trade_date=_shanghai_dates(raw.ts_end_ns),
        row=np.arange(len(raw.code)),
        ts_end_ns=raw.ts_end_ns,
        open_e4=prices_e4(raw.open),
        high_e4=prices_e4(raw.high),
        low_e4=prices_e4(raw.low),
        close_e4=prices_e4(raw.close),
        volume_shares=whole(raw.volume),
        amount_fen=whole(scaled(raw.amount, FEN_PER_YUAN)),
    )


def prices_e4(price: Float64Array) -> Int64Array:
    """Return prices in CNY as 1/10,000 CNY, rounded to 0.01 CNY; float noise goes away."""
    return (
        np.minimum(whole(scaled(price, FEN_PER_YUAN)), WHOLE_MAX // PRICE_TICK_E4) * PRICE_TICK_E4
    )


def scaled(number: Float64Array, scale: float) -> Float64Array:
    """Return numbers in a smaller unit; what is too large for a float is infinite, no warning."""
    with np.errstate(over="ignore"):
        product: Float64Array = number * scale
    return product


def whole(number: Float64Array) -> Int64Array:
    """Return the nearest whole numbers within 0 .. `WHOLE_MAX`; 0 for NaN."""
    # Of a number and NaN, these two take the number.
    rounded = np.rint(number)
    np.fmax(rounded, 0, out=rounded)
    np.fmin(rounded, WHOLE_MAX, out=rounded)
    return rounded.astype(np.int64)


@lru_cache(_WORDS_MAX)
def instrument_of(word: str, exchange: Exchange | None) -> int:
    """Return the instrument id of a code such as `600519.SH`, `sh.600519` or `600519`; else 0.

    Parameters
    ----------
    exchange : venue of a bare code; without one, a bare code of six digits is the share that has
        it, on whichever exchange, and means nothing where there is none such.
    """
    word = word.strip()
    if match := _SUFFIXED.fullmatch(word):
        return _VENUES[match[2].upper()] * EXCHANGE_STEP + int(match[1])
    if match := _PREFIXED.fullmatch(word):
        return _VENUES[match[1].upper()] * EXCHANGE_STEP + int(match[2])
    if not _BARE.fullmatch(word):
        return 0
    if exchange is not None:
        return exchange * EXCHANGE_STEP + int(word)
    venues = [venue * EXCHANGE_STEP + int(word) for venue in Exchange if len(word) == _CODE_DIGITS]
    # No two exchanges share a prefix of shares.
    return next((each for each in venues if board_of(each) is not Board.UNKNOWN), 0)


def date_of(word: str) -> int:
    """Return YYYYMMDD of a date such as `2023-02-01`, `2023.02.01` or `20230201`; else 0.

    There was no market before 1990, and what is far away has no place among the nanoseconds.
    """
    match = _DATE.fullmatch(word.strip())
    if match is None:
        return 0
    try:
        day = date(int(match[1]), int(match[3]), int(match[4]))
    except ValueError:
        return 0
    return int(match[1] + match[3] + match[4]) if day.year in _YEARS else 0


def phase_of(word: str) -> int:
    """Return what a feed's phase word means: a `Phase`, a break or `PHASE_UNKNOWN`."""
    word = word.strip().upper()
    for phases in (_SSE_PHASES, _NUMERIC_PHASES):
        if word in phases:
            return phases[word]
    match = _SZSE_WORD.fullmatch(word)
    if match is None:
        return PHASE_UNKNOWN
    return Phase.HALTED if match[2] == "1" else _SZSE_PHASES.get(match[1], PHASE_UNKNOWN)


def _instruments(code: TextColumn, exchange: Exchange | None) -> Int64Array:
    return code.map_words(lambda word: instrument_of(word, exchange))


def _shanghai_dates(ts_event_ns: Int64Array) -> Int64Array:
    """Return YYYYMMDD in Shanghai, 0 for a time that could not be read."""
    days = (ts_event_ns // NS_PER_SECOND + SHANGHAI_OFFSET_SECONDS) // _SECONDS_PER_DAY
    day = days.astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    month_index = month.astype(np.int64)
    year_month = (month_index // 12 + _UNIX_YEAR) * 100 + month_index % 12 + 1
    day_of_month = (day - month.astype("datetime64[D]")).astype(np.int64) + 1
    return np.where(ts_event_ns < 0, 0, year_month * 100 + day_of_month)


def _phases(
    raw: RawSnapshots,
    instrument: Int64Array,
    trade_date: Int64Array,
) -> NDArray[np.uint8]:
    """Return the feed's phases, breaks told apart by the session table.

    A feed without phases has those of the table.
    SSE says TRADE from 09:25 on and over lunch too, SZSE says B in both breaks: there the table
    knows better. Everywhere else the feed's word stands.
    """
    said = raw.phase.map_words(phase_of)
    table = _session_phases(raw.ts_event_ns, instrument, trade_date)
    is_break_by_table = (table == Phase.PAUSE) | (table == Phase.LUNCH)
    is_unsure = (said == Phase.CONTINUOUS) | (said == _PHASE_BREAK)
    is_table = (is_unsure & is_break_by_table) | (said == _PHASE_BY_CLOCK)
    phase = np.where(is_table, table, said)
    return np.where(phase == _PHASE_BREAK, Phase.PAUSE, phase).astype(np.uint8)


def _session_phases(
    ts_event_ns: Int64Array,
    instrument: Int64Array,
    trade_date: Int64Array,
) -> Int64Array:
    """Return the session table's phase of each row; its sessions begin at whole minutes."""
    seconds = (ts_event_ns // NS_PER_SECOND + SHANGHAI_OFFSET_SECONDS) % _SECONDS_PER_DAY
    minute = seconds // _SECONDS_PER_MINUTE
    exchange = instrument // EXCHANGE_STEP
    phase = np.full(len(instrument), Phase.CLOSED, dtype=np.int64)
    for venue, board in _BOARD_OF_BREAKS.items():
        for day in np.unique(trade_date[(exchange == venue) & (trade_date > 0)]).tolist():
            by_minute = _phases_by_minute(venue, board, day)
            chosen = (exchange == venue) & (trade_date == day)
            phase[chosen] = by_minute[minute[chosen]]
    return phase


@lru_cache(16)
def _phases_by_minute(exchange: Exchange, board: Board, trade_date: int) -> Int64Array:
    phases = [
        phase_at(exchange=exchange, board=board, trade_date=trade_date, seconds_of_day=minute * 60)
        for minute in range(_MINUTES_PER_DAY)
    ]
    return np.array(phases, dtype=np.int64)
