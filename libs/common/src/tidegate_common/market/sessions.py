"""Trading phases of a day, and Shanghai's clock in integers.

Whether a date is a trading day is the calendar's question, not asked here. Phases begin at their
first second and end before the next one's. A halt is the feed's word, never the table's.

A row's confidence is that of what sets it apart from the row before it. What all rows share: the
opening call and continuous trading are A, the pause from 09:25 is B, lunch is C, where sources
conflict on Shenzhen.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Board, Exchange, Matching, Phase
from tidegate_common.domain.units import BoolArray, Int64Array
from tidegate_common.market.dated import FIRST_DATE, LAST_DATE, Confidence, DatedRow, row_on

NS_PER_SECOND = 1_000_000_000
SECONDS_PER_DAY = 86_400
# Shanghai is UTC+8 all year: China has had no daylight saving time since 1991-09-15.
SHANGHAI_OFFSET_SECONDS = 8 * 3_600
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Session:
    """A phase of a day, and what an exchange does in it.

    start_seconds, end_seconds : seconds of the day, the end not included.
    can_submit, can_cancel : whether ordinary orders and their cancels are taken.
    can_submit_fixed_price : whether orders of after-hours trading are taken; they match at the
        close, from 15:05, in order of time. Cancels of them are refused: no source says when
        they are taken, so the conservative reading.
    """

    start_seconds: int
    end_seconds: int
    phase: Phase
    can_submit: bool
    can_cancel: bool
    matching: Matching
    can_submit_fixed_price: bool


Sessions = tuple[Session, ...]

_TAKES_ORDERS = frozenset(
    {Phase.OPEN_CALL, Phase.OPEN_CALL_LOCKED, Phase.CONTINUOUS, Phase.CLOSE_CALL},
)
_TAKES_CANCELS = frozenset({Phase.OPEN_CALL, Phase.CONTINUOUS})
# The part of the opening call with cancels gathers orders; the one price comes at 09:25.
_MATCHING = {
    Phase.OPEN_CALL_LOCKED: Matching.CALL_AUCTION,
    Phase.CONTINUOUS: Matching.CONTINUOUS,
    Phase.CLOSE_CALL: Matching.CALL_AUCTION,
    Phase.AFTER_HOURS: Matching.FIXED_PRICE,
}


def can_submit(phase: Phase) -> bool:
    """Tell whether an exchange accepts an ordinary order.

    Not from 09:25 to 09:30 (Shenzhen did before 2016-05-09, without acting on it), not over
    lunch (sources conflict for Shenzhen), not after hours and not in a halt: the conservative
    readings.

    Source: trading rules of the exchanges, read 2026-11-21 (A; the pause B, lunch C).
    """
    return phase in _TAKES_ORDERS


def can_cancel(phase: Phase) -> bool:
    """Tell whether an exchange accepts a cancel.

    Only in the opening call before 09:20 and in continuous trading. The session table tells the
    locked part of the opening call apart; a feed does not.

    Source: trading rules of the exchanges, read 2026-11-21 (A).
    """
    return phase in _TAKES_CANCELS


def can_match_continuously(phase: Phase) -> bool:
    """Tell whether orders match as they come, by price and time.

    Source: trading rules of the exchanges, read 2026-11-21 (A).
    """
    return phase is Phase.CONTINUOUS


def _at(hour: int, minute: int) -> int:
    return (hour * 60 + minute) * 60


def _session(start: int, end: int, phase: Phase, *, has_fixed_price: bool = False) -> Session:
    return Session(
        start_seconds=start,
        end_seconds=end,
        phase=phase,
        can_submit=can_submit(phase),
        can_cancel=can_cancel(phase),
        matching=_MATCHING.get(phase, Matching.NONE),
        can_submit_fixed_price=has_fixed_price,
    )


def _day(*, has_close_call: bool, fixed_price_from: int | None = None) -> Sessions:
    """Return the sessions of a day.

    Parameters
    ----------
    fixed_price_from : second from which orders of after-hours trading are taken, except over
        lunch; None without such trading.
    """
    continuous_end = _at(14, 57) if has_close_call else _at(15, 0)
    plan = [
        (_at(9, 15), _at(9, 20), Phase.OPEN_CALL),
        (_at(9, 20), _at(9, 25), Phase.OPEN_CALL_LOCKED),
        (_at(9, 25), _at(9, 30), Phase.PAUSE),
        (_at(9, 30), _at(11, 30), Phase.CONTINUOUS),
        (_at(11, 30), _at(13, 0), Phase.LUNCH),
        (_at(13, 0), continuous_end, Phase.CONTINUOUS),
    ]
    if has_close_call:
        plan.append((continuous_end, _at(15, 0), Phase.CLOSE_CALL))
    if fixed_price_from is not None:
        plan.append((_at(15, 0), _at(15, 5), Phase.CLOSED))
        plan.append((_at(15, 5), _at(15, 30), Phase.AFTER_HOURS))
    return tuple(
        _session(
            start,
            end,
            phase,
            has_fixed_price=(
                fixed_price_from is not None
                and start >= fixed_price_from
                and phase is not Phase.LUNCH
            ),
        )
        for start, end, phase in plan
    )


_WITHOUT_CLOSE_CALL = _day(has_close_call=False)
_WITH_CLOSE_CALL = _day(has_close_call=True)
# Orders of after-hours trading: Shanghai takes them from 09:30, Shenzhen from 09:15 (B).
_SH_AFTER_HOURS = _day(has_close_call=True, fixed_price_from=_at(9, 30))
_SZ_AFTER_HOURS = _day(has_close_call=True, fixed_price_from=_at(9, 15))

# Whether orders could be cancelled throughout the opening call before the Trading Rules of 2006,
# effective 2006-07-01, is not verified: the locked part stands for those years too, conservatively.
_SH_UNVERIFIED = "hours of SSE's Trading Rules of 2006, taken to have held before; unverified"

_SZ_UNVERIFIED = "SZSE Trading Rules, first date of the closing call unverified"
_SZ_CLOSE_CALL = "SZSE 2023 No. 98 and predecessors"
_SH_2026 = "SSE 2026 No. 41, after-hours trading of all shares and funds, effective 2026-07-06"
_SZ_2026 = "SZSE 2026 No. 551, after-hours trading of all shares and funds, effective 2026-07-06"

# Shenzhen had its closing call earlier than Shanghai, since when is not verified. With it nothing
# is cancelled or matched from 14:57 to 15:00: the conservative reading.
_SZ_ROWS: tuple[DatedRow[Sessions], ...] = (
    DatedRow(FIRST_DATE, 2018_08_19, _WITH_CLOSE_CALL, _SZ_UNVERIFIED, Confidence.D),
    DatedRow(2018_08_20, 2026_07_05, _WITH_CLOSE_CALL, _SZ_CLOSE_CALL, Confidence.A),
    DatedRow(2026_07_06, LAST_DATE, _SZ_AFTER_HOURS, _SZ_2026, Confidence.A),
)
_SH_FUND_ROWS: tuple[DatedRow[Sessions], ...] = (
    DatedRow(FIRST_DATE, 2006_06_30, _WITHOUT_CLOSE_CALL, _SH_UNVERIFIED, Confidence.D),
    DatedRow(
        2006_07_01,
        2026_07_05,
        _WITHOUT_CLOSE_CALL,
        "SSE Trading Rules before the closing call of funds",
        Confidence.B,
    ),
    DatedRow(
        2026_07_06,
        LAST_DATE,
        _SH_AFTER_HOURS,
        f"{_SH_2026}; closing call of funds from that day (B)",
        Confidence.B,
    ),
)

# No row for a board that is not known or not the exchange's: no board, no trading.
SESSION_ROWS: dict[tuple[Exchange, Board], tuple[DatedRow[Sessions], ...]] = {
    (Exchange.SH, Board.MAIN): (
        DatedRow(FIRST_DATE, 2006_06_30, _WITHOUT_CLOSE_CALL, _SH_UNVERIFIED, Confidence.D),
        DatedRow(
            2006_07_01,
            2018_08_19,
            _WITHOUT_CLOSE_CALL,
            "SSE Trading Rules before the closing call",
            Confidence.A,
        ),
        DatedRow(
            2018_08_20,
            2026_07_05,
            _WITH_CLOSE_CALL,
            "SSE Trading Rules, closing call of shares effective 2018-08-20",
            Confidence.A,
        ),
        DatedRow(2026_07_06, LAST_DATE, _SH_AFTER_HOURS, _SH_2026, Confidence.A),
    ),
    (Exchange.SH, Board.STAR): (
        DatedRow(
            2019_07_22,
            2026_07_05,
            _SH_AFTER_HOURS,
            "SSE STAR Market Trading Rules; first date of after-hours trading unverified",
            Confidence.D,
        ),
        DatedRow(2026_07_06, LAST_DATE, _SH_AFTER_HOURS, _SH_2026, Confidence.A),
    ),
    (Exchange.SH, Board.ETF): _SH_FUND_ROWS,
    (Exchange.SH, Board.ETF_GROWTH): _SH_FUND_ROWS,
    (Exchange.SZ, Board.MAIN): _SZ_ROWS,
    (Exchange.SZ, Board.CHINEXT): (
        DatedRow(2009_10_30, 2018_08_19, _WITH_CLOSE_CALL, _SZ_UNVERIFIED, Confidence.D),
        DatedRow(2018_08_20, 2020_08_23, _WITH_CLOSE_CALL, _SZ_CLOSE_CALL, Confidence.A),
        DatedRow(
            2020_08_24,
            2026_07_05,
            _SZ_AFTER_HOURS,
            "SZSE ChiNext Trading Special Rules; first date of after-hours trading unverified",
            Confidence.D,
        ),
        DatedRow(2026_07_06, LAST_DATE, _SZ_AFTER_HOURS, _SZ_2026, Confidence.A),
    ),
    (Exchange.SZ, Board.ETF): _SZ_ROWS,
    (Exchange.SZ, Board.ETF_GROWTH): _SZ_ROWS,
    (Exchange.BJ, Board.BSE): (
        DatedRow(
            2021_11_15,
            LAST_DATE,
            # Section 3.7 describes after-hours trading, not in force on 2026-08-29 (C).
            _WITH_CLOSE_CALL,
            "BSE Trading Rules, trial 2021-11-15; BSE 2026 No. 17, effective 2026-07-06",
            Confidence.A,
        ),
    ),
}

# Exchanges and boards travel as small numbers: every value of them has a place, known or not.
_VALUES = 256


def sessions_on(
    *,
    exchange: Exchange,
    board: Board,
    trade_date: int,
) -> DatedRow[Sessions] | None:
    """Return the sessions of a trading day in order, None where there is no row.

    Source: trading rules of the exchanges, row by row in `SESSION_ROWS`, read 2026-11-21.
    """
    return row_on(SESSION_ROWS.get((exchange, board), ()), trade_date)


def session_at(
    *,
    exchange: Exchange,
    board: Board,
    trade_date: int,
    seconds_of_day: int,
) -> Session:
    """Return the session at a second of a trading day.

    Parameters
    ----------
    exchange, board : where an instrument is listed.
    trade_date : YYYYMMDD, Shanghai; a trading day.
    seconds_of_day : seconds since midnight in Shanghai.

    Returns
    -------
    A CLOSED one, which reaches to the day's sessions, outside them; one that lasts all day where
    there is no row.

    Source: as `sessions_on`.
    """
    row = sessions_on(exchange=exchange, board=board, trade_date=trade_date)
    closed_from = 0
    for session in row.value if row is not None else ():
        if seconds_of_day < session.start_seconds:
            return _session(closed_from, session.start_seconds, Phase.CLOSED)
        if seconds_of_day < session.end_seconds:
            return session
        closed_from = session.end_seconds
    return _session(closed_from, SECONDS_PER_DAY, Phase.CLOSED)


def phase_at(
    *,
    exchange: Exchange,
    board: Board,
    trade_date: int,
    seconds_of_day: int,
) -> Phase:
    """Return the phase at a second of a trading day; see `session_at`.

    Source: as `sessions_on`.
    """
    return session_at(
        exchange=exchange,
        board=board,
        trade_date=trade_date,
        seconds_of_day=seconds_of_day,
    ).phase


def phases_at(
    *,
    exchanges: NDArray[np.integer],
    boards: NDArray[np.uint8],
    trade_date: int,
    seconds_of_day: int,
) -> NDArray[np.uint8]:
    """Return `phase_at` elementwise.

    Parameters
    ----------
    exchanges : (n,) integers, `Exchange`; a number that is none is CLOSED.
    boards : (n,) uint8, `Board`; a number that is none is CLOSED.
    trade_date : YYYYMMDD, Shanghai; a trading day.
    seconds_of_day : seconds since midnight in Shanghai.

    Returns
    -------
    (n,) uint8, `Phase`.

    Source: as `sessions_on`.
    """
    table = np.full((_VALUES, _VALUES), Phase.CLOSED, dtype=np.uint8)
    for exchange, board in SESSION_ROWS:
        table[exchange, board] = phase_at(
            exchange=exchange,
            board=board,
            trade_date=trade_date,
            seconds_of_day=seconds_of_day,
        )
    is_known: BoolArray = (exchanges >= 0) & (exchanges < _VALUES)
    places: Int64Array = np.where(is_known, exchanges, 0)
    return table[places, boards]


def shanghai_ns(trade_date: int, seconds_of_day: int) -> int:
    """Return the UTC epoch time, in nanoseconds, of a second of a day in Shanghai.

    Raises
    ------
    ValueError
        If the date is none in the calendar.
    """
    year, month_day = divmod(trade_date, 10_000)
    days = date(year, *divmod(month_day, 100)).toordinal() - _EPOCH_ORDINAL
    seconds = days * SECONDS_PER_DAY + seconds_of_day - SHANGHAI_OFFSET_SECONDS
    return seconds * NS_PER_SECOND


def shanghai_date(ts_event_ns: int) -> int:
    """Return the date in Shanghai, YYYYMMDD, of a UTC epoch time in nanoseconds."""
    day = date.fromordinal(_EPOCH_ORDINAL + _shanghai_epoch_seconds(ts_event_ns) // SECONDS_PER_DAY)
    return day.year * 10_000 + day.month * 100 + day.day


def shanghai_seconds(ts_event_ns: int) -> int:
    """Return the second of the day in Shanghai, cut, of a UTC epoch time in nanoseconds."""
    return _shanghai_epoch_seconds(ts_event_ns) % SECONDS_PER_DAY


def _shanghai_epoch_seconds(ts_event_ns: int) -> int:
    return ts_event_ns // NS_PER_SECOND + SHANGHAI_OFFSET_SECONDS
