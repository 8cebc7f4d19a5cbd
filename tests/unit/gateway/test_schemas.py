"""Money and prices as people read them."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType

from tidegate_common.domain.enums import Layer, Liquidity, PriceSource, Side
from tidegate_common.domain.ids import AccountId, DecisionId, FillId, OrderId
from tidegate_common.events.execution import Fill
from tidegate_common.events.portfolio import LimitUsage, OpenOrderState
from tidegate_common.events.run import StrategySpec
from tidegate_common.store.redis import CachedPortfolio
from tidegate_common.testing.scripted_run import ScriptedRun
from tidegate_gateway.schemas.orders import FillView, fill_row
from tidegate_gateway.schemas.portfolios import LimitUsageView, OpenOrderView, PortfolioView
from tidegate_gateway.schemas.strategies import SUMMARIES, StrategyView
from tidegate_gateway.schemas.texts import millionths_text, money_text, price_text, time_text
from tidegate_signals.engine.strategies.registry import STRATEGY_KINDS


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

    view = FillView.model_validate(fill_row(fill))

    assert (view.handling_fee_cny, view.regulatory_fee_cny) == ("8.77", "3.60")
    shown = (
        view.commission_cny,
        view.stamp_duty_cny,
        view.transfer_fee_cny,
        view.handling_fee_cny,
        view.regulatory_fee_cny,
    )
    assert sum(Decimal(text) for text in shown) * 100 == fill.fee_fen


def test_time_text_is_shanghai_time() -> None:
    """A person in China reads the clock of the exchange."""
    assert time_text(1_675_215_003_000_000_000) == "2023-02-01T09:30:03+08:00"
    assert time_text(1_675_215_003_120_000_999) == "2023-02-01T09:30:03.120000+08:00"


def test_limit_usage_says_percent_of_the_limit() -> None:
    """A limit of nothing has no percentage."""
    some = LimitUsageView.of(LimitUsage(Layer.POSITION_SIZE, 1_250, 2_000))
    none = LimitUsageView.of(LimitUsage(Layer.LEVERAGE, 10, 0))

    assert (some.used_percent, none.used_percent) == ("62.50", None)


def test_open_order_of_a_request_has_no_strategy_and_no_cancel() -> None:
    """What stands for nothing on the wire is null here."""
    order = OpenOrderState(
        order_id=OrderId("r.1.A1.0"),
        beat=1,
        instrument=1_600_519,
        side=Side.BUY,
        bound_price_e4=18_000_000,
        quantity_shares=200,
        filled_shares=100,
        strategy="",
        cancel_beat=-1,
    )
    cancelled = OpenOrderView.of(msgspec.structs.replace(order, strategy="cross", cancel_beat=0))

    view = OpenOrderView.of(order)

    assert (view.strategy, view.cancel_beat) == (None, None)
    assert (cancelled.strategy, cancelled.cancel_beat) == ("cross", 0)
    assert view.bound_price_cny == "1800.00"


def test_strategy_summaries_are_the_classes_own() -> None:
    """The gateway reaches no strategy class, so this test does."""
    said = {kind: (one.__doc__ or "").split("\n")[0] for kind, one in STRATEGY_KINDS.items()}

    assert said == SUMMARIES


def test_strategy_of_a_users_file_has_no_summary() -> None:
    """It may have the name of one that ships."""
    spec = StrategySpec("mine", "ma_cross", source_sha256="ab")

    view = StrategyView.of(spec, 2_000)

    assert (view.summary, view.source_sha256, view.capital_bps) == (None, "ab", 2_000)
    assert StrategyView.of(StrategySpec("x", "ma_cross"), None).summary == SUMMARIES["ma_cross"]


@pytest.mark.parametrize(("fen", "text"), [(1_250, "12.50"), (UNSET, "0.00")])
def test_portfolio_shows_dividends_that_are_to_come(fen: int | UnsetType, text: str) -> None:
    """They are part of the NAV, and in no cash yet."""
    portfolio = msgspec.structs.replace(ScriptedRun().portfolio("A1", 3), receivable_fen=fen)

    view = PortfolioView.of(CachedPortfolio("run-1", 3, portfolio), "redis")

    assert view.receivable_cny == text
