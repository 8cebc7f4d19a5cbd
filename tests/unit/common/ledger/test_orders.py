"""Freezing, filling and unfreezing: what orders do to cash and shares."""

import pytest
from tests.unit.common.ledger.desk import (
    BANK,
    CASH_FEN,
    FUND,
    LIQUOR,
    MONDAY,
    ORDER,
    TUESDAY,
    WEDNESDAY,
    buy,
    holder,
    new_ledger,
    refused,
    sell,
)

from tidegate_common.domain.enums import Side
from tidegate_common.domain.ids import OrderId
from tidegate_common.ledger import Ledger, LedgerError, Lot, Reservation
from tidegate_common.market.fees import NO_FEES, Fees

OTHER = OrderId("other")
FEES = Fees(500, 40, 3, 2, 1)


def _freeze_buy(ledger: Ledger, *, quantity_shares: int = 200, cash_fen: int = 80_501) -> None:
    ledger.freeze_buy(ORDER, BANK, quantity_shares=quantity_shares, cash_fen=cash_fen)


def _fill(
    ledger: Ledger,
    *,
    quantity_shares: int = 100,
    amount_fen: int = 39_900,
    fees: Fees = NO_FEES,
) -> None:
    ledger.fill(ORDER, quantity_shares=quantity_shares, amount_fen=amount_fen, fees=fees)


def test_buy_that_is_accepted_freezes_its_cash() -> None:
    """Cash that an order may need cannot pay for another one."""
    ledger = new_ledger(cash_fen=100_000)

    _freeze_buy(ledger)

    assert (ledger.cash_fen, ledger.frozen_fen, ledger.available_fen) == (100_000, 80_501, 19_499)
    assert ledger.order_ids == (ORDER,)
    assert ledger.reservation(ORDER) == Reservation(ORDER, BANK, Side.BUY, 200, 80_501)


def test_buy_that_fills_in_parts_spends_its_frozen_cash() -> None:
    """The rest of the order stays frozen until the order ends."""
    ledger = new_ledger(cash_fen=100_000)
    _freeze_buy(ledger)

    _fill(ledger, fees=FEES)
    _fill(ledger, amount_fen=39_000)

    ledger.check()
    assert ledger.cash_fen == 100_000 - 39_900 - 546 - 39_000
    assert ledger.frozen_fen == 80_501 - 39_900 - 546 - 39_000
    assert (ledger.fees, ledger.quantity_shares(BANK)) == (FEES, 200)
    assert ledger.reservation(ORDER) == Reservation(ORDER, BANK, Side.BUY, 0, 1_055)


def test_unfreeze_of_a_filled_order_gives_back_what_it_did_not_cost() -> None:
    """A fill better than the limit leaves cash over."""
    ledger = new_ledger(cash_fen=100_000)
    _freeze_buy(ledger)
    _fill(ledger, quantity_shares=200, amount_fen=78_000)

    ledger.unfreeze(ORDER)

    assert (ledger.cash_fen, ledger.frozen_fen, ledger.order_ids) == (22_000, 0, ())


def test_buy_dearer_than_its_bound_spends_available_cash() -> None:
    """It happened, so it is booked, as long as there is cash."""
    ledger = new_ledger(cash_fen=100_000)
    _freeze_buy(ledger, cash_fen=80_000)

    _fill(ledger, quantity_shares=200, amount_fen=100_000)

    ledger.check()
    assert (ledger.cash_fen, ledger.frozen_fen) == (0, 0)


def test_fill_beyond_all_cash_is_refused() -> None:
    """Nobody spends what is not there."""
    ledger = new_ledger(cash_fen=100_000)
    _freeze_buy(ledger, cash_fen=80_000)

    refused(
        ledger,
        lambda: _fill(ledger, quantity_shares=200, amount_fen=100_001),
        r"cash must be at most the 20000 fen available, was 20001 \(order_id=order\) "
        r"\(account_id=alpha\)",
    )


def test_buy_of_more_than_is_available_is_refused() -> None:
    """Two orders must not spend the same cash."""
    ledger = new_ledger(cash_fen=100_000)
    _freeze_buy(ledger)

    refused(
        ledger,
        lambda: ledger.freeze_buy(OTHER, BANK, quantity_shares=100, cash_fen=19_500),
        "cash must be at most the 19499 fen available, was 19500",
    )


