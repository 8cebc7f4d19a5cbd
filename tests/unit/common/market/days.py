"""Dates beside dates: what tests of boundaries ask for."""

from datetime import date, timedelta


def day_beside(trade_date: int, days: int) -> int:
    """Return the calendar day so many days after YYYYMMDD, before it where negative."""
    year, month_day = divmod(trade_date, 10_000)
    beside = date(year, *divmod(month_day, 100)) + timedelta(days=days)
    return beside.year * 10_000 + beside.month * 100 + beside.day
