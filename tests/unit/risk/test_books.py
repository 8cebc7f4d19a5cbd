"""Cash, shares and what open orders hold back."""

from dataclasses import replace

import pytest
from msgspec import structs
from tests.unit.risk.scenario import (
    APPLIANCE,
    BANK,
    LOOSE,
    STAR,
    Quote,
    Reference,
    Stage,
    fill_of,
    filled,
    order_request,
    update_of,
)

from tidegate_common.domain.enums import (
    AccountState,
    OrderReason,
    OrderStatus,
    OrderType,
    Reason,
    Side,
)
from tidegate_common.domain.ids import AccountId, OrderId
from tidegate_common.errors import InvariantError
from tidegate_common.events.orders import SubmitOrder
from tidegate_common.events.portfolio import PortfolioState, PositionState
from tidegate_common.events.risk import Decision
from tidegate_common.events.run import CommissionSpec
from tidegate_common.market.fees import Fees
from tidegate_risk.engine.portfolio import REQUEST_IDS_MAX

FEES = CommissionSpec(rate_e6=250, minimum_fen=500)


def _portfolio(stage: Stage) -> PortfolioState:
    return stage.engine.portfolios()[0]


def _buy(stage: Stage, quantity_shares: int = 200) -> SubmitOrder:
    stage.open()
    return stage.ask(Quote(), quantity_shares=quantity_shares).submits[0]


def test_accepted_buy_freezes_its_cost_with_fees() -> None:
    """Cash that an order may need cannot pay for another one."""
    stage = Stage(cash_fen=100_000, commission=FEES)

    _buy(stage)

    portfolio = _portfolio(stage)
    # 200 shares at 4.00 are 80,000 fen, 500 of commission and 0.8 of transfer fee.
    assert (portfolio.cash_fen, portfolio.frozen_fen) == (100_000, 80_501)


def test_accepted_buys_of_one_beat_reserve_before_the_next_is_decided() -> None:
    """Two orders must not spend the same cash."""
    stage = Stage(cash_fen=100_000)
    stage.open()
    requests = [order_request(request_id=name, quantity_shares=200) for name in ("one", "two")]

    decisions = stage.tick(Quote(), requests=tuple(requests)).decisions

    assert [decision.reason for decision in decisions] == [Reason.NONE, Reason.NOT_ENOUGH_CASH]
    # 80,000 fen and 0.8 of transfer fee are frozen.
    assert decisions[1].limit == 100_000 - 80_001


def test_buy_fill_moves_cash_shares_cost_and_fees() -> None:
    """A fill is the only way in which money becomes shares."""
    stage = Stage(cash_fen=100_000, commission=FEES)
    order = _buy(stage)

    stage.tick(
        fills=(fill_of(order, quantity_shares=100, price_e4=39_900, fee_fen=500),),
        updates=(update_of(order, OrderStatus.PARTIALLY_FILLED, filled_shares=100),),
    )

    portfolio = _portfolio(stage)
    assert (portfolio.cash_fen, portfolio.fees_fen) == (100_000 - 39_900 - 500, 500)
    assert portfolio.frozen_fen == 80_501 - 40_400
    assert portfolio.nav_fen == portfolio.cash_fen + 40_000
    # The cost is what the shares amounted to; the 500 fen of fees stand apart.
    assert portfolio.positions == (PositionState(BANK, 100, 0, 39_900, 40_000, 40_000),)


def test_fill_pays_every_kind_of_fee() -> None:
    """Each item reaches the ledger as what it is, and no fee is forgotten."""
    stage = Stage(cash_fen=100_000)
    order = _buy(stage)
    fill = structs.replace(
        fill_of(order, price_e4=39_000, fee_fen=1),
        stamp_duty_fen=20,
        transfer_fee_fen=300,
        handling_fee_fen=4,
        regulatory_fee_fen=50,
    )

    stage.tick(fills=(fill,), updates=(filled(order),))

    portfolio = _portfolio(stage)
    assert (portfolio.cash_fen, portfolio.fees_fen) == (22_000 - 375, 375)
    assert portfolio.positions[0].cost_fen == 78_000
    ledger = stage.engine._accounts[AccountId("alpha")].ledger
    assert ledger.fees == Fees(1, 20, 300, 4, 50)


