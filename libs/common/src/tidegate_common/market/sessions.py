"""Trading phases of a day, and Shanghai's clock in integers.

Whether a date is a trading day is the calendar's question, not asked here. Phases begin at their
first second and end before the next one's. A halt is the feed's word, never the table's.
"""

from dataclasses import dataclass
from datetime import date

from tidegate_common.domain.enums import Exchange, Phase
from tidegate_common.market.dated import FIRST_DATE, LAST_DATE, Confidence, DatedRow, row_on

NS_PER_SECOND = 1_000_000_000
SECONDS_PER_DAY = 86_400
# Shanghai is UTC+8 all year: China has had no daylight saving time since 1991-09-15.
SHANGHAI_OFFSET_SECONDS = 8 * 3_600
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Session:
    """A phase and the second of the day at which it begins."""

    start_seconds: int
    phase: Phase


def _at(hour: int, minute: int) -> int:
    return (hour * 60 + minute) * 60


# From here to 09:25 the opening call takes orders but no cancels.
OPEN_CALL_LOCK_SECONDS = _at(9, 20)

_UNTIL_CLOSE: tuple[Session, ...] = (
    Session(_at(9, 15), Phase.OPEN_CALL),
    Session(_at(9, 25), Phase.PAUSE),
    Session(_at(9, 30), Phase.CONTINUOUS),
    Session(_at(11, 30), Phase.LUNCH),
    Session(_at(13, 0), Phase.CONTINUOUS),
)
_CLOSED = Session(_at(15, 0), Phase.CLOSED)
_WITH_CLOSE_CALL = (*_UNTIL_CLOSE, Session(_at(14, 57), Phase.CLOSE_CALL), _CLOSED)
_WITHOUT_CLOSE_CALL = (*_UNTIL_CLOSE, _CLOSED)

SESSION_ROWS: dict[Exchange, tuple[DatedRow[tuple[Session, ...]], ...]] = {
    Exchange.SH: (
        DatedRow(
            FIRST_DATE,
            2018_08_19,
            _WITHOUT_CLOSE_CALL,
            "SSE Trading Rules before the closing call",
            Confidence.A,
        ),
        DatedRow(
            2018_08_20,
            LAST_DATE,
            _WITH_CLOSE_CALL,
            "SSE Trading Rules, closing call of shares effective 2018-08-20",
            Confidence.A,
        ),
    ),
    Exchange.SZ: (
        # Shenzhen had its closing call earlier than Shanghai, since when is not verified. With it
        # nothing is cancelled or matched from 14:57 to 15:00: the conservative reading.
        DatedRow(
            FIRST_DATE,
            2018_08_19,
            _WITH_CLOSE_CALL,
            "SZSE Trading Rules, first date of the closing call unverified",
            Confidence.D,
        ),
        DatedRow(
            2018_08_20,
            LAST_DATE,
            _WITH_CLOSE_CALL,
            "SZSE 2023 No. 98, SZSE 2026 No. 551 and predecessors",
            Confidence.A,
        ),
    ),
    Exchange.BJ: (
        DatedRow(
            2021_11_15,
            LAST_DATE,
            _WITH_CLOSE_CALL,
            "BSE Trading Rules, trial 2021-11-15; BSE 2026 No. 17, effective 2026-07-06",
            Confidence.A,
        ),
    ),
}

_TAKES_ORDERS = frozenset({Phase.OPEN_CALL, Phase.CONTINUOUS, Phase.CLOSE_CALL})


def phase_at(*, exchange: Exchange, trade_date: int, seconds_of_day: int) -> Phase:
    """Return the phase of an exchange's shares at a second of a trading day.

    Parameters
    ----------
    exchange : venue.
    trade_date : YYYYMMDD, Shanghai; a trading day.
    seconds_of_day : seconds since midnight in Shanghai.

    Returns
    -------
    CLOSED outside the day's sessions, and on days before the exchange's first row. After-hours
    fixed-price trading counts as CLOSED for now.

    Source: trading rules of the exchanges, row by row in `SESSION_ROWS`, read 2026-11-21.
    """
    row = row_on(SESSION_ROWS[exchange], trade_date)
    phase = Phase.CLOSED
    for session in row.value if row is not None else ():
        if seconds_of_day < session.start_seconds:
            break
        phase = session.phase
    return phase


def can_submit(phase: Phase) -> bool:
    """Tell whether an exchange accepts an order.

    Not from 09:25 to 09:30 (Shenzhen did before 2016-05-09, without acting on it), not over
    lunch (sources conflict for Shenzhen) and not in a halt: the conservative readings.

    Source: trading rules of the exchanges, read 2026-11-21 (A; the pause B, lunch C).
    """
    return phase in _TAKES_ORDERS


def can_cancel(phase: Phase, seconds_of_day: int) -> bool:
    """Tell whether an exchange accepts a cancel.

    Only in the opening call before 09:20 and in continuous trading.

    Source: trading rules of the exchanges, read 2026-11-21 (A).
    """
    if phase is Phase.OPEN_CALL:
        return seconds_of_day < OPEN_CALL_LOCK_SECONDS
    return phase is Phase.CONTINUOUS


def can_match_continuously(phase: Phase) -> bool:
    """Tell whether orders match as they come, by price and time.

    Source: trading rules of the exchanges, read 2026-11-21 (A).
    """
    return phase is Phase.CONTINUOUS


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
