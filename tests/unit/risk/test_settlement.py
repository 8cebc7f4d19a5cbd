"""When shares may be sold: T+1, same-day resale, and sells that are accepted after the close."""

import pytest
from tests.unit.risk.scenario import (
    BANK,
    Quote,
    Reference,
    Stage,
    fill_of,
    filled,
    order_request,
    update_of,
)

from tidegate_common.domain.enums import AccountState, OrderStatus, Reason, Side
from tidegate_common.events.orders import SubmitOrder
from tidegate_common.events.portfolio import PortfolioState
from tidegate_risk.engine import portfolio as portfolio_module

DAILY = Reference(open_e4=40_000)


def _portfolio(stage: Stage) -> PortfolioState:
    return stage.engine.portfolios()[0]


def _buy(stage: Stage) -> SubmitOrder:
    stage.open()
    return stage.ask(Quote(), quantity_shares=200).submits[0]


def test_shares_bought_today_are_sellable_tomorrow() -> None:
    """T+1."""
    stage = Stage()
    order = _buy(stage)
    stage.tick(fills=(fill_of(order),), updates=(filled(order),))

    today = stage.ask(side=Side.SELL, quantity_shares=200).decisions[0]
    stage.close()
    stage.open()
    tomorrow = stage.ask(Quote(), side=Side.SELL, quantity_shares=200).decisions[0]

    assert (today.reason, today.observed, today.limit) == (Reason.NOT_SELLABLE, 0, 200)
    assert tomorrow.reason is Reason.NONE


def test_product_that_may_be_resold_today_is_not_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    """T+1 is a rule of the instrument; none that we trade is free of it yet."""
    monkeypatch.setattr(portfolio_module, "is_t_plus_one", lambda instrument: False)
    stage = Stage(cash_fen=100_000)
    order = _buy(stage)
    stage.tick(fills=(fill_of(order),), updates=(filled(order),))

    sell = stage.ask(side=Side.SELL, quantity_shares=200, price_e4=40_500).submits[0]
    stage.tick(fills=(fill_of(sell),), updates=(filled(sell),))

    portfolio = _portfolio(stage)
    assert (portfolio.cash_fen, portfolio.positions) == (101_000, ())
    assert portfolio.realised_pnl_fen == 1_000


def test_same_day_resale_is_decided_when_the_buy_is_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An order keeps the rule under which it was accepted, whatever is said before its fill."""
    stage = Stage()
    order = _buy(stage)
    monkeypatch.setattr(portfolio_module, "is_t_plus_one", lambda instrument: False)
    stage.tick(fills=(fill_of(order),), updates=(filled(order),))

    decision = stage.ask(side=Side.SELL, quantity_shares=200).decisions[0]

    assert (decision.reason, decision.observed) == (Reason.NOT_SELLABLE, 0)


def _hold_old_and_new(stage: Stage) -> None:
    """Hold 100 shares of yesterday and 200 of today, bought at 4.00 in a run of daily bars."""
    stage.open(DAILY)
    for quantity_shares in (100, 200):
        order = stage.ask_at_close(quantity_shares=quantity_shares)
        stage.open(DAILY, fills=(fill_of(order),), updates=(filled(order),))


@pytest.mark.parametrize(
    ("quantity_shares", "sellable_shares"),
    # Tomorrow's order is served from all 300 shares, so of today's 100 so many are left.
    [(100, 100), (200, 100), (300, 0)],
)
def test_sell_after_the_close_freezes_what_unlocks_tomorrow(
    quantity_shares: int,
    sellable_shares: int,
) -> None:
    """It trades on the next day, but what it holds no other order may sell."""
    stage = Stage()
    _hold_old_and_new(stage)

    sell = stage.ask_at_close(side=Side.SELL, quantity_shares=quantity_shares)

    assert sell.quantity_shares == quantity_shares
    assert _portfolio(stage).positions[0].sellable_shares == sellable_shares


def test_sells_after_the_close_share_all_that_is_held() -> None:
    """300 shares cannot be promised to two orders of 200."""
    stage = Stage()
    _hold_old_and_new(stage)
    requests = [
        order_request(request_id=name, side=Side.SELL, quantity_shares=200)
        for name in ("one", "two")
    ]

    decisions = stage.close({BANK: 40_000}, requests=tuple(requests)).decisions

    assert [decision.reason for decision in decisions] == [Reason.NONE, Reason.NOT_SELLABLE]
    assert decisions[1].observed == 100


def test_sell_after_the_close_is_filled_on_the_next_day() -> None:
    """The day rolls before its fills are booked, so today's shares are tomorrow's proceeds."""
    stage = Stage(cash_fen=200_000)
    _hold_old_and_new(stage)
    sell = stage.ask_at_close(side=Side.SELL, quantity_shares=300)

    stage.open(Reference(open_e4=41_000), fills=(fill_of(sell),), updates=(filled(sell),))

    portfolio = _portfolio(stage)
    assert (portfolio.state, portfolio.positions) == (AccountState.ACTIVE, ())
    assert portfolio.cash_fen == 200_000


def test_part_of_a_sell_after_the_close_stays_frozen_on_the_next_day() -> None:
    """Once the day has rolled it is an order as any other."""
    stage = Stage()
    _hold_old_and_new(stage)
    sell = stage.ask_at_close(side=Side.SELL, quantity_shares=300)
    stage.open(
        DAILY,
        fills=(fill_of(sell, quantity_shares=100),),
        updates=(update_of(sell, OrderStatus.PARTIALLY_FILLED, filled_shares=100),),
    )

    frozen = _portfolio(stage).positions[0]
    stage.bar({}, updates=(update_of(sell, OrderStatus.EXPIRED, filled_shares=100),))
    released = _portfolio(stage).positions[0]

    assert (frozen.quantity_shares, frozen.sellable_shares) == (200, 0)
    assert (released.quantity_shares, released.sellable_shares) == (200, 200)


def test_sell_after_the_close_that_fills_before_the_next_day_halts_the_account() -> None:
    """No exchange trades between the close and the next opening."""
    stage = Stage(cash_fen=200_000)
    _hold_old_and_new(stage)
    sell = stage.ask_at_close(side=Side.SELL, quantity_shares=300)

    stage.bar({}, fills=(fill_of(sell),), updates=(update_of(sell, OrderStatus.NEW),))

    portfolio = _portfolio(stage)
    assert (portfolio.state, portfolio.cash_fen) == (AccountState.HALTED, 80_000)
    assert portfolio.positions[0].quantity_shares == 300