@pytest.mark.parametrize(
    "status",
    [OrderStatus.CANCELED, OrderStatus.REJECTED, OrderStatus.EXPIRED],
)
def test_end_of_a_buy_releases_what_it_froze(status: OrderStatus) -> None:
    """Cash that is frozen for nothing earns nothing, and what is not bought is no exposure."""
    stage = Stage(cash_fen=100_000, limits=replace(LOOSE, leverage_bps_max=8_000))
    order = _buy(stage)

    output = stage.tick(updates=(update_of(order, status),))

    assert output.portfolios[0].frozen_fen == 0
    assert stage.ask(quantity_shares=200).decisions[0].reason is Reason.NONE


def test_filled_order_gives_back_what_its_fills_did_not_cost() -> None:
    """A fill better than the limit leaves cash over."""
    stage = Stage(cash_fen=100_000)
    order = _buy(stage)

    stage.tick(fills=(fill_of(order, price_e4=39_000),), updates=(filled(order),))

    portfolio = _portfolio(stage)
    assert (portfolio.cash_fen, portfolio.frozen_fen) == (22_000, 0)


def test_shares_promised_to_a_sell_cannot_be_sold_again() -> None:
    """One share, one sale."""
    stage = Stage()
    stage.hold(300)
    stage.open()
    stage.ask(Quote(), side=Side.SELL, quantity_shares=200)

    decision = stage.ask(side=Side.SELL, quantity_shares=200).decisions[0]

    assert (decision.reason, decision.observed) == (Reason.NOT_SELLABLE, 100)
    assert _portfolio(stage).positions[0].sellable_shares == 100


def test_shares_promised_to_a_sell_are_no_exposure_of_a_buy() -> None:
    """Held and bought are 80,000 fen of 100,000; what is being sold is counted once."""
    stage = Stage(cash_fen=100_000, limits=replace(LOOSE, leverage_bps_max=8_000))
    references = (Reference(), Reference(APPLIANCE))
    stage.hold(100, *references)
    stage.open(*references)
    stage.ask(Quote(), Quote(APPLIANCE), side=Side.SELL)

    decision = stage.ask(instrument=APPLIANCE).decisions[0]

    assert decision.reason is Reason.NONE


def test_sell_fill_realises_its_part_of_the_cost() -> None:
    """Realised profit is proceeds less what the shares cost, before fees; cash is after them."""
    stage = Stage(cash_fen=200_000)
    stage.hold(300)
    stage.open()
    order = stage.ask(Quote(), side=Side.SELL, quantity_shares=200, price_e4=41_000).submits[0]

    stage.tick(
        fills=(fill_of(order, quantity_shares=100, fee_fen=7),),
        updates=(update_of(order, OrderStatus.CANCELED, filled_shares=100),),
    )

    portfolio = _portfolio(stage)
    assert portfolio.cash_fen == 200_000 - 120_000 + 41_000 - 7
    assert (portfolio.realised_pnl_fen, portfolio.fees_fen) == (41_000 - 40_000, 7)
    assert portfolio.positions == (PositionState(BANK, 200, 200, 80_000, 40_000, 80_000),)


