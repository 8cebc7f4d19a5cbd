"""Sessions at each boundary second and on each boundary day, and Shanghai's clock."""

import numpy as np
import pytest

from tidegate_common.domain.enums import Board, Exchange, Matching, Phase
from tidegate_common.market.dated import Confidence
from tidegate_common.market.sessions import (
    SESSION_ROWS,
    Session,
    can_cancel,
    can_match_continuously,
    can_submit,
    phase_at,
    phases_at,
    session_at,
    sessions_on,
    shanghai_date,
    shanghai_ns,
    shanghai_seconds,
)

TODAY = 2026_11_20
SEGMENTS = list(SESSION_ROWS)
# Second of the day at which each phase begins, and the phase; the one before it ends there.
DAY = [
    ("09:15", Phase.CLOSED, Phase.OPEN_CALL),
    ("09:20", Phase.OPEN_CALL, Phase.OPEN_CALL_LOCKED),
    ("09:25", Phase.OPEN_CALL_LOCKED, Phase.PAUSE),
    ("09:30", Phase.PAUSE, Phase.CONTINUOUS),
    ("11:30", Phase.CONTINUOUS, Phase.LUNCH),
    ("13:00", Phase.LUNCH, Phase.CONTINUOUS),
]
# Which of the four kinds of afternoon a segment has on a day.
CONTINUOUS_TO_THE_END = (Phase.CONTINUOUS, Phase.CLOSED)
CLOSE_CALL = (Phase.CLOSE_CALL, Phase.CLOSED)
CLOSE_CALL_AND_AFTER_HOURS = (Phase.CLOSE_CALL, Phase.AFTER_HOURS)
NO_MARKET = (Phase.CLOSED, Phase.CLOSED)


def seconds(clock: str) -> int:
    """Return the second of the day of HH:MM."""
    hour, minute = clock.split(":")
    return (int(hour) * 60 + int(minute)) * 60


def phases_of(segment: tuple[Exchange, Board], trade_date: int, *clocks: int) -> list[Phase]:
    """Return the phases of a segment at some seconds of a day."""
    exchange, board = segment
    return [
        phase_at(exchange=exchange, board=board, trade_date=trade_date, seconds_of_day=second)
        for second in clocks
    ]


@pytest.mark.parametrize("segment", SEGMENTS)
@pytest.mark.parametrize(("clock", "before", "after"), DAY)
def test_phase_at_boundary_second_begins_the_next_phase(
    segment: tuple[Exchange, Board],
    clock: str,
    before: Phase,
    after: Phase,
) -> None:
    """A phase owns its first second and not its end, on every board."""
    phases = phases_of(segment, 2023_02_01, seconds(clock) - 1, seconds(clock))

    assert phases == [before, after]


@pytest.mark.parametrize(
    ("board", "trade_date", "confidence"),
    [
        (Board.MAIN, 2006_06_30, Confidence.D),
        (Board.MAIN, 2006_07_01, Confidence.A),
        (Board.ETF, 2006_06_30, Confidence.D),
        (Board.ETF, 2006_07_01, Confidence.B),
    ],
)
def test_sessions_of_shanghai_before_the_rules_of_2006_are_labelled_unverified(
    board: Board,
    trade_date: int,
    confidence: Confidence,
) -> None:
    """The same hours, but nobody vouches for those of the years before."""
    row = sessions_on(exchange=Exchange.SH, board=board, trade_date=trade_date)

    assert row is not None
    assert row.confidence is confidence


@pytest.mark.parametrize("segment", SEGMENTS)
def test_phase_at_night_is_closed(segment: tuple[Exchange, Board]) -> None:
    """Before the first session and after the last there is no market."""
    phases = phases_of(segment, TODAY, -1, 0, seconds("15:30"), 86_399, 86_400)

    assert set(phases) == {Phase.CLOSED}


