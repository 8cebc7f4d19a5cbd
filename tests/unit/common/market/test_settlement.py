"""T+1, and when a sale's cash is there."""

import pytest

from tidegate_common.domain.ids import parse_symbol
from tidegate_common.market.dated import LAST_DATE
from tidegate_common.market.settlement import SettlementRule, is_t_plus_one, settlement_rule

NEXT_DAY = SettlementRule(resale_days=1, cash_use_days=0, cash_withdraw_days=1)
SAME_DAY = SettlementRule(resale_days=0, cash_use_days=0, cash_withdraw_days=1)


@pytest.mark.parametrize(
    ("has_same_day_resale", "trade_date", "expected"),
    [
        (False, 1994_12_31, None),
        (False, 1995_01_01, NEXT_DAY),
        (False, LAST_DATE, NEXT_DAY),
        (True, 1994_12_31, SAME_DAY),
        (True, 2026_11_20, SAME_DAY),
    ],
)
def test_settlement_rule_of_product_and_day_is_the_rule_books(
    has_same_day_resale: bool,  # noqa: FBT001 - a column of the table above
    trade_date: int,
    expected: SettlementRule | None,
) -> None:
    """Shares wait a day since 1995, before that nobody knows; cash of a sale buys at once."""
    row = settlement_rule(has_same_day_resale=has_same_day_resale, trade_date=trade_date)

    assert (row.value if row is not None else None) == expected


@pytest.mark.parametrize("symbol", ["600519.SH", "300750.SZ", "688981.SH", "920000.BJ"])
def test_is_t_plus_one_of_share_is_true(symbol: str) -> None:
    """Shares bought today cannot be sold today."""
    assert is_t_plus_one(parse_symbol(symbol))


def test_is_t_plus_one_of_unknown_instrument_is_true() -> None:
    """Same-day resale is granted product by product, never assumed."""
    assert is_t_plus_one(parse_symbol("511880.SH"))