def test_sell_realises_the_oldest_shares_first() -> None:
    """First in, first out: an average cost would realise 1,500 fen here."""
    stage = Stage()
    stage.open()
    for price_e4 in (40_000, 39_000):
        order = stage.ask(Quote(), price_e4=price_e4).submits[0]
        stage.tick(fills=(fill_of(order),), updates=(filled(order),))
    stage.close()
    stage.open()
    order = stage.ask(Quote(), side=Side.SELL, price_e4=41_000).submits[0]

    stage.tick(fills=(fill_of(order),), updates=(filled(order),))

    portfolio = _portfolio(stage)
    assert portfolio.realised_pnl_fen == 41_000 - 40_000
    assert portfolio.positions == (PositionState(BANK, 100, 100, 39_000, 40_000, 40_000),)


def test_holding_that_is_sold_out_is_gone() -> None:
    """A position of nothing is none, and its cost is realised to the fen."""
    stage = Stage(cash_fen=200_000)
    stage.hold(300)
    stage.open()
    order = stage.ask(Quote(), side=Side.SELL, quantity_shares=300).submits[0]

    stage.tick(fills=(fill_of(order),), updates=(filled(order),))

    portfolio = _portfolio(stage)
    assert (portfolio.positions, portfolio.cash_fen) == ((), 200_000)
    assert portfolio.realised_pnl_fen == 0


def test_sell_needs_cash_only_for_fees_beyond_its_least_fill() -> None:
    """One share sold for 4.00 pays 5.00 of commission: without 1.00 cash would go negative."""
    stage = Stage(cash_fen=40_500, commission=FEES)
    stage.open()
    order = stage.ask(Quote()).submits[0]
    stage.tick(fills=(fill_of(order, fee_fen=500),), updates=(filled(order),))
    stage.close()
    stage.open()

    decision = stage.ask(Quote(), side=Side.SELL).decisions[0]

    assert (decision.reason, decision.observed) == (Reason.NOT_ENOUGH_CASH, 100)


def test_fees_beyond_a_sells_proceeds_are_paid_from_what_it_froze() -> None:
    """What is paid is no longer held back: the same 100 fen must not count twice."""
    stage = Stage(cash_fen=41_000, commission=FEES)
    stage.open()
    order = stage.ask(Quote()).submits[0]
    stage.tick(fills=(fill_of(order, fee_fen=500),), updates=(filled(order),))
    stage.close()
    stage.open()
    sell = stage.ask(Quote(), side=Side.SELL).submits[0]
    frozen_fen = _portfolio(stage).frozen_fen

    stage.tick(
        fills=(fill_of(sell, quantity_shares=1, fee_fen=500),),
        updates=(update_of(sell, OrderStatus.PARTIALLY_FILLED, filled_shares=1),),
    )

    portfolio = _portfolio(stage)
    assert frozen_fen == 100
    # 500 fen were left after the buy; one share for 400 fen costs 500 of commission.
    assert (portfolio.cash_fen, portfolio.frozen_fen) == (400, 0)
    assert portfolio.state is AccountState.ACTIVE


@pytest.mark.parametrize("order_type", [each for each in OrderType if each.is_market])
def test_market_sell_is_bounded_by_the_days_lower_limit(order_type: OrderType) -> None:
    """A market order of any kind has no price; the day has."""
    stage = Stage(cash_fen=100_000, commission=FEES)
    stage.open()
    order = stage.ask(Quote()).submits[0]
    stage.tick(fills=(fill_of(order, fee_fen=500),), updates=(filled(order),))
    stage.close()
    stage.open()

    output = stage.ask(Quote(), side=Side.SELL, order_type=order_type, price_e4=0)

    assert output.submits[0].price_e4 == 0
    assert _portfolio(stage).frozen_fen == 140


def test_update_of_an_order_that_is_over_changes_nothing() -> None:
    """The exchange may speak of what the books have closed."""
    stage = Stage()
    order = _buy(stage)
    stage.tick(updates=(update_of(order, OrderStatus.CANCELED),))

    output = stage.tick(updates=(update_of(order, OrderStatus.CANCELED),))

    assert output.portfolios == ()


