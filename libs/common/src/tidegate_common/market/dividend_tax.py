"""Income tax of individuals on dividends, by how long a share was held.

It is withheld on sale, first in first out, out of what the lots of a dividend's holders sell.
Cash dividends and bonus shares out of profit (at their face value of 1 CNY) are taxed, shares out
of the capital reserve are not.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from enum import StrEnum, unique

from tidegate_common.errors import InvariantError
from tidegate_common.market.corporate_actions import CorporateAction
from tidegate_common.market.dated import FIRST_DATE, LAST_DATE, Confidence, DatedRow, row_on


@unique
class HoldingPeriod(StrEnum):
    """How long a share was held, from the day it was bought to the day before it was sold."""

    UP_TO_ONE_MONTH = "up_to_one_month"
    UP_TO_ONE_YEAR = "up_to_one_year"
    LONGER = "longer"


@dataclass(frozen=True, slots=True)
class DividendTax:
    """Tax rates in basis points of the taxable dividend, by holding period."""

    up_to_one_month_bps: int
    up_to_one_year_bps: int
    longer_bps: int

    def rate_bps(self, period: HoldingPeriod) -> int:
        """Return the rate of a holding period."""
        rates = {
            HoldingPeriod.UP_TO_ONE_MONTH: self.up_to_one_month_bps,
            HoldingPeriod.UP_TO_ONE_YEAR: self.up_to_one_year_bps,
            HoldingPeriod.LONGER: self.longer_bps,
        }
        return rates[period]


# By the date of the dividend (its record date), not of the sale.
DIVIDEND_TAX_ROWS: tuple[DatedRow[DividendTax], ...] = (
    # Unverified before 2013. The full rate of 20% on everything is the conservative reading.
    DatedRow(
        FIRST_DATE,
        2012_12_31,
        DividendTax(2_000, 2_000, 2_000),
        "no source: an upper bound, 20% whatever the holding period",
        Confidence.D,
    ),
    DatedRow(
        2013_01_01,
        2015_09_07,
        DividendTax(2_000, 1_000, 500),
        "MOF, STA and CSRC, by holding period, effective 2013-01-01",
        Confidence.B,
    ),
    DatedRow(
        2015_09_08,
        LAST_DATE,
        DividendTax(2_000, 1_000, 0),
        "MOF, STA and CSRC, none after a year, effective 2015-09-08",
        Confidence.B,
    ),
)


def dividend_tax_row(dividend_date: int) -> DatedRow[DividendTax]:
    """Return the rates that hold for dividends of a record date.

    Raises
    ------
    InvariantError
        If the date is none.
    """
    row = row_on(DIVIDEND_TAX_ROWS, dividend_date)
    if row is None:
        message = f"dividend_date must be YYYYMMDD, was {dividend_date}"
        raise InvariantError(message)
    return row


def dividend_tax_rate_bps(*, acquired: int, sold: int, dividend_date: int) -> int:
    """Return the tax on a dividend of a share that is sold, in basis points of what is taxable.

    Parameters
    ----------
    acquired, sold : YYYYMMDD, the days of the trades.
    dividend_date : the record date; where only the ex-date is known, that one.

    Raises
    ------
    InvariantError
        If a date is none, or the share was sold before it was bought.

    Source: rulebook section 9, read 2026-11-21 (B; before 2013 D, a flat 20%).
    """
    row = dividend_tax_row(dividend_date)
    return row.value.rate_bps(holding_period(acquired=acquired, sold=sold))


def holding_period(*, acquired: int, sold: int) -> HoldingPeriod:
    """Return how long a share was held that was bought and sold on two days.

    Bought on 2013-01-08: sold until 2013-02-08 it was held up to one month, until 2014-01-08 up
    to one year, and longer after. Where the month has no such day its last one stands for it:
    bought on 31 January, the month ends on 28 or 29 February.

    Raises
    ------
    InvariantError
        If a date is none, or the share was sold before it was bought.

    Source: the example that MOF and STA gave with the rates of 2013, read 2026-11-21 (B).
    """
    bought_on, _ = _date_of("acquired", acquired), _date_of("sold", sold)
    if sold < acquired:
        message = f"sold must not be before acquired, were {sold} and {acquired}"
        raise InvariantError(message)
    if sold <= _months_later(bought_on, 1):
        return HoldingPeriod.UP_TO_ONE_MONTH
    if sold <= _months_later(bought_on, 12):
        return HoldingPeriod.UP_TO_ONE_YEAR
    return HoldingPeriod.LONGER


def taxable_e6_per_share(action: CorporateAction) -> int:
    """Return what of an action is income, in 1/1,000,000 CNY a share held.

    The cash, and bonus shares out of profit at their face value; not shares out of the capital
    reserve, and not rights.

    Source: rulebook section 9, read 2026-11-21 (B).
    """
    # A bonus share counts as 1 CNY: so many millionths of a share are as many of a yuan.
    return action.cash_e6 + action.bonus_e6


def _months_later(day: date, months: int) -> int:
    years, month_index = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month_index + 1
    return year * 10_000 + month * 100 + min(day.day, monthrange(year, month)[1])


def _date_of(name: str, day: int) -> date:
    year, rest = divmod(day, 10_000)
    try:
        return date(year, *divmod(rest, 100))
    except (OverflowError, ValueError) as error:
        message = f"{name} must be a date as YYYYMMDD, was {day}"
        raise InvariantError(message) from error
