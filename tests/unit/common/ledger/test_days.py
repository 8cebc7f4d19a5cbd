"""Marks, days, and the memory of a ledger."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from tests.unit.common.ledger.desk import (
    BANK,
    CASH_FEN,
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

from tidegate_common.domain.ids import OrderId
from tidegate_common.domain.units import Int64Array
from tidegate_common.ledger import Holding, Ledger, LedgerError, Lot
from tidegate_common.ledger.books import Receivable
from tidegate_common.ledger.reservations import FrozenShares
from tidegate_common.ledger.taxation import TaxLot
from tidegate_common.market.corporate_actions import CorporateAction
from tidegate_common.market.fees import Fees


def _marks(*mark_e4: int) -> Int64Array:
    return np.array(mark_e4, np.int64)


def test_holding_without_a_mark_is_valued_at_its_last_fill() -> None:
    """A price must come from somewhere, and the fill is the freshest one."""
    ledger = new_ledger()
    buy(ledger, 100, 100_000)

    buy(ledger, 100, 110_000)

    # The last fill was at 11.00 for all 200 shares.
    assert (ledger.gross_fen, ledger.unrealised_pnl_fen) == (220_000, 10_000)
    assert ledger.marks_e4.tolist() == [110_000]


def test_mark_of_zero_keeps_the_last_mark() -> None:
    """No price is not a price of nothing."""
    ledger = holder()

    ledger.mark(_marks(0))
    buy(ledger, 100, 105_000)
    at_fill = ledger.marks_e4.tolist()
    ledger.mark(_marks(120_000))
    ledger.mark(_marks(0))

    assert (at_fill, ledger.marks_e4.tolist()) == ([105_000], [120_000])


def test_fill_after_a_mark_does_not_move_it() -> None:
    """Marks are the market's, fills are ours."""
    ledger = holder()
    ledger.mark(_marks(120_000))

    buy(ledger, 100, 105_000)

    assert (ledger.marks_e4.tolist(), ledger.gross_fen) == ([120_000], 480_000)


def test_mark_values_all_holdings_in_order_of_instrument() -> None:
    """One array operation a beat, and NAV, P&L and high water follow."""
    ledger = new_ledger()
    buy(ledger, 100, 500_000, instrument=LIQUOR)
    buy(ledger, 100, 100_000)

    ledger.mark(_marks(110_000, 490_000))
    ledger.mark(_marks(100_000, 480_000))

    ledger.check()
    assert ledger.instruments.tolist() == [BANK, LIQUOR]
    assert ledger.quantities.tolist() == [100, 100]
    assert ledger.values_fen.tolist() == [100_000, 480_000]
    assert (ledger.gross_fen, ledger.nav_fen) == (580_000, CASH_FEN - 20_000)
    assert (ledger.unrealised_pnl_fen, ledger.day_pnl_fen) == (-20_000, -20_000)
    assert ledger.high_water_fen == CASH_FEN


def test_high_water_follows_the_nav_up_and_not_down() -> None:
    """Drawdown is measured from the top."""
    ledger = holder(300, 300_000)

    ledger.mark(_marks(110_000))
    ledger.mark(_marks(90_000))

    assert (ledger.high_water_fen, ledger.nav_fen) == (CASH_FEN + 30_000, CASH_FEN - 30_000)


def test_arrays_that_were_returned_never_change() -> None:
    """A caller may keep what it was given, and cannot write into the books."""
    ledger = holder()
    values_fen, quantities = ledger.values_fen, ledger.quantities

    ledger.mark(_marks(120_000))
    sell(ledger, 100, 100_000)

    assert (values_fen.tolist(), quantities.tolist()) == ([300_000], [300])
    assert not ledger.values_fen.flags.writeable


@pytest.mark.parametrize("marks", [_marks(), _marks(1, 1), _marks(-1), np.array([[1]])])
def test_marks_that_do_not_fit_are_refused(marks: Int64Array) -> None:
    """A mark of the wrong row values the wrong holding."""
    ledger = holder()

    refused(ledger, lambda: ledger.mark(marks), r"must be >= 0 and of shape \(1,\), was ")


def test_ledger_without_holdings_can_be_marked() -> None:
    """Most accounts begin so."""
    ledger = new_ledger()

    ledger.mark(_marks())

    assert (ledger.nav_fen, ledger.gross_fen) == (CASH_FEN, 0)