@pytest.mark.parametrize(
    ("exchange", "board", "trade_date", "expected"),
    [
        (Exchange.SH, Board.MAIN, 1999_11_10, CONTINUOUS_TO_THE_END),
        (Exchange.SH, Board.MAIN, 2018_08_19, CONTINUOUS_TO_THE_END),
        (Exchange.SH, Board.MAIN, 2018_08_20, CLOSE_CALL),
        (Exchange.SH, Board.MAIN, 2026_07_05, CLOSE_CALL),
        (Exchange.SH, Board.MAIN, 2026_07_06, CLOSE_CALL_AND_AFTER_HOURS),
        (Exchange.SH, Board.STAR, 2019_07_21, NO_MARKET),
        (Exchange.SH, Board.STAR, 2019_07_22, CLOSE_CALL_AND_AFTER_HOURS),
        (Exchange.SH, Board.STAR, 2026_07_05, CLOSE_CALL_AND_AFTER_HOURS),
        (Exchange.SH, Board.STAR, 2026_07_06, CLOSE_CALL_AND_AFTER_HOURS),
        (Exchange.SH, Board.ETF, 2026_07_05, CONTINUOUS_TO_THE_END),
        (Exchange.SH, Board.ETF, 2026_07_06, CLOSE_CALL_AND_AFTER_HOURS),
        (Exchange.SH, Board.ETF_GROWTH, 2026_07_05, CONTINUOUS_TO_THE_END),
        (Exchange.SH, Board.ETF_GROWTH, 2026_07_06, CLOSE_CALL_AND_AFTER_HOURS),
        (Exchange.SZ, Board.MAIN, 2018_08_19, CLOSE_CALL),
        (Exchange.SZ, Board.MAIN, 2018_08_20, CLOSE_CALL),
        (Exchange.SZ, Board.MAIN, 2026_07_05, CLOSE_CALL),
        (Exchange.SZ, Board.MAIN, 2026_07_06, CLOSE_CALL_AND_AFTER_HOURS),
        (Exchange.SZ, Board.CHINEXT, 2009_10_29, NO_MARKET),
        (Exchange.SZ, Board.CHINEXT, 2009_10_30, CLOSE_CALL),
        (Exchange.SZ, Board.CHINEXT, 2018_08_19, CLOSE_CALL),
        (Exchange.SZ, Board.CHINEXT, 2018_08_20, CLOSE_CALL),
        (Exchange.SZ, Board.CHINEXT, 2020_08_23, CLOSE_CALL),
        (Exchange.SZ, Board.CHINEXT, 2020_08_24, CLOSE_CALL_AND_AFTER_HOURS),
        (Exchange.SZ, Board.CHINEXT, 2026_07_05, CLOSE_CALL_AND_AFTER_HOURS),
        (Exchange.SZ, Board.CHINEXT, 2026_07_06, CLOSE_CALL_AND_AFTER_HOURS),
        (Exchange.SZ, Board.ETF, 2026_07_05, CLOSE_CALL),
        (Exchange.SZ, Board.ETF, 2026_07_06, CLOSE_CALL_AND_AFTER_HOURS),
        (Exchange.SZ, Board.ETF_GROWTH, 2026_07_05, CLOSE_CALL),
        (Exchange.SZ, Board.ETF_GROWTH, 2026_07_06, CLOSE_CALL_AND_AFTER_HOURS),
        (Exchange.BJ, Board.BSE, 2021_11_14, NO_MARKET),
        (Exchange.BJ, Board.BSE, 2021_11_15, CLOSE_CALL),
        (Exchange.BJ, Board.BSE, 2026_07_06, CLOSE_CALL),
        (Exchange.BJ, Board.BSE, TODAY, CLOSE_CALL),
        (Exchange.SZ, Board.STAR, TODAY, NO_MARKET),
        (Exchange.SH, Board.UNKNOWN, TODAY, NO_MARKET),
    ],
)
def test_afternoon_follows_the_row_of_the_day(
    exchange: Exchange,
    board: Board,
    trade_date: int,
    expected: tuple[Phase, Phase],
) -> None:
    """The closing call and the trading after it came to one board after the other."""
    phases = phases_of((exchange, board), trade_date, seconds("14:57"), seconds("15:05"))

    assert tuple(phases) == expected


