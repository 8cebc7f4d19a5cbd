"""T+1."""

import pytest

from tidegate_common.domain.ids import parse_symbol
from tidegate_common.market.settlement import is_t_plus_one


@pytest.mark.parametrize("symbol", ["600519.SH", "300750.SZ", "688981.SH", "920000.BJ"])
def test_is_t_plus_one_of_share_is_true(symbol: str) -> None:
    """Shares bought today cannot be sold today."""
    assert is_t_plus_one(parse_symbol(symbol))


def test_is_t_plus_one_of_unknown_instrument_is_true() -> None:
    """Same-day resale is granted product by product, never assumed."""
    assert is_t_plus_one(parse_symbol("511880.SH"))
