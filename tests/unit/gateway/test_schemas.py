"""Money and prices as people read them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_common.domain.enums import Liquidity, PriceSource, Side
from tidegate_common.domain.ids import AccountId, DecisionId, FillId, OrderId
from tidegate_common.events.execution import Fill
from tidegate_gateway.history import DECISIONS, FILLS, PageQuery, page_sql, parse_cursor
from tidegate_gateway.schemas.orders import FillView
from tidegate_gateway.schemas.texts import millionths_text, money_text, price_text


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
    assert Decimal(millionths_text(value)) * 1_000_000 == value


@pytest.mark.parametrize(
    ("number_e6", "text"),
    [(400_000, "0.400000"), (-1, "-0.000001"), (0, "0.000000"), (10**18, "1000000000000.000000")],
)
def test_millionths_text_has_six_decimals(number_e6: int, text: str) -> None:
    """Never an exponent: not every client reads one."""
    assert millionths_text(number_e6) == text


def test_fill_view_shows_every_fee() -> None:
    """What a person sees adds up to what the account paid."""
    fill = Fill(
        fill_id=FillId("r.7.A1.0.0"),
        order_id=OrderId("r.7.A1.0"),
        decision_id=DecisionId("r.7.A1.0"),
        beat=8,
        account_id=AccountId("A1"),
        order_beat=7,
        sequence=0,
        instrument=1600519,
        side=Side.SELL,
        price_e4=17_999_900,
        quantity_shares=100,
        amount_fen=17_999_900,
        commission_fen=4_500,
        stamp_duty_fen=18_000,
        transfer_fee_fen=180,
        source=PriceSource.LEVEL,
        liquidity=Liquidity.TAKER,
        ts_event_ns=1,
        handling_fee_fen=877,
        regulatory_fee_fen=360,
    )

    view = FillView.of(fill)

    assert (view.handling_fee_cny, view.regulatory_fee_cny) == ("8.77", "3.60")
    shown = (
        view.commission_cny,
        view.stamp_duty_cny,
        view.transfer_fee_cny,
        view.handling_fee_cny,
        view.regulatory_fee_cny,
    )
    assert sum(Decimal(text) for text in shown) * 100 == fill.fee_fen


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
