"""Phases at each boundary second, and Shanghai's clock."""

import pytest

from tidegate_common.domain.enums import Exchange, Phase
from tidegate_common.market.sessions import (
    can_cancel,
    can_match_continuously,
    can_submit,
    phase_at,
    shanghai_date,
    shanghai_ns,
    shanghai_seconds,
)

# Second of the day at which each phase begins, and the phase; the one before it ends there.
DAY = [
    ("09:15", Phase.CLOSED, Phase.OPEN_CALL),
    ("09:20", Phase.OPEN_CALL, Phase.OPEN_CALL),
    ("09:25", Phase.OPEN_CALL, Phase.PAUSE),
    ("09:30", Phase.PAUSE, Phase.CONTINUOUS),
    ("11:30", Phase.CONTINUOUS, Phase.LUNCH),
    ("13:00", Phase.LUNCH, Phase.CONTINUOUS),
    ("14:57", Phase.CONTINUOUS, Phase.CLOSE_CALL),
    ("15:00", Phase.CLOSE_CALL, Phase.CLOSED),
]


def seconds(clock: str) -> int:
    """Return the second of the day of HH:MM."""
    hour, minute = clock.split(":")
    return (int(hour) * 60 + int(minute)) * 60


@pytest.mark.parametrize("exchange", Exchange)
@pytest.mark.parametrize(("clock", "before", "after"), DAY)
def test_phase_at_boundary_second_begins_the_next_phase(
    exchange: Exchange,
    clock: str,
    before: Phase,
    after: Phase,
) -> None:
    """A phase owns its first second and not its end."""
    phases = [
        phase_at(exchange=exchange, trade_date=2023_02_01, seconds_of_day=seconds(clock) + offset)
        for offset in (-1, 0)
    ]

    assert phases == [before, after]


@pytest.mark.parametrize("seconds_of_day", [-1, 0, 86_399, 86_400])
def test_phase_at_night_is_closed(seconds_of_day: int) -> None:
    """Before the first session and after the last there is no market."""
    phase = phase_at(
        exchange=Exchange.SH,
        trade_date=2023_02_01,
        seconds_of_day=seconds_of_day,
    )

    assert phase is Phase.CLOSED


@pytest.mark.parametrize(
    ("exchange", "trade_date", "expected"),
    [
        (Exchange.SH, 2018_08_19, Phase.CONTINUOUS),
        (Exchange.SH, 2018_08_20, Phase.CLOSE_CALL),
        (Exchange.SZ, 2018_08_19, Phase.CLOSE_CALL),
        (Exchange.SZ, 2018_08_20, Phase.CLOSE_CALL),
        (Exchange.BJ, 2021_11_14, Phase.CLOSED),
        (Exchange.BJ, 2021_11_15, Phase.CLOSE_CALL),
    ],
)
def test_phase_at_1457_follows_the_row_of_the_day(
    exchange: Exchange,
    trade_date: int,
    expected: Phase,
) -> None:
    """Shanghai's shares have a closing call since 2018-08-20; Beijing opened on 2021-11-15."""
    phase = phase_at(exchange=exchange, trade_date=trade_date, seconds_of_day=seconds("14:57"))

    assert phase is expected


def test_phase_at_1500_before_closing_call_is_closed() -> None:
    """Shanghai traded continuously to the last second, and not beyond."""
    phases = [
        phase_at(exchange=Exchange.SH, trade_date=2018_08_17, seconds_of_day=second)
        for second in (seconds("15:00") - 1, seconds("15:00"))
    ]

    assert phases == [Phase.CONTINUOUS, Phase.CLOSED]


@pytest.mark.parametrize(
    ("phase", "is_submit", "is_match"),
    [
        (Phase.CLOSED, False, False),
        (Phase.OPEN_CALL, True, False),
        (Phase.PAUSE, False, False),
        (Phase.CONTINUOUS, True, True),
        (Phase.LUNCH, False, False),
        (Phase.CLOSE_CALL, True, False),
        (Phase.HALTED, False, False),
    ],
)
def test_phase_decides_orders_and_matching(
    phase: Phase,
    is_submit: bool,  # noqa: FBT001 - a column of the table above
    is_match: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    """Auctions take orders and match them later; pauses and halts take none."""
    assert can_submit(phase) is is_submit
    assert can_match_continuously(phase) is is_match


@pytest.mark.parametrize(
    ("clock", "offset", "expected"),
    [
        ("09:15", -1, False),
        ("09:15", 0, True),
        ("09:20", -1, True),
        ("09:20", 0, False),
        ("09:25", -1, False),
        ("09:25", 0, False),
        ("09:30", -1, False),
        ("09:30", 0, True),
        ("11:30", -1, True),
        ("11:30", 0, False),
        ("13:00", -1, False),
        ("13:00", 0, True),
        ("14:57", -1, True),
        ("14:57", 0, False),
        ("15:00", -1, False),
        ("15:00", 0, False),
    ],
)
def test_can_cancel_at_boundary_second(
    clock: str,
    offset: int,
    expected: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    """From 09:20 and from 14:57 an order in an auction is locked."""
    second = seconds(clock) + offset
    phase = phase_at(exchange=Exchange.SZ, trade_date=2023_02_01, seconds_of_day=second)

    assert can_cancel(phase, second) is expected


def test_can_cancel_in_a_halt_is_refused() -> None:
    """The rule book is silent on cancels in a halt: the conservative reading."""
    assert not can_cancel(Phase.HALTED, seconds("10:00"))


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
