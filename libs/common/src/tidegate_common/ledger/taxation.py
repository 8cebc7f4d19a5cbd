"""Tax lots: what the registrar knows of a holding, and the dividend tax when it shrinks.

The registrar sees only the net change of a day: a round trip within one makes no new lot and
consumes none. A net sale consumes the oldest lots; what they took in dividends is taxed at the rate
of the time that they were held.

Source: MOF, STA and CSRC 2012 No. 85 and 2015 No. 101, as read in `market.dividend_tax`; FIFO over
day-end net changes (B). Bonus and rights shares begin a lot of their own on the ex-date: the later,
and so dearer, reading.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tidegate_common.domain.units import divide_half_up
from tidegate_common.market.dividend_tax import dividend_tax_rate_bps

# Millionths of a CNY times basis points, in a fen: 10,000 (1e6 / 100) x 10,000.
_E6_BPS_PER_FEN = 100_000_000


@dataclass(frozen=True, slots=True)
class Dividend:
    """Taxable income of one share, in 1e-6 CNY, and the day that decides which law taxes it."""

    dividend_date: int
    taxable_e6: int


@dataclass(frozen=True, slots=True)
class TaxLot:
    """Shares registered on one day, and the dividends that each of them took since."""

    acquired: int
    quantity_shares: int
    dividends: tuple[Dividend, ...] = ()


def registered_shares(lots: Iterable[TaxLot]) -> int:
    """Return the shares of all lots."""
    return sum(lot.quantity_shares for lot in lots)


def credit(lots: Iterable[TaxLot], dividend: Dividend) -> list[TaxLot]:
    """Let each share remember a dividend; one of nothing is not worth remembering."""
    if dividend.taxable_e6 == 0:
        return list(lots)
    return [replace(lot, dividends=(*lot.dividends, dividend)) for lot in lots]


def settle(
    lots: Sequence[TaxLot],
    change_shares: int,
    *,
    trade_date: int,
) -> tuple[list[TaxLot], int]:
    """Follow a day's net change of the registered shares.

    Parameters
    ----------
    lots : in order of age.
    change_shares : bought less sold; a net sale is at most what the lots hold.
    trade_date : YYYYMMDD, the day that ended.

    Returns
    -------
    lots, tax_fen : what is registered after the day, and the tax on what left: half up to the
        fen for the day and instrument, not for each lot.
    """
    if change_shares >= 0:
        bought = [TaxLot(trade_date, change_shares)] if change_shares else []
        return [*lots, *bought], 0
    to_sell = -change_shares
    tax_e6_bps = 0
    left: list[TaxLot] = []
    for lot in lots:
        sold = min(to_sell, lot.quantity_shares)
        to_sell -= sold
        tax_e6_bps += sold * _tax_of_a_share(lot, trade_date)
        if sold < lot.quantity_shares:
            left.append(replace(lot, quantity_shares=lot.quantity_shares - sold))
    return left, divide_half_up(tax_e6_bps, _E6_BPS_PER_FEN)


def _tax_of_a_share(lot: TaxLot, sold: int) -> int:
    return sum(
        dividend.taxable_e6
        * dividend_tax_rate_bps(
            acquired=lot.acquired,
            sold=sold,
            dividend_date=dividend.dividend_date,
        )
        for dividend in lot.dividends
    )