@pytest.mark.parametrize(
    ("trade_date", "clock", "before", "after"),
    [
        (2018_08_17, "15:00", Phase.CONTINUOUS, Phase.CLOSED),
        (2023_02_01, "14:57", Phase.CONTINUOUS, Phase.CLOSE_CALL),
        (2023_02_01, "15:00", Phase.CLOSE_CALL, Phase.CLOSED),
        (TODAY, "15:00", Phase.CLOSE_CALL, Phase.CLOSED),
        (TODAY, "15:05", Phase.CLOSED, Phase.AFTER_HOURS),
        (TODAY, "15:30", Phase.AFTER_HOURS, Phase.CLOSED),
    ],
)
def test_phase_at_boundary_second_of_the_afternoon_begins_the_next_phase(
    trade_date: int,
    clock: str,
    before: Phase,
    after: Phase,
) -> None:
    """Once Shanghai traded continuously to the last second; now the day ends at 15:30."""
    segment = (Exchange.SH, Board.MAIN)

    phases = phases_of(segment, trade_date, seconds(clock) - 1, seconds(clock))

    assert phases == [before, after]


@pytest.mark.parametrize(
    ("phase", "is_submit", "is_cancel", "is_match"),
    [
        (Phase.CLOSED, False, False, False),
        (Phase.OPEN_CALL, True, True, False),
        (Phase.OPEN_CALL_LOCKED, True, False, False),
        (Phase.PAUSE, False, False, False),
        (Phase.CONTINUOUS, True, True, True),
        (Phase.LUNCH, False, False, False),
        (Phase.CLOSE_CALL, True, False, False),
        (Phase.AFTER_HOURS, False, False, False),
        (Phase.HALTED, False, False, False),
    ],
)
def test_phase_decides_orders_cancels_and_matching(
    phase: Phase,
    is_submit: bool,  # noqa: FBT001 - a column of the table above
    is_cancel: bool,  # noqa: FBT001 - a column of the table above
    is_match: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    """Auctions take orders and match them later; from 09:20 and 14:57 an order is locked."""
    assert can_submit(phase) is is_submit
    assert can_cancel(phase) is is_cancel
    assert can_match_continuously(phase) is is_match


@pytest.mark.parametrize(
    ("phase", "matching"),
    [
        (Phase.OPEN_CALL, Matching.NONE),
        (Phase.OPEN_CALL_LOCKED, Matching.CALL_AUCTION),
        (Phase.PAUSE, Matching.NONE),
        (Phase.CONTINUOUS, Matching.CONTINUOUS),
        (Phase.LUNCH, Matching.NONE),
        (Phase.CLOSE_CALL, Matching.CALL_AUCTION),
        (Phase.CLOSED, Matching.NONE),
        (Phase.AFTER_HOURS, Matching.FIXED_PRICE),
    ],
)
def test_session_of_each_phase_matches_and_takes_orders_as_its_phase_does(
    phase: Phase,
    matching: Matching,
) -> None:
    """One price at 09:25 and at 15:00, the close after hours, and nothing in between."""
    row = sessions_on(exchange=Exchange.SH, board=Board.MAIN, trade_date=TODAY)
    assert row is not None
    sessions = [session for session in row.value if session.phase is phase]

    assert {session.matching for session in sessions} == {matching}
    assert {session.can_submit for session in sessions} == {can_submit(phase)}
    assert {session.can_cancel for session in sessions} == {can_cancel(phase)}


@pytest.mark.parametrize(
    ("exchange", "board", "trade_date", "spans"),
    [
        (Exchange.SH, Board.MAIN, 2026_07_05, []),
        (Exchange.SH, Board.MAIN, TODAY, [("09:30", "11:30"), ("13:00", "15:30")]),
        (Exchange.SH, Board.STAR, 2019_07_22, [("09:30", "11:30"), ("13:00", "15:30")]),
        (Exchange.SZ, Board.MAIN, TODAY, [("09:15", "11:30"), ("13:00", "15:30")]),
        (Exchange.SZ, Board.CHINEXT, 2020_08_24, [("09:15", "11:30"), ("13:00", "15:30")]),
        (Exchange.BJ, Board.BSE, TODAY, []),
    ],
)
def test_orders_of_after_hours_trading_are_taken_in_the_exchanges_windows(
    exchange: Exchange,
    board: Board,
    trade_date: int,
    spans: list[tuple[str, str]],
) -> None:
    """To the second: in the pause too in Shenzhen, from 09:30 in Shanghai, never over lunch."""
    clocks = ("09:15", "09:30", "11:30", "13:00", "15:00", "15:05", "15:30")
    asked = [seconds(clock) - before for clock in clocks for before in (1, 0)]

    taken = [
        second
        for second in asked
        if session_at(
            exchange=exchange,
            board=board,
            trade_date=trade_date,
            seconds_of_day=second,
        ).can_submit_fixed_price
    ]

    assert taken == [
        second
        for second in asked
        if any(seconds(start) <= second < seconds(end) for start, end in spans)
    ]


@pytest.mark.parametrize(
    ("trade_date", "seconds_of_day", "span"),
    [
        (TODAY, 0, (0, 33_300)),
        (TODAY, 33_299, (0, 33_300)),
        (TODAY, 54_000, (54_000, 54_300)),
        (TODAY, 55_800, (55_800, 86_400)),
        (2023_02_01, 54_000, (54_000, 86_400)),
        (2019_07_21, 36_000, (0, 86_400)),
    ],
)
def test_session_at_outside_the_day_is_a_closed_one(
    trade_date: int,
    seconds_of_day: int,
    span: tuple[int, int],
) -> None:
    """It says from when to when nothing is taken; all day long where there is no row."""
    board = Board.STAR if trade_date < 2019_07_22 else Board.MAIN

    session = session_at(
        exchange=Exchange.SH, board=board, trade_date=trade_date, seconds_of_day=seconds_of_day
    )

    assert (session.start_seconds, session.end_seconds) == span
    assert (session.phase, session.matching) == (Phase.CLOSED, Matching.NONE)
    assert not session.can_submit
    assert not session.can_cancel


@pytest.mark.parametrize("segment", SEGMENTS)
def test_sessions_of_every_row_follow_one_another(segment: tuple[Exchange, Board]) -> None:
    """No second of a day is in two sessions or between two."""
    for row in SESSION_ROWS[segment]:
        sessions: tuple[Session, ...] = row.value
        ends = [session.end_seconds for session in sessions]

        assert [session.start_seconds for session in sessions[1:]] == ends[:-1]
        assert all(session.start_seconds < session.end_seconds for session in sessions)
        assert ends[-1] in {seconds("15:00"), seconds("15:30")}


def test_phases_at_of_numbers_that_are_no_exchange_or_board_are_closed() -> None:
    """A frame may carry any number; none is taken for a market."""
    exchanges = np.array([-1, 0, 4, 256, 10**12, 1, 1], np.int64)
    boards = np.array([1, 1, 1, 1, 1, 255, 1], np.uint8)

    phases = phases_at(
        exchanges=exchanges, boards=boards, trade_date=TODAY, seconds_of_day=seconds("10:00")
    )

    assert phases.tolist() == [Phase.CLOSED] * 6 + [Phase.CONTINUOUS]
    assert phases.dtype == np.uint8


@pytest.mark.parametrize(
    ("trade_date", "seconds_of_day", "ts_event_ns"),
    [
        (1970_01_01, 28_800, 0),
        (1970_01_01, 0, -28_800_000_000_000),
        # 2023-02-01 09:30:00 in Shanghai is 01:30:00 UTC.
        (2023_02_01, 34_200, 1_675_215_000_000_000_000),
        (2024_02_29, 0, 1_709_136_000_000_000_000),
        # A summer's day: no daylight saving time.
        (2023_07_11, 54_000, 1_689_058_800_000_000_000),
    ],
)
def test_shanghai_ns_and_its_inverse_agree_with_utc(
    trade_date: int,
    seconds_of_day: int,
    ts_event_ns: int,
) -> None:
    """Shanghai is eight hours ahead of UTC all year."""
    assert shanghai_ns(trade_date, seconds_of_day) == ts_event_ns
    assert shanghai_date(ts_event_ns) == trade_date
    assert shanghai_seconds(ts_event_ns) == seconds_of_day


def test_shanghai_date_at_midnight_is_the_new_day() -> None:
    """The date turns in Shanghai at 16:00 UTC, to the nanosecond."""
    midnight_ns = shanghai_ns(2024_01_01, 0)

    assert shanghai_date(midnight_ns - 1) == 2023_12_31
    assert shanghai_seconds(midnight_ns - 1) == 86_399
    assert shanghai_date(midnight_ns) == 2024_01_01


@pytest.mark.parametrize("trade_date", [2023_02_29, 2023_13_01, 0])
def test_shanghai_ns_of_no_date_raises(trade_date: int) -> None:
    """A date that is none has no time."""
    with pytest.raises(ValueError, match=r"day|month|year"):
        shanghai_ns(trade_date, 0)
