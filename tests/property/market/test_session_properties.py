"""What holds for every segment, day and second of the session table and Shanghai's clock."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tidegate_common.domain.enums import Board, Exchange, Matching, Phase
from tidegate_common.market.sessions import (
    can_cancel,
    can_match_continuously,
    can_submit,
    phase_at,
    phases_at,
    session_at,
    shanghai_date,
    shanghai_ns,
    shanghai_seconds,
)

DAYS = st.dates().map(lambda day: day.year * 10_000 + day.month * 100 + day.day)
# Random days hardly ever meet the years in which the table changes.
RECENT_DAYS = st.integers(2009_01_01, 2027_01_01) | DAYS
SECONDS = st.integers(-10, 90_000) | st.integers(33_000, 56_000)
SEGMENTS = st.tuples(st.sampled_from(Exchange), st.sampled_from(Board))


@given(DAYS, st.integers(0, 86_399), st.integers(0, 999_999_999))
def test_shanghai_clock_round_trips(day: int, seconds_of_day: int, nanoseconds: int) -> None:
    """Date and second come back from the time that they made, whatever the fraction."""
    ts_event_ns = shanghai_ns(day, seconds_of_day) + nanoseconds

    assert (shanghai_date(ts_event_ns), shanghai_seconds(ts_event_ns)) == (day, seconds_of_day)


@given(SEGMENTS, RECENT_DAYS, SECONDS)
def test_session_at_any_second_agrees_with_what_its_phase_allows(
    segment: tuple[Exchange, Board],
    day: int,
    second: int,
) -> None:
    """The table never halts a market, and a cancel is never freer than an order."""
    exchange, board = segment

    session = session_at(exchange=exchange, board=board, trade_date=day, seconds_of_day=second)

    assert session.phase is not Phase.HALTED
    assert session.can_submit == can_submit(session.phase)
    assert session.can_cancel == can_cancel(session.phase)
    assert session.can_submit or not session.can_cancel
    assert can_match_continuously(session.phase) == (session.matching is Matching.CONTINUOUS)
    assert session.start_seconds <= max(second, 0)
    assert session.end_seconds > min(second, 86_399)


@given(st.lists(SEGMENTS), RECENT_DAYS, SECONDS)
def test_phases_at_of_many_equal_one_by_one(
    segments: list[tuple[Exchange, Board]],
    day: int,
    second: int,
) -> None:
    """The array form and the scalar form are one rule."""
    phases = phases_at(
        exchanges=np.array([exchange for exchange, _ in segments], np.int64),
        boards=np.array([board for _, board in segments], np.uint8),
        trade_date=day,
        seconds_of_day=second,
    )

    assert phases.tolist() == [
        phase_at(exchange=exchange, board=board, trade_date=day, seconds_of_day=second)
        for exchange, board in segments
    ]