def test_holding_tells_all_of_one_instrument() -> None:
    """One answer for whoever prints a position."""
    ledger = holder(300, 300_000)
    ledger.freeze_sell(ORDER, BANK, quantity_shares=100)
    ledger.mark(_marks(110_000))

    holding = ledger.holding(BANK)

    lots = (Lot(MONDAY, MONDAY + 1, 300, 300_000),)
    assert holding == Holding(BANK, 300, 200, 100, 300_000, 110_000, 330_000, lots)
    assert (ledger.holding(LIQUOR), ledger.quantity_shares(LIQUOR)) == (None, 0)


def test_holdings_are_those_of_all_instruments_in_their_order() -> None:
    """Whatever was bought first: a list of positions is sorted."""
    ledger = new_ledger()
    buy(ledger, 100, 100_000, instrument=LIQUOR)
    buy(ledger, 200, 220_000)
    ledger.mark(_marks(120_000, 0))

    holdings = ledger.holdings

    assert [(each.instrument, each.value_fen) for each in holdings] == [
        (BANK, 240_000),
        (LIQUOR, 100_000),
    ]
    assert holdings == (ledger.holding(BANK), ledger.holding(LIQUOR))


def test_holding_that_is_sold_out_is_gone_at_once() -> None:
    """A position of nothing is none, though its tax is still to be settled."""
    ledger = holder()

    sell(ledger, 300, 300_000)

    assert (ledger.instruments.tolist(), ledger.holding(BANK)) == ([], None)
    assert ledger.holdings == ()
    assert ledger.dump()["unmarked"] == []


def test_opening_nav_is_the_nav_as_the_day_began() -> None:
    """A gap over night is part of the new day's loss."""
    ledger = holder(300, 300_000)
    ledger.mark(_marks(110_000))

    ledger.roll_day(WEDNESDAY)
    ledger.mark(_marks(100_000))

    assert (ledger.opening_nav_fen, ledger.day_pnl_fen) == (CASH_FEN + 30_000, -30_000)


@pytest.mark.parametrize(
    ("trade_date", "match"),
    [
        (MONDAY, "trade_date must be after 20240603, was 20240603"),
        (2024_06_02, "trade_date must be after 20240603, was 20240602"),
        (2024_13_01, "trade_date must be a date as YYYYMMDD, was 20241301"),
        (-1, "trade_date must be a date as YYYYMMDD, was -1"),
    ],
)
def test_day_that_does_not_grow_is_refused(trade_date: int, match: str) -> None:
    """Time runs one way, and only over dates."""
    ledger = new_ledger()

    refused(ledger, lambda: ledger.roll_day(trade_date), match)


def test_ledger_without_a_day_takes_up_its_first_one() -> None:
    """An account exists before its run begins."""
    ledger = new_ledger(trade_date=0)

    ledger.roll_day(MONDAY)

    assert (ledger.trade_date, ledger.opening_nav_fen) == (MONDAY, CASH_FEN)


def _busy() -> Ledger:
    """Return a ledger with something in every drawer."""
    ledger = new_ledger(cash_fen=2_000_000)
    buy(ledger, 300, 300_000, fees=Fees(500, 0, 3, 2, 1))
    buy(ledger, 100, 500_000, instrument=LIQUOR)
    ledger.roll_day(TUESDAY)
    ledger.mark(_marks(101_000, 505_000))
    action = CorporateAction(
        BANK,
        TUESDAY,
        cash_e6=500_000,
        bonus_e6=300_000,
        pay_date=WEDNESDAY,
        listing_date=WEDNESDAY,
    )
    ledger.apply_action(action)
    buy(ledger, 100, 95_000)
    sell(ledger, 100, 90_000)
    ledger.freeze_buy(
        OrderId("fund"),
        BANK,
        quantity_shares=100,
        cash_fen=1,
        has_same_day_resale=True,
    )
    ledger.freeze_sell(OrderId("late"), BANK, quantity_shares=150, is_for_next_day=True)
    ledger.freeze_sell(ORDER, LIQUOR, quantity_shares=50, cash_fen=7)
    ledger.check()
    return ledger


def test_dump_that_is_loaded_is_the_same_ledger() -> None:
    """A restart changes nothing, lots and orders keep their order."""
    ledger = _busy()

    text = json.dumps(ledger.dump())
    loaded = Ledger.load(json.loads(text))

    assert json.dumps(loaded.dump()) == text
    assert loaded.holding(BANK) == ledger.holding(BANK)
    assert loaded.order_ids == ledger.order_ids
    assert loaded.sellable_shares(BANK) == ledger.sellable_shares(BANK)
    assert loaded.nav_fen == ledger.nav_fen