@pytest.mark.parametrize(("quantity_shares", "cash_fen"), [(0, 1), (-1, 1), (1, -1)])
def test_order_of_nothing_or_of_negative_cash_is_refused(
    quantity_shares: int,
    cash_fen: int,
) -> None:
    """Negative numbers would turn a freeze into a gift."""
    ledger = new_ledger()

    refused(
        ledger,
        lambda: _freeze_buy(ledger, quantity_shares=quantity_shares, cash_fen=cash_fen),
        f"must be > 0 and cash_fen >= 0, were {quantity_shares} shares and {cash_fen} fen",
    )


def test_order_that_is_open_already_is_refused() -> None:
    """One id, one reservation."""
    ledger = holder()
    _freeze_buy(ledger)

    refused(ledger, lambda: _freeze_buy(ledger), "order_id must be new, is of an open order")
    refused(
        ledger,
        lambda: ledger.freeze_sell(ORDER, BANK, quantity_shares=100),
        "order_id must be new, is of an open order",
    )


def test_order_that_is_not_open_cannot_fill_or_end() -> None:
    """What the ledger never froze it cannot release."""
    ledger = new_ledger()

    refused(ledger, lambda: _fill(ledger), "order_id must be of an open order, was 'order'")
    refused(ledger, lambda: ledger.unfreeze(ORDER), "order_id must be of an open order")
    assert ledger.reservation(ORDER) is None


@pytest.mark.parametrize("quantity_shares", [0, -100, 201])
def test_fill_of_more_than_the_order_is_refused(quantity_shares: int) -> None:
    """An exchange that says so contradicts itself."""
    ledger = new_ledger()
    _freeze_buy(ledger)

    refused(
        ledger,
        lambda: _fill(ledger, quantity_shares=quantity_shares),
        f"quantity_shares must be 1 to the order's 200, was {quantity_shares}",
    )


@pytest.mark.parametrize(
    ("amount_fen", "fees"),
    [(-1, NO_FEES), (1, Fees(-1, 0, 0)), (1, Fees(5, 0, 0, 0, -5))],
)
def test_fill_of_negative_money_is_refused(amount_fen: int, fees: Fees) -> None:
    """No purchase pays its buyer, no broker gives fees back."""
    ledger = new_ledger()
    _freeze_buy(ledger)

    refused(
        ledger,
        lambda: _fill(ledger, amount_fen=amount_fen, fees=fees),
        "amount_fen and each fee must be >= 0",
    )


def test_fill_before_the_first_day_is_refused() -> None:
    """A lot needs the day on which it was acquired."""
    ledger = new_ledger(trade_date=0)
    _freeze_buy(ledger)

    refused(ledger, lambda: _fill(ledger), "a fill must be on a trading day, none has begun")


def test_shares_bought_today_are_sellable_tomorrow() -> None:
    """T+1."""
    ledger = new_ledger()
    buy(ledger, 200, 80_000)

    today = ledger.sellable_shares(BANK)
    refused(
        ledger,
        lambda: ledger.freeze_sell(ORDER, BANK, quantity_shares=100),
        "quantity_shares must be at most the 0 sellable shares, was 100",
    )
    ledger.roll_day(TUESDAY)

    assert (today, ledger.sellable_shares(BANK)) == (0, 200)


def test_product_of_same_day_resale_is_sellable_at_once() -> None:
    """T+0 is a property of a product; it leaves no lot and no tax behind."""
    ledger = new_ledger()
    buy(ledger, 200, 80_000, instrument=FUND, has_same_day_resale=True)

    sell(ledger, 200, 81_000, instrument=FUND)
    ledger.roll_day(TUESDAY)

    ledger.check()
    assert (ledger.cash_fen, ledger.realised_pnl_fen) == (CASH_FEN + 1_000, 1_000)
    assert ledger.holding(FUND) is None


def test_shares_promised_to_a_sell_cannot_be_promised_again() -> None:
    """One share, one sale."""
    ledger = holder(300)

    ledger.freeze_sell(ORDER, BANK, quantity_shares=200)

    assert (ledger.sellable_shares(BANK), ledger.frozen_shares(BANK)) == (100, 200)
    refused(
        ledger,
        lambda: ledger.freeze_sell(OTHER, BANK, quantity_shares=101),
        "at most the 100 sellable shares, was 101",
    )


def test_nothing_of_what_is_not_held_is_sellable() -> None:
    """No naked shorts."""
    ledger = new_ledger()

    refused(
        ledger,
        lambda: ledger.freeze_sell(ORDER, BANK, quantity_shares=1),
        "at most the 0 sellable shares, was 1",
    )


