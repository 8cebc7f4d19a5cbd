"""Dividend tax by date and holding period."""

import pytest

from tidegate_common.errors import InvariantError
from tidegate_common.market.corporate_actions import CorporateAction
from tidegate_common.market.dated import Confidence
from tidegate_common.market.dividend_tax import (
    HoldingPeriod,
    dividend_tax_rate_bps,
    dividend_tax_row,
    holding_period,
    taxable_e6_per_share,
)


@pytest.mark.parametrize(
    ("acquired", "sold", "period"),
    [
        # The example of the tax authority.
        (2013_01_08, 2013_01_08, HoldingPeriod.UP_TO_ONE_MONTH),
        (2013_01_08, 2013_02_08, HoldingPeriod.UP_TO_ONE_MONTH),
        (2013_01_08, 2013_02_09, HoldingPeriod.UP_TO_ONE_YEAR),
        (2013_01_08, 2014_01_08, HoldingPeriod.UP_TO_ONE_YEAR),
        (2013_01_08, 2014_01_09, HoldingPeriod.LONGER),
        # A month may end in the next year.
        (2023_12_15, 2024_01_15, HoldingPeriod.UP_TO_ONE_MONTH),
        (2023_12_15, 2024_01_16, HoldingPeriod.UP_TO_ONE_YEAR),
        # February has no 31st, and not always a 29th.
        (2023_01_31, 2023_02_28, HoldingPeriod.UP_TO_ONE_MONTH),
        (2023_01_31, 2023_03_01, HoldingPeriod.UP_TO_ONE_YEAR),
        (2024_01_31, 2024_02_29, HoldingPeriod.UP_TO_ONE_MONTH),
        (2024_01_31, 2024_03_01, HoldingPeriod.UP_TO_ONE_YEAR),
        (2024_02_29, 2025_02_28, HoldingPeriod.UP_TO_ONE_YEAR),
        (2024_02_29, 2025_03_01, HoldingPeriod.LONGER),
    ],
)
def test_holding_period_at_boundary_includes_the_anniversary(
    acquired: int,
    sold: int,
    period: HoldingPeriod,
) -> None:
    """The day of the sale does not count, so the anniversary is still within."""
    assert holding_period(acquired=acquired, sold=sold) is period


@pytest.mark.parametrize(
    ("dividend_date", "month_bps", "year_bps", "longer_bps"),
    [
        (1999_11_10, 2_000, 2_000, 2_000),
        (2012_12_31, 2_000, 2_000, 2_000),
        (2013_01_01, 2_000, 1_000, 500),
        (2015_09_07, 2_000, 1_000, 500),
        (2015_09_08, 2_000, 1_000, 0),
        (2026_11_20, 2_000, 1_000, 0),
    ],
)
def test_dividend_tax_at_row_boundary_uses_the_rates_of_the_dividend(
    dividend_date: int,
    month_bps: int,
    year_bps: int,
    longer_bps: int,
) -> None:
    """The dividend's date decides, not the sale's: all of these shares are sold in 2026."""
    rates = [
        dividend_tax_rate_bps(acquired=acquired, sold=2026_11_20, dividend_date=dividend_date)
        for acquired in (2026_10_20, 2025_11_20, 2025_11_19)
    ]

    assert rates == [month_bps, year_bps, longer_bps]


def test_dividend_tax_before_2013_is_marked_as_unverified() -> None:
    """An upper bound without a source must not look like a fact."""
    assert dividend_tax_row(2012_12_31).confidence is Confidence.D
    assert dividend_tax_row(2013_01_01).confidence is Confidence.B


@pytest.mark.parametrize(
    ("acquired", "sold", "dividend_date", "message"),
    [
        (2024_02_30, 2024_03_01, 2024_02_29, "acquired must be a date as YYYYMMDD, was 20240230"),
        (2024_01_02, 0, 2024_02_29, "sold must be a date as YYYYMMDD, was 0"),
        (10**18, 2024_01_02, 2024_02_29, "acquired must be a date"),
        (2024_01_03, 2024_01_02, 2024_02_29, "sold must not be before acquired"),
        (2024_01_02, 2024_01_03, 10**18, "dividend_date must be YYYYMMDD"),
    ],
)
def test_dividend_tax_of_impossible_dates_raises(
    acquired: int,
    sold: int,
    dividend_date: int,
    message: str,
) -> None:
    """A wrong date must not become a wrong rate."""
    with pytest.raises(InvariantError, match=message):
        dividend_tax_rate_bps(acquired=acquired, sold=sold, dividend_date=dividend_date)


def test_taxable_amount_is_cash_and_bonus_shares_at_face_value() -> None:
    """Shares out of the capital reserve and rights are no income."""
    action = CorporateAction(
        1600519,
        2014_06_25,
        cash_e6=4_374_000,
        bonus_e6=100_000,
        transfer_e6=500_000,
        rights_e6=200_000,
        rights_price_e4=50_000,
    )

    assert taxable_e6_per_share(action) == 4_474_000
