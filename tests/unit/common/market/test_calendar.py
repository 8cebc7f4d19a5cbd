"""Trading days, their arithmetic, and four other sources that agree with them."""

import csv
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from tidegate_common.errors import ConfigError
from tidegate_common.market.calendar import CalendarError, TradingCalendar, xshg_calendar

REFERENCE = Path(__file__).resolve().parents[5] / "shared" / "data" / "reference"
SATURDAY = 5


def make_calendar() -> TradingCalendar:
    """Return the days around the New Year of 2024; its last days are without trading."""
    sessions = np.array([2023_12_28, 2023_12_29, 2024_01_02, 2024_01_03], np.int64)
    return TradingCalendar(sessions, first_date=2023_12_27, last_date=2024_01_05)


def number_of(day: date) -> int:
    """Return YYYYMMDD."""
    return day.year * 10_000 + day.month * 100 + day.day


def days_between(first: date, last: date) -> list[date]:
    """Return every day from the first to the last."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def column_of(file: str, name: str) -> list[str]:
    """Return a column of a reference file."""
    with (REFERENCE / file).open(encoding="utf-8") as lines:
        return [row[name] for row in csv.DictReader(lines)]


@pytest.mark.parametrize(
    ("trade_date", "expected"),
    [
        (2023_12_27, False),
        (2023_12_28, True),
        (2023_12_30, False),
        (2024_01_01, False),
        (2024_01_02, True),
        (2024_01_03, True),
        (2024_01_05, False),
    ],
)
def test_is_trading_day_of_covered_day_says_so(
    trade_date: int,
    expected: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    """A covered day is with or without trading, at both ends of the span too."""
    assert make_calendar().is_trading_day(trade_date) is expected


@pytest.mark.parametrize("trade_date", [2023_12_26, 2024_01_06, 1990_12_18, 2027_01_01])
def test_questions_outside_the_span_are_refused(trade_date: int) -> None:
    """Where the calendar ends it names its span, and never guesses."""
    calendar = make_calendar()
    span = "it covers 2023-12-27 to 2024-01-05"

    with pytest.raises(CalendarError, match=span):
        calendar.is_trading_day(trade_date)
    with pytest.raises(CalendarError, match=span):
        calendar.require_trading_day(trade_date)
    with pytest.raises(CalendarError, match=span):
        calendar.next_day(trade_date)
    with pytest.raises(CalendarError, match=span):
        calendar.previous_day(trade_date)
    with pytest.raises(CalendarError, match=span):
        calendar.day_number(since=2024_01_02, on=trade_date)
    with pytest.raises(CalendarError, match=span):
        calendar.day_numbers(np.array([2024_01_02]), on=trade_date)


@pytest.mark.parametrize("trade_date", [2023_12_32, 2024_00_01, 2024_01_00, 0, -1])
def test_number_that_is_no_date_is_refused(trade_date: int) -> None:
    """A typing error is not a day without trading."""
    with pytest.raises(CalendarError, match=f"as YYYYMMDD, was {trade_date}"):
        make_calendar().is_trading_day(trade_date)


@pytest.mark.parametrize(
    ("trade_date", "message"),
    [
        (2023_12_27, "was 2023-12-27; nearest: 2023-12-28$"),
        (2024_01_01, "was 2024-01-01; nearest: 2023-12-29 and 2024-01-02$"),
        (2024_01_05, "was 2024-01-05; nearest: 2024-01-03$"),
    ],
)
def test_require_trading_day_on_a_holiday_names_it_and_its_neighbours(
    trade_date: int,
    message: str,
) -> None:
    """A person who asks for a holiday is told, as for every wrong argument."""
    calendar = make_calendar()

    calendar.require_trading_day(2024_01_02)
    with pytest.raises(ConfigError, match=f"date must be a trading day, {message}"):
        calendar.require_trading_day(trade_date)


@pytest.mark.parametrize(
    ("trade_date", "expected"),
    [
        (2023_12_27, 2023_12_28),
        (2023_12_28, 2023_12_29),
        (2023_12_29, 2024_01_02),
        (2023_12_31, 2024_01_02),
        (2024_01_02, 2024_01_03),
    ],
)
def test_next_day_steps_over_holidays(trade_date: int, expected: int) -> None:
    """The day after a trading day, or after a day between two."""
    assert make_calendar().next_day(trade_date) == expected


@pytest.mark.parametrize(
    ("trade_date", "expected"),
    [
        (2024_01_05, 2024_01_03),
        (2024_01_03, 2024_01_02),
        (2024_01_02, 2023_12_29),
        (2024_01_01, 2023_12_29),
        (2023_12_29, 2023_12_28),
    ],
)
def test_previous_day_steps_over_holidays(trade_date: int, expected: int) -> None:
    """The day before a trading day, or before a day between two."""
    assert make_calendar().previous_day(trade_date) == expected


@pytest.mark.parametrize("trade_date", [2024_01_03, 2024_01_05])
def test_next_day_after_the_last_one_is_refused(trade_date: int) -> None:
    """Covered, but what follows was not published."""
    with pytest.raises(CalendarError, match="no trading day is known after 2024-01-0"):
        make_calendar().next_day(trade_date)


@pytest.mark.parametrize("trade_date", [2023_12_27, 2023_12_28])
def test_previous_day_before_the_first_one_is_refused(trade_date: int) -> None:
    """Covered, but what was before is not in this calendar."""
    with pytest.raises(CalendarError, match="no trading day is known before 2023-12-2"):
        make_calendar().previous_day(trade_date)


@pytest.mark.parametrize(
    ("since", "on", "expected"),
    [
        (2023_12_29, 2023_12_28, 0),
        (2023_12_29, 2023_12_29, 1),
        (2023_12_29, 2023_12_31, 1),
        (2023_12_29, 2024_01_02, 2),
        (2023_12_30, 2024_01_01, 0),
        (2023_12_30, 2024_01_02, 1),
        (2023_12_30, 2024_01_03, 2),
        (1, 2023_12_28, 1),
        (0, 2024_01_03, 4),
        (2001_08_27, 2024_01_05, 4),
        (2024_01_03, 2024_01_05, 1),
        (2024_01_04, 2024_01_05, 0),
        (2099_01_01, 2024_01_05, 0),
        (-(2**63), 2024_01_05, 4),
        (2**63 - 1, 2024_01_05, 0),
    ],
)
def test_day_number_counts_from_the_first_trading_day(since: int, on: int, expected: int) -> None:
    """The first trading day on or after the date is day 1, whoever asks for one or for many."""
    calendar = make_calendar()

    numbers = calendar.day_numbers(np.array([since, since]), on=on)

    assert calendar.day_number(since=since, on=on) == expected
    assert numbers.tolist() == [expected, expected]
    assert numbers.dtype == np.int64


@pytest.mark.parametrize(
    ("days", "span", "message"),
    [
        ([], (2024_01_01, 2024_01_05), "one or more, strictly increasing"),
        ([2024_01_02, 2024_01_02], (2024_01_01, 2024_01_05), "strictly increasing"),
        ([2024_01_03, 2024_01_02], (2024_01_01, 2024_01_05), "strictly increasing"),
        ([2024_01_02], (2024_01_03, 2024_01_05), "within 2024-01-03 to 2024-01-05"),
        ([2024_01_08], (2024_01_03, 2024_01_05), "were 2024-01-08 to 2024-01-08"),
        ([2024_01_02], (0, 2024_01_05), "as YYYYMMDD, was 0"),
        ([2024_01_02], (2024_01_01, 9999_99_99), "as YYYYMMDD, was 99999999"),
    ],
)
def test_calendar_of_impossible_days_is_refused(
    days: list[int],
    span: tuple[int, int],
    message: str,
) -> None:
    """A calendar that is wrong is not one with gaps."""
    first_date, last_date = span

    with pytest.raises(CalendarError, match=message):
        TradingCalendar(np.array(days, np.int64), first_date=first_date, last_date=last_date)


def test_sessions_of_a_calendar_are_its_own() -> None:
    """Nobody moves a trading day behind its back."""
    days = np.array([2024_01_02, 2024_01_03], np.int64)
    calendar = TradingCalendar(days, first_date=2024_01_01, last_date=2024_01_05)

    days[0] = 2024_01_01

    assert calendar.sessions.tolist() == [2024_01_02, 2024_01_03]
    with pytest.raises(ValueError, match="read-only"):
        calendar.sessions[0] = 2024_01_01


def test_xshg_calendar_covers_all_of_shanghai_until_the_end_of_2026() -> None:
    """Its ends are given, not taken from today's date; it is built once."""
    calendar = xshg_calendar()

    assert (calendar.first_date, calendar.last_date) == (1990_12_19, 2026_12_31)
    assert calendar.sessions[[0, -1]].tolist() == [1990_12_19, 2026_12_31]
    assert xshg_calendar() is calendar