def test_sell_realises_the_cost_of_its_oldest_shares() -> None:
    """First in, first out; fees stand apart."""
    ledger = holder(100, 100_001)
    buy(ledger, 200, 240_000)
    ledger.roll_day(WEDNESDAY)

    sell(ledger, 200, 230_000, fees=FEES)

    assert ledger.realised_pnl_fen == 230_000 - 100_001 - 120_000
    assert (ledger.cost_fen, ledger.fees) == (120_000, FEES)
    holding = ledger.holding(BANK)
    assert holding is not None
    assert holding.lots == (Lot(TUESDAY, TUESDAY + 1, 100, 120_000),)


def test_sells_of_parts_of_a_lot_lose_no_fen() -> None:
    """A part's cost rounds half up; the last part takes what is left."""
    ledger = holder(3, 100)

    costs = []
    for _ in range(3):
        before_fen = ledger.cost_fen
        sell(ledger, 1, 0)
        costs.append(before_fen - ledger.cost_fen)

    # 100 / 3 is 33.3; then 67 / 2 is 33.5 and rounds up.
    assert costs == [33, 34, 33]
    assert (ledger.realised_pnl_fen, ledger.holding(BANK)) == (-100, None)


def test_sell_passes_over_lots_that_are_locked() -> None:
    """Shares of yesterday go, shares of today stay."""
    ledger = holder(100, 100_000)
    buy(ledger, 100, 110_000)

    sell(ledger, 100, 105_000)

    holding = ledger.holding(BANK)
    assert holding is not None
    assert holding.lots == (Lot(TUESDAY, TUESDAY + 1, 100, 110_000),)
    assert holding.sellable_shares == 0


def test_sell_that_costs_more_than_it_brings_spends_its_frozen_cash() -> None:
    """One share sold for 4.00 pays 5.00 of commission."""
    ledger = new_ledger(cash_fen=1_100)
    buy(ledger, 2, 800)
    ledger.roll_day(TUESDAY)
    ledger.freeze_sell(ORDER, BANK, quantity_shares=2, cash_fen=100)
    frozen_fen = ledger.frozen_fen

    _fill(ledger, quantity_shares=1, amount_fen=400, fees=Fees(500, 0, 0))
    _fill(ledger, quantity_shares=1, amount_fen=400)

    ledger.check()
    assert (frozen_fen, ledger.frozen_fen, ledger.frozen_shares(BANK)) == (100, 0, 0)
    assert (ledger.cash_fen, ledger.withdrawable_fen) == (600, 200)


def test_sell_whose_fees_nobody_can_pay_is_refused() -> None:
    """Cash never goes below zero."""
    ledger = new_ledger(cash_fen=800)
    buy(ledger, 2, 800)
    ledger.roll_day(TUESDAY)
    ledger.freeze_sell(ORDER, BANK, quantity_shares=2)

    refused(
        ledger,
        lambda: _fill(ledger, quantity_shares=1, amount_fen=400, fees=Fees(500, 0, 0)),
        "cash must be at most the 0 fen available, was 100",
    )


def test_proceeds_of_a_sell_are_usable_today_and_withdrawable_tomorrow() -> None:
    """Settlement of cash is T+1, trading with it is not."""
    ledger = holder(300, 300_000)

    sell(ledger, 300, 330_000, fees=Fees(500, 0, 0))

    today = (ledger.available_fen, ledger.withdrawable_fen)
    ledger.roll_day(WEDNESDAY)
    assert today == (1_029_500, 700_000)
    assert ledger.withdrawable_fen == 1_029_500


def test_buys_of_the_day_are_paid_from_older_cash_first() -> None:
    """The conservative reading of what may be withdrawn never goes below nothing."""
    ledger = holder(300, 300_000)
    sell(ledger, 300, 330_000)

    buy(ledger, 100, 800_000, instrument=LIQUOR)

    assert (ledger.available_fen, ledger.withdrawable_fen) == (230_000, 0)


def test_sell_for_the_next_day_may_hold_what_is_locked_today() -> None:
    """An order accepted after the close trades when T+1 has unlocked its shares."""
    ledger = holder(100, 100_000)
    buy(ledger, 200, 200_000)

    sellable = ledger.sellable_shares(BANK, is_for_next_day=True)
    ledger.freeze_sell(ORDER, BANK, quantity_shares=250, is_for_next_day=True)

    ledger.check()
    assert (sellable, ledger.sellable_shares(BANK)) == (300, 50)
    assert ledger.sellable_shares(BANK, is_for_next_day=True) == 50


