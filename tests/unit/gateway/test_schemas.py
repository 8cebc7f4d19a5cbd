"""Money and prices as people read them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_gateway.history import DECISIONS, FILLS, PageQuery, page_sql, parse_cursor
from tidegate_gateway.schemas import money_text, price_text


@pytest.mark.parametrize(
    ("price_e4", "text"),
    [(18_000_000, "1800.00"), (345, "0.0345"), (12_340, "1.234"), (10_000, "1.00"), (100, "0.01")],
)
def test_price_text_has_two_decimals_or_more(price_e4: int, text: str) -> None:
    """A share has two, a fund three, a reference price four."""
    assert price_text(price_e4) == text


@given(st.integers(-(10**15), 10**15))
def test_texts_are_the_exact_numbers(value: int) -> None:
    """No float is on the way."""
    assert Decimal(price_text(value)) * 10_000 == value
    assert Decimal(money_text(value)) * 100 == value


def test_cursor_of_a_row_is_read_back() -> None:
    """What `next` gave is what `after` takes."""
    assert parse_cursor(FILLS, "13.A1.12.0.1") == (13, "A1", 12, 0, 1)


def test_page_sql_puts_callers_words_into_values_only() -> None:
    """There is no way into the statement."""
    query = PageQuery("r", {"account_id": "x' OR 1=1"}, (3, "A1", 0), 10, is_newest_first=True)

    sql, values = page_sql(DECISIONS, query)

    assert "OR" not in sql.replace("ORDER", "")
    assert "(beat, account_id, sequence) < ($3, $4, $5)" in sql
    assert "beat DESC, account_id DESC, sequence DESC LIMIT $6" in sql
    assert values == ["x' OR 1=1", 3, "A1", 0, 11]
