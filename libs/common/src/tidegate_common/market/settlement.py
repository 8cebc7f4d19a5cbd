"""When a buy may be sold again, and when a sale's cash may be used.

A row is as sure as the least sure of its facts; its source says which.
"""

from dataclasses import dataclass

from tidegate_common.market.dated import FIRST_DATE, LAST_DATE, Confidence, DatedRow, row_on


@dataclass(frozen=True, slots=True)
class SettlementRule:
    """Trading days from a trade to what it brings; 0 is the same day.

    resale_days : until what was bought can be sold.
    cash_use_days, cash_withdraw_days : until the cash of a sale can pay for a buy, and leave the
        account.
    """

    resale_days: int
    cash_use_days: int
    cash_withdraw_days: int


_CASH = "sale proceeds usable the same day, withdrawable the next (B)"

# By whether a product may be sold on the day it is bought. Bond, money-market, gold, commodity
# and cross-border funds may: an instrument table says so product by product, never a class name.
SETTLEMENT_ROWS: dict[bool, tuple[DatedRow[SettlementRule], ...]] = {
    False: (
        # No row before 1995: nothing of those years is verified.
        DatedRow(
            1995_01_01,
            LAST_DATE,
            SettlementRule(resale_days=1, cash_use_days=0, cash_withdraw_days=1),
            f"SSE and SZSE Trading Rules, T+1 since 1995-01-01 (A); {_CASH}",
            Confidence.B,
        ),
    ),
    True: (
        DatedRow(
            FIRST_DATE,
            LAST_DATE,
            SettlementRule(resale_days=0, cash_use_days=0, cash_withdraw_days=1),
            f"SSE and SZSE Trading Rules, same-day resale by product (B); {_CASH}",
            Confidence.B,
        ),
    ),
}

# The platform trades no product of same-day resale yet.
_SAME_DAY_RESALE: frozenset[int] = frozenset()


def settlement_rule(
    *,
    has_same_day_resale: bool,
    trade_date: int,
) -> DatedRow[SettlementRule] | None:
    """Return the rule of a product on a day, None where the rule book has no row.

    Parameters
    ----------
    has_same_day_resale : what the instrument table says of the product; False where nobody
        knows, the conservative reading.
    trade_date : YYYYMMDD, Shanghai; the day of the trade.

    Source: row by row in `SETTLEMENT_ROWS`, read 2026-11-21.
    """
    return row_on(SETTLEMENT_ROWS[has_same_day_resale], trade_date)


def is_t_plus_one(instrument: int) -> bool:
    """Tell whether what is bought today can be sold tomorrow at the earliest.

    True for every share, and for every instrument that is not known: the conservative reading.

    Source: SSE and SZSE Trading Rules, shares since 1995-01-01 (A); same-day products (B).
    """
    return instrument not in _SAME_DAY_RESALE