def test_dump_that_is_loaded_goes_on_as_the_first_would() -> None:
    """What matters of a memory is what comes after it."""
    ledger = _busy()
    loaded = Ledger.load(ledger.dump())

    for each in (ledger, loaded):
        each.roll_day(WEDNESDAY)
        each.fill(OrderId("late"), quantity_shares=150, amount_fen=140_000, fees=Fees(5, 7, 1))
        each.fill(OrderId("fund"), quantity_shares=100, amount_fen=90_000, fees=Fees(5, 0, 1))
        each.mark(_marks(90_000, 0))
        each.check()

    assert json.dumps(loaded.dump()) == json.dumps(ledger.dump())


def test_dump_is_not_changed_by_what_comes_after_it() -> None:
    """A snapshot is of one moment."""
    ledger = _busy()
    dump = ledger.dump()
    text = json.dumps(dump)

    ledger.unfreeze(ORDER)
    ledger.roll_day(WEDNESDAY)

    assert json.dumps(dump) == text


def _lose_cash(ledger: Ledger) -> None:
    ledger._books.cash_fen -= 1


def _lose_a_freeze(ledger: Ledger) -> None:
    ledger._books.reservations.frozen_fen -= 1


def _delay_tax(ledger: Ledger) -> None:
    ledger._books.tax_payable_fen += 1


def _overpay_tax(ledger: Ledger) -> None:
    ledger._books.tax_payable_fen -= 1


def _delay_a_dividend(ledger: Ledger) -> None:
    ledger._books.receivables.append(Receivable(TUESDAY, BANK, 0))


def _lose_a_row(ledger: Ledger) -> None:
    ledger._books.values.trade(BANK, quantity_shares=0, price_e4=0)


def _lose_value(ledger: Ledger) -> None:
    ledger._books.values.gross_fen -= 1


def _lose_a_share(ledger: Ledger) -> None:
    ledger._books.positions[BANK].tax_lots.append(TaxLot(MONDAY, 1))


def _make_an_empty_lot(ledger: Ledger) -> None:
    ledger._books.positions[BANK].lots.append(Lot(MONDAY, MONDAY, 0, 0))


def _miscount(ledger: Ledger) -> None:
    ledger._books.positions[BANK].unlocked_shares += 1


def _freeze_too_much_for_today(ledger: Ledger) -> None:
    ledger._books.reservations._shares[LIQUOR] = FrozenShares(101, 0)


def _freeze_too_much_for_tomorrow(ledger: Ledger) -> None:
    ledger._books.reservations._shares[LIQUOR] = FrozenShares(101, 101)


@pytest.mark.parametrize(
    ("break_books", "match"),
    [
        (_lose_cash, "assets at cost, fees and tax paid must be initial cash and income"),
        (_lose_a_freeze, "frozen cash must be the 8 fen of open orders and at most the cash"),
        (_delay_tax, "tax due must be paid from free cash, 1 fen are due"),
        (_overpay_tax, "tax due must be paid from free cash, -1 fen are due"),
        (_delay_a_dividend, "receivables must fall due after 20240604"),
        (_lose_a_row, "valued shares must be the held ones"),
        (_lose_value, "gross must be the sum of the values"),
        (_lose_a_share, "registered shares and the day's change must be the holding, were"),
        (_make_an_empty_lot, "lots must have shares and no negative cost"),
        (_miscount, "the lots must be counted as"),
        (_freeze_too_much_for_today, "today's sells must freeze at most 100 shares"),
        (_freeze_too_much_for_tomorrow, "; sells must freeze at most 100|: sells must freeze"),
    ],
)
def test_books_that_do_not_add_up_are_caught(
    break_books: Callable[[Ledger], None],
    match: str,
) -> None:
    """A check that cannot fail checks nothing."""
    ledger = _busy()

    break_books(ledger)

    with pytest.raises(LedgerError, match=match):
        ledger.check()


def test_dump_of_broken_books_is_not_loaded() -> None:
    """Corrupt data is worse than no data."""
    ledger = _busy()
    _lose_cash(ledger)

    with pytest.raises(LedgerError, match="books of account alpha must add up"):
        Ledger.load(ledger.dump())