def test_update_that_an_order_works_keeps_what_it_froze() -> None:
    """NEW is no end."""
    stage = Stage(cash_fen=100_000)
    order = _buy(stage)

    stage.tick(updates=(update_of(order, OrderStatus.NEW, reason=OrderReason.NOT_CANCELABLE),))

    assert _portfolio(stage).frozen_fen == 80_001


def test_fills_that_were_late_are_booked_beat_by_beat() -> None:
    """An update says what the order had filled by then; later fills would not add up with it."""
    stage = Stage()
    order = _buy(stage)
    fills = [fill_of(order, quantity_shares=100) for _ in range(2)]
    partly = update_of(order, OrderStatus.PARTIALLY_FILLED, filled_shares=100)

    stage.tick(
        fills=(structs.replace(fills[1], beat=3), fills[0]),
        updates=(structs.replace(filled(order), beat=3), partly),
    )

    portfolio = _portfolio(stage)
    assert (portfolio.state, portfolio.open_order_count) == (AccountState.ACTIVE, 0)
    assert portfolio.positions[0].quantity_shares == 200


def test_fill_that_no_order_explains_halts_the_account_and_is_not_booked() -> None:
    """Unknown, too large, of another instrument, of another side: the books are in doubt."""
    for change in (
        {"order_id": OrderId("run.0.alpha.7")},
        {"quantity_shares": 201},
        {"quantity_shares": 0},
        {"instrument": APPLIANCE},
        {"side": Side.SELL},
    ):
        stage = Stage(cash_fen=100_000)
        order = _buy(stage)

        stage.tick(fills=(structs.replace(fill_of(order), **change),))

        portfolio = _portfolio(stage)
        assert (portfolio.state, portfolio.cash_fen) == (AccountState.HALTED, 100_000)


def test_buy_dearer_than_its_bound_is_booked_and_halts_the_account() -> None:
    """It happened, so it is in the books; that it could happen is a contradiction."""
    stage = Stage(cash_fen=100_000)
    order = _buy(stage)

    stage.tick(fills=(fill_of(order, price_e4=40_100),), updates=(filled(order),))

    portfolio = _portfolio(stage)
    assert (portfolio.state, portfolio.cash_fen) == (AccountState.HALTED, 19_800)
    assert portfolio.frozen_fen == 0


@pytest.mark.parametrize(
    ("fee_fen", "state"),
    [(1, AccountState.ACTIVE), (2, AccountState.HALTED)],
)
def test_last_fill_of_a_buy_may_cost_what_the_others_left_frozen(
    fee_fen: int,
    state: AccountState,
) -> None:
    """80,001 fen were frozen, 40,000 of them are spent: a fen more than the rest is too much."""
    stage = Stage(cash_fen=100_000)
    order = _buy(stage)
    stage.tick(
        fills=(fill_of(order, quantity_shares=100),),
        updates=(update_of(order, OrderStatus.PARTIALLY_FILLED, filled_shares=100),),
    )

    stage.tick(
        fills=(fill_of(order, quantity_shares=100, fee_fen=fee_fen),),
        updates=(filled(order),),
    )

    portfolio = _portfolio(stage)
    assert (portfolio.state, portfolio.cash_fen) == (state, 20_000 - fee_fen)


@pytest.mark.parametrize(
    ("price_e4", "fee_fen"),
    # 200 shares at 5.01 are 100,200 fen of 100,000. A fee of less than nothing is none.
    [(50_100, 0), (40_000, -1)],
)
def test_fill_that_the_ledger_cannot_carry_is_not_booked_and_halts_the_account(
    price_e4: int,
    fee_fen: int,
) -> None:
    """The exchange says what cannot be: the books stay whole, and are in doubt."""
    stage = Stage(cash_fen=100_000)
    order = _buy(stage)

    stage.tick(
        fills=(fill_of(order, price_e4=price_e4, fee_fen=fee_fen),),
        updates=(update_of(order, OrderStatus.NEW),),
    )

    portfolio = _portfolio(stage)
    assert (portfolio.state, portfolio.positions) == (AccountState.HALTED, ())
    assert (portfolio.cash_fen, portfolio.fees_fen) == (100_000, 0)
    assert portfolio.frozen_fen == 80_001
    assert stage.ask().decisions[0].reason is Reason.ACCOUNT_HALTED