def test_sell_for_the_next_day_fills_on_it_and_not_before() -> None:
    """T+1 is not to be broken by an order that came early."""
    ledger = new_ledger()
    buy(ledger, 200, 200_000)
    ledger.freeze_sell(ORDER, BANK, quantity_shares=200, is_for_next_day=True)

    refused(
        ledger,
        lambda: _fill(ledger, quantity_shares=200),
        r"a sell for the next day must fill on it, not today \(order_id=order\)",
    )
    ledger.roll_day(TUESDAY)
    _fill(ledger, quantity_shares=200, amount_fen=210_000)

    ledger.check()
    assert (ledger.realised_pnl_fen, ledger.trade_date) == (10_000, TUESDAY)


def test_order_that_works_over_night_keeps_what_it_froze() -> None:
    """The end of a day ends no order by itself."""
    ledger = new_ledger(cash_fen=100_000)
    _freeze_buy(ledger)

    ledger.roll_day(TUESDAY)
    _fill(ledger, quantity_shares=200, amount_fen=80_000)

    holding = ledger.holding(BANK)
    assert ledger.frozen_fen == 501
    assert holding is not None
    assert holding.lots == (Lot(TUESDAY, TUESDAY + 1, 200, 80_000),)


@pytest.mark.parametrize(
    ("cash_fen", "trade_date", "match"),
    [
        (-1, MONDAY, r"cash_fen must be >= 0, was -1 \(account_id=alpha\)"),
        (1, 2024_02_30, "trade_date must be a date as YYYYMMDD, was 20240230"),
    ],
)
def test_ledger_with_negative_cash_or_an_impossible_day_is_refused(
    cash_fen: int,
    trade_date: int,
    match: str,
) -> None:
    """Bad numbers stop at the door."""
    with pytest.raises(LedgerError, match=match):
        new_ledger(cash_fen=cash_fen, trade_date=trade_date)


def test_ledger_that_is_new_holds_its_cash_alone() -> None:
    """All that an account is before its first order."""
    ledger = new_ledger()

    ledger.check()
    assert (ledger.account_id, ledger.trade_date) == ("alpha", MONDAY)
    assert (ledger.initial_fen, ledger.cash_fen, ledger.opening_nav_fen) == (CASH_FEN,) * 3
    assert (ledger.order_ids, ledger.fees) == ((), NO_FEES)


def test_freeze_of_many_counts_what_those_before_hold_back() -> None:
    """A batch is checked as its orders would be, one after the other."""
    ledger = holder(200)
    many = [
        Reservation(ORDER, BANK, Side.SELL, 100, 5),
        Reservation(OTHER, LIQUOR, Side.BUY, 100, ledger.available_fen - 5),
    ]

    ledger.freeze_many(many)

    ledger.check()
    assert (ledger.order_ids, ledger.available_fen) == ((ORDER, OTHER), 0)
    assert (ledger.sellable_shares(BANK), list(ledger.frozen_instruments)) == (100, [BANK])


@pytest.mark.parametrize(
    ("last", "match"),
    [
        (Reservation(ORDER, LIQUOR, Side.BUY, 100, 0), "order_id must be new"),
        (Reservation(OTHER, LIQUOR, Side.BUY, 0, 0), "quantity_shares must be > 0"),
        (Reservation(OTHER, LIQUOR, Side.BUY, 100, -1), "cash_fen >= 0"),
        (Reservation(OTHER, BANK, Side.SELL, 200, 0), "at most the 100 sellable shares"),
        (Reservation(OTHER, LIQUOR, Side.BUY, 100, 10**12), "cash must be at most"),
    ],
)
def test_freeze_of_many_is_of_all_or_of_none(last: Reservation, match: str) -> None:
    """An operation that fails half-way has changed nothing."""
    ledger = holder(200)
    before = ledger.dump()

    with pytest.raises(LedgerError, match=match):
        ledger.freeze_many([Reservation(ORDER, BANK, Side.SELL, 100, 5), last])

    assert ledger.dump() == before


def test_columns_of_holdings_say_what_holdings_do() -> None:
    """The quick way and the one with the lots."""
    ledger = holder(200)
    ledger.freeze_sell(ORDER, BANK, quantity_shares=50)

    rows = list(zip(*ledger.holding_columns(), strict=True))

    assert rows == [
        (
            holding.instrument,
            holding.quantity_shares,
            holding.sellable_shares,
            holding.cost_fen,
            holding.mark_e4,
            holding.value_fen,
        )
        for holding in ledger.holdings
    ]
    assert rows[0][1:3] == (200, 150)
    assert list(ledger.known_instruments) == [BANK]