@pytest.mark.parametrize(
    ("trade_date", "expected"),
    [
        (1990_12_19, True),
        (1999_11_10, True),
        # The Spring Festival of 2020 was prolonged on short notice.
        (2020_01_31, False),
        (2020_02_03, True),
        # A working Saturday is no trading day.
        (2023_01_28, False),
        (2026_07_06, True),
        (2026_10_07, False),
    ],
)
def test_xshg_calendar_knows_some_days_of_history(
    trade_date: int,
    expected: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    """A few days that a reader can check by memory."""
    assert xshg_calendar().is_trading_day(trade_date) is expected


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "date_column", "flag_column", "expected_count"),
    [
        ("calendar_2015_2023_baostock.csv", "calendar_date", "is_trading_day", 3_257),
        ("calendar_2024_2026_sse_tushare.csv", "cal_date", "is_open", 1_096),
    ],
)
def test_xshg_calendar_agrees_with_recorded_calendar(
    file: str,
    date_column: str,
    flag_column: str,
    expected_count: int,
) -> None:
    """Every day of another source, with trading and without."""
    calendar = xshg_calendar()
    days = [int(day.replace("-", "")) for day in column_of(file, date_column)]
    is_open = [flag == "1" for flag in column_of(file, flag_column)]

    assert [calendar.is_trading_day(day) for day in days] == is_open
    assert len(days) == expected_count


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "first", "expected_count"),
    [
        ("holidays_XSHG.csv", date(1990, 12, 19), 9_402),
        # Before 1992 the list of Shenzhen leaves holidays out.
        ("holidays_XSHE.csv", date(1992, 1, 1), 9_132),
    ],
)
def test_xshg_calendar_agrees_with_holiday_list(
    file: str,
    first: date,
    expected_count: int,
) -> None:
    """Every weekday is a trading day or a holiday of the list; no Saturday or Sunday is one."""
    calendar = xshg_calendar()
    holidays = {int(day.replace(".", "")) for day in column_of(file, "holidayDate")}
    days = days_between(first, date(2026, 12, 31))
    weekdays = [number_of(day) for day in days if day.weekday() < SATURDAY]

    assert [day for day in weekdays if not calendar.is_trading_day(day)] == sorted(
        day for day in holidays if day >= number_of(first)
    )
    assert not any(
        calendar.is_trading_day(number_of(day)) for day in days if day.weekday() >= SATURDAY
    )
    assert len(weekdays) == expected_count