def test_halted_account_still_follows_its_other_orders() -> None:
    """What can be booked is: a person who looks finds all that happened."""
    stage = Stage(cash_fen=100_000)
    order = _buy(stage)
    stage.tick(fills=(structs.replace(fill_of(order), order_id=OrderId("run.0.alpha.7")),))

    stage.tick(fills=(fill_of(order),), updates=(filled(order),))

    portfolio = _portfolio(stage)
    assert (portfolio.state, portfolio.cash_fen) == (AccountState.HALTED, 20_000)
    assert portfolio.frozen_fen == 0


def test_fill_of_an_account_of_another_engine_is_our_bug() -> None:
    """The shell sends each fill to its owner."""
    stage = Stage()
    order = _buy(stage)

    with pytest.raises(InvariantError, match="fills must be of accounts alpha, one was of beta"):
        stage.tick(fills=(structs.replace(fill_of(order), account_id=AccountId("beta")),))


def test_opening_nav_is_the_last_nav_of_the_day_before() -> None:
    """A gap over night is part of the new day's loss."""
    stage = Stage(cash_fen=100_000)
    stage.hold(100)

    stage.open(Reference(open_e4=39_000))

    portfolio = _portfolio(stage)
    assert (portfolio.opening_nav_fen, portfolio.nav_fen) == (100_000, 99_000)
    assert (portfolio.day_pnl_fen, portfolio.high_water_fen) == (-1_000, 100_000)


def test_request_ids_are_remembered_within_bounds() -> None:
    """Memory has a limit; the oldest id goes first."""
    stage = Stage()
    account = stage.engine._accounts[AccountId("alpha")]

    names = [str(number) for number in range(REQUEST_IDS_MAX + 1)]
    seen = [account.remember_request(name) for name in names]  # type: ignore[arg-type]  # any text

    assert all(seen)
    assert len(account.requests) == REQUEST_IDS_MAX
    assert "0" not in account.requests


def test_nothing_of_what_is_not_held_is_sellable() -> None:
    """No naked shorts."""
    stage = Stage()
    stage.open()

    decision = stage.ask(Quote(), side=Side.SELL).decisions[0]

    assert (decision.reason, decision.observed) == (Reason.NOT_SELLABLE, 0)


@pytest.mark.parametrize(
    ("order_type", "price_e4", "limit"),
    [(OrderType.LIMIT, 40_000, 100_000), (OrderType.MARKET, 0, 50_000)],
)
def test_sell_beyond_the_boards_maximum_is_a_bad_lot(
    order_type: OrderType,
    price_e4: int,
    limit: int,
) -> None:
    """STAR takes 100,000 shares a limit order and 50,000 a market order."""
    star = Reference(STAR)
    stage = Stage()
    stage.open(star)
    stage.tick(Quote(STAR))
    for _ in range(2):
        order = stage.ask(instrument=STAR, quantity_shares=60_000).submits[0]
        stage.tick(fills=(fill_of(order),), updates=(filled(order),))
    stage.close()
    stage.open(star)

    def sell(quantity_shares: int) -> Decision:
        output = stage.ask(
            Quote(STAR),
            instrument=STAR,
            side=Side.SELL,
            order_type=order_type,
            price_e4=price_e4,
            quantity_shares=quantity_shares,
        )
        return output.decisions[0]

    over, full = sell(limit + 1), sell(limit)

    assert (over.reason, over.observed, over.limit) == (Reason.BAD_LOT, limit + 1, limit)
    assert full.reason is Reason.NONE
