"""Corporate actions and the dividend tax: what a ledger gets without trading, and owes for it."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.unit.common.ledger.desk import (
    BANK,
    CASH_FEN,
    LIQUOR,
    MONDAY,
    ORDER,
    THURSDAY,
    TUESDAY,
    WEDNESDAY,
    buy,
    holder,
    new_ledger,
    refused,
    sell,
)

from tidegate_common.domain.ids import OrderId
from tidegate_common.ledger import Ledger, Lot
from tidegate_common.market.corporate_actions import CorporateAction
from tidegate_common.market.fees import NO_FEES

JULY, NEXT_JUNE = 2024_07_04, 2025_06_04
ORDER_2 = OrderId("second")


def _lots(ledger: Ledger) -> tuple[Lot, ...]:
    holding = ledger.holding(BANK)
    assert holding is not None
    return holding.lots


def _dividend(**changes: int) -> CorporateAction:
    return CorporateAction(BANK, TUESDAY, **{"cash_e6": 500_000, **changes})


def _transfer(**changes: int) -> CorporateAction:
    return CorporateAction(BANK, TUESDAY, **{"transfer_e6": 300_000, **changes})


def test_dividend_of_the_day_is_cash_at_once() -> None:
    """Where no pay date is known the ex-date is it."""
    ledger = holder(300, 300_000)

    ledger.apply_action(_dividend())

    ledger.check()
    assert (ledger.cash_fen, ledger.receivable_fen) == (715_000, 0)
    assert ledger.dividends_fen == 15_000


def test_dividend_to_come_is_a_receivable_until_it_is_paid() -> None:
    """It is worth something and cannot be spent."""
    ledger = holder(300, 300_000)

    ledger.apply_action(_dividend(pay_date=THURSDAY))
    on_ex_date = (ledger.available_fen, ledger.receivable_fen, ledger.nav_fen)
    ledger.roll_day(WEDNESDAY)
    on_the_day_between = (ledger.available_fen, ledger.receivable_fen)
    ledger.roll_day(THURSDAY)

    ledger.check()
    assert on_ex_date == (700_000, 15_000, CASH_FEN)
    assert on_the_day_between == (700_000, 15_000)
    assert (ledger.available_fen, ledger.receivable_fen) == (715_000, 0)


def test_mark_becomes_the_ex_rights_reference() -> None:
    """The NAV does not jump before the day's first mark."""
    ledger = holder(300, 300_000)
    ledger.mark(np.array([130_000], np.int64))

    ledger.apply_action(_transfer())

    assert ledger.marks_e4.tolist() == [100_000]
    assert ledger.nav_fen == CASH_FEN + 90_000


def test_reference_of_a_fund_has_its_finer_tick() -> None:
    """10.00 less 0.5 over 1.3 is 7.3077: a thousandth finer than a share's."""
    ledger = holder()

    ledger.apply_action(_transfer(cash_e6=500_000), tick_e4=10)

    assert ledger.marks_e4.tolist() == [73_080]


def test_new_shares_cost_nothing_and_spread_over_the_lots() -> None:
    """Floor of each part; what is left over goes to the oldest lots."""
    ledger = new_ledger()
    for _ in range(3):
        buy(ledger, 105, 105_000)
    ledger.roll_day(TUESDAY)

    ledger.apply_action(_transfer(bonus_e6=1_000))

    ledger.check()
    # 315 shares get 94 (of 94.5) and 0 (of 0.315): 31.33 a lot.
    assert [lot.quantity_shares for lot in _lots(ledger)] == [137, 136, 136]
    assert [lot.cost_fen for lot in _lots(ledger)] == [105_000] * 3
    assert (ledger.cost_fen, ledger.realised_pnl_fen) == (315_000, 0)
    assert ledger.sellable_shares(BANK) == 409


def test_new_shares_that_list_later_are_locked_until_then() -> None:
    """They take their part of the cost, so that every share costs the same."""
    ledger = holder(300, 300_001)

    ledger.apply_action(_transfer(listing_date=THURSDAY))
    on_ex_date = ledger.sellable_shares(BANK)
    ledger.roll_day(WEDNESDAY)
    on_the_day_between = ledger.sellable_shares(BANK)
    for_thursday = ledger.sellable_shares(BANK, is_for_next_day=True)
    ledger.roll_day(THURSDAY)

    ledger.check()
    assert _lots(ledger) == (
        Lot(MONDAY, TUESDAY, 300, 230_770),
        Lot(MONDAY, THURSDAY, 90, 69_231),
    )
    assert (on_ex_date, on_the_day_between, for_thursday) == (300, 300, 390)
    assert ledger.sellable_shares(BANK) == 390


def test_new_shares_of_a_lot_that_lists_even_later_wait_with_it() -> None:
    """A second issue does not unlock the first."""
    ledger = holder(100, 100_000)
    ledger.apply_action(_transfer(listing_date=JULY))
    ledger.roll_day(WEDNESDAY)

    ledger.apply_action(
        CorporateAction(BANK, WEDNESDAY, transfer_e6=100_000, listing_date=THURSDAY),
    )

    ledger.check()
    assert [(lot.sellable_from, lot.quantity_shares) for lot in _lots(ledger)] == [
        (TUESDAY, 100),
        (THURSDAY, 10),
        (JULY, 33),
    ]


def test_fraction_of_a_new_share_is_refused() -> None:
    """What nobody can foresee is not invented."""
    ledger = holder(3, 3_000)

    ledger.apply_action(_transfer())

    assert ledger.quantity_shares(BANK) == 3


def test_rights_taken_up_are_paid_now_and_sellable_when_listed() -> None:
    """Shares at their own price, in a lot of their own."""
    ledger = holder(300, 300_000)
    rights = CorporateAction(
        BANK,
        TUESDAY,
        rights_e6=300_000,
        rights_price_e4=50_050,
        listing_date=WEDNESDAY,
    )

    ledger.apply_action(rights, subscribed_shares=90)

    ledger.check()
    assert ledger.cash_fen == 700_000 - 45_045
    assert _lots(ledger)[1] == Lot(TUESDAY, WEDNESDAY, 90, 45_045)
    # (10.00 + 0.3 x 5.005) / 1.3 is 8.847.
    assert (ledger.sellable_shares(BANK), ledger.marks_e4.tolist()) == (300, [88_500])


@pytest.mark.parametrize("subscribed_shares", [-1, 91])
def test_rights_beyond_what_the_holding_has_are_refused(subscribed_shares: int) -> None:
    """Three for ten of 300 are 90."""
    ledger = holder(300, 300_000)
    rights = CorporateAction(BANK, TUESDAY, rights_e6=300_000, rights_price_e4=50_000)

    refused(
        ledger,
        lambda: ledger.apply_action(rights, subscribed_shares=subscribed_shares),
        f"subscribed_shares must be 0 to 90, was {subscribed_shares}",
    )


def test_rights_that_cash_cannot_pay_are_refused() -> None:
    """Nobody spends what is not there."""
    ledger = new_ledger(cash_fen=344_999)
    buy(ledger, 300, 300_000)
    ledger.roll_day(TUESDAY)
    rights = CorporateAction(BANK, TUESDAY, rights_e6=300_000, rights_price_e4=50_000)

    refused(
        ledger,
        lambda: ledger.apply_action(rights, subscribed_shares=90),
        "cash must be at most the 44999 fen available, was 45000",
    )


def test_action_of_what_is_not_held_gives_nothing() -> None:
    """Whoever has the notices need not know who holds what."""
    ledger = new_ledger()
    before = ledger.dump()

    ledger.apply_action(CorporateAction(LIQUOR, MONDAY, cash_e6=1_000_000))

    assert ledger.dump() == before


def _on_another_day(ledger: Ledger) -> None:
    ledger.apply_action(CorporateAction(BANK, WEDNESDAY, cash_e6=1))


def _twice(ledger: Ledger) -> None:
    ledger.apply_action(_dividend())


@pytest.mark.parametrize(
    ("operation", "match"),
    [
        (_on_another_day, "ex_date must be the day 20240604, was 20240605"),
        (_twice, "an action must come before all else of 20240604, did not"),
    ],
)
def test_action_that_cannot_be_today_is_refused(
    operation: Callable[[Ledger], None],
    match: str,
) -> None:
    """All of an ex-date is one action, before the instrument trades."""
    ledger = holder()
    ledger.apply_action(_dividend())

    refused(ledger, lambda: operation(ledger), match)


@pytest.mark.parametrize("trade", [buy, sell])
def test_action_after_a_trade_of_its_day_is_refused(
    trade: Callable[[Ledger, int, int], None],
) -> None:
    """Who bought on the ex-date has no claim; the books could not tell any more."""
    ledger = holder()
    trade(ledger, 100, 100_000)

    refused(ledger, lambda: ledger.apply_action(_dividend()), "must come before all else")


def test_action_that_leaves_no_price_is_refused() -> None:
    """A dividend of the whole price is a wrong notice."""
    ledger = holder()

    refused(
        ledger,
        lambda: ledger.apply_action(_dividend(cash_e6=10_000_000)),
        "prev_close_e4 and its ex-rights reference must be > 0",
    )


@pytest.mark.parametrize(
    ("sold_on", "tax_fen"),
    [(WEDNESDAY, 3_000), (2024_07_03, 3_000), (JULY, 1_500), (2025_06_03, 1_500), (NEXT_JUNE, 0)],
)
def test_tax_follows_the_time_that_the_shares_were_held(sold_on: int, tax_fen: int) -> None:
    """Bought on 3 June: a month until 3 July, a year until 3 June."""
    ledger = holder(300, 300_000)
    ledger.apply_action(_dividend())
    ledger.roll_day(sold_on)

    sell(ledger, 300, 300_000)
    before_the_roll = ledger.tax_paid_fen
    ledger.roll_day(2025_06_05)

    ledger.check()
    assert (before_the_roll, ledger.tax_paid_fen) == (0, tax_fen)
    assert ledger.cash_fen == CASH_FEN + 15_000 - tax_fen


def test_tax_of_a_day_is_in_the_pnl_of_the_next() -> None:
    """The P&L of all days adds up to the change of the NAV."""
    ledger = holder(300, 300_000)
    ledger.apply_action(_dividend())
    ledger.roll_day(WEDNESDAY)
    sell(ledger, 300, 300_000)
    opened = ledger.nav_fen

    ledger.roll_day(THURSDAY)

    assert ledger.tax_paid_fen > 0
    assert (ledger.opening_nav_fen, ledger.day_pnl_fen) == (opened, -ledger.tax_paid_fen)


def test_tax_is_rounded_once_for_the_day_and_instrument() -> None:
    """Two lots of 1.5 fen are 3 fen, not 4."""
    ledger = new_ledger()
    buy(ledger, 15, 15_000)
    ledger.roll_day(TUESDAY)
    ledger.apply_action(_dividend(cash_e6=5_000))
    buy(ledger, 15, 15_000)
    ledger.roll_day(WEDNESDAY)
    ledger.apply_action(CorporateAction(BANK, WEDNESDAY, cash_e6=5_000))

    sell(ledger, 30, 30_000)
    ledger.roll_day(THURSDAY)

    # 15 shares with two dividends and 15 with one: 45 x 0.5 fen x 20% is 4.5 fen.
    assert ledger.tax_paid_fen == 5


def test_round_trip_of_a_day_makes_no_tax_lot_and_consumes_none() -> None:
    """The registrar sees only the day's net change."""
    ledger = holder(300, 300_000)
    ledger.apply_action(_dividend())
    ledger.roll_day(WEDNESDAY)

    sell(ledger, 300, 300_000)
    buy(ledger, 300, 310_000)
    ledger.roll_day(NEXT_JUNE)
    after_the_trip_fen = ledger.tax_paid_fen
    sell(ledger, 300, 300_000)
    ledger.roll_day(2025_06_05)

    assert (after_the_trip_fen, ledger.tax_paid_fen) == (0, 0)
    assert ledger.realised_pnl_fen == -10_000


def test_net_sale_of_a_day_consumes_the_oldest_registered_shares() -> None:
    """400 sold and 200 bought are 200 fewer."""
    ledger = holder(300, 300_000)
    ledger.apply_action(_dividend())
    buy(ledger, 100, 100_000)
    ledger.roll_day(WEDNESDAY)

    sell(ledger, 400, 400_000)
    buy(ledger, 200, 200_000)
    ledger.roll_day(THURSDAY)

    # 200 of the 300 shares with the dividend of 0.50, at 20%.
    assert ledger.tax_paid_fen == 2_000


def test_bonus_shares_are_income_at_face_value_and_transfers_are_not() -> None:
    """300 shares got 90 bonus shares: 90 CNY of income."""
    ledger = holder(300, 300_000)
    ledger.apply_action(CorporateAction(BANK, TUESDAY, bonus_e6=300_000, transfer_e6=200_000))
    ledger.roll_day(WEDNESDAY)

    sell(ledger, 300, 200_000)
    ledger.roll_day(THURSDAY)

    assert ledger.tax_paid_fen == 1_800


def test_new_shares_are_registered_on_the_ex_date() -> None:
    """They are younger than the shares that they came from: the dearer reading."""
    ledger = holder(300, 300_000)
    ledger.apply_action(_transfer())
    ledger.roll_day(2024_07_01)
    ledger.apply_action(CorporateAction(BANK, 2024_07_01, cash_e6=1_000_000))
    ledger.roll_day(JULY)

    sell(ledger, 390, 390_000)
    ledger.roll_day(2024_07_05)

    # 300 of 3 June at 10%, 90 of 4 June at 20%.
    assert ledger.tax_paid_fen == 3_000 + 1_800


def test_record_date_decides_which_law_taxes_a_dividend() -> None:
    """Of 7 September 2015 the old rates hold: 5% after a year, not nothing."""
    ledger = new_ledger(trade_date=2014_01_02)
    buy(ledger, 100, 100_000)
    ledger.roll_day(2015_09_08)
    ledger.apply_action(
        CorporateAction(BANK, 2015_09_08, cash_e6=1_000_000, record_date=2015_09_07),
    )
    ledger.roll_day(2015_09_09)

    sell(ledger, 100, 100_000)
    ledger.roll_day(2015_09_10)

    assert ledger.tax_paid_fen == 500


def _poor_debtor() -> Ledger:
    """Return a ledger on Thursday whose cash of 30,000 fen is frozen and that owes 2,000 of tax."""
    ledger = new_ledger(cash_fen=100_000)
    buy(ledger, 200, 100_000)
    ledger.roll_day(TUESDAY)
    ledger.apply_action(CorporateAction(BANK, TUESDAY, cash_e6=1_000_000, pay_date=JULY))
    ledger.roll_day(WEDNESDAY)
    sell(ledger, 100, 30_000)
    ledger.freeze_buy(ORDER, LIQUOR, quantity_shares=100, cash_fen=30_000)
    ledger.roll_day(THURSDAY)
    ledger.check()
    return ledger


def test_tax_that_is_due_blocks_available_cash() -> None:
    """What open orders hold back stays theirs; everything else waits for the tax."""
    ledger = _poor_debtor()

    state = (ledger.tax_payable_fen, ledger.available_fen, ledger.withdrawable_fen)

    assert state == (2_000, -2_000, 0)
    # 100 shares, never marked, at the 3.00 of their last fill.
    assert ledger.nav_fen == 30_000 + 20_000 + 30_000 - 2_000
    refused(
        ledger,
        lambda: ledger.freeze_buy(ORDER_2, LIQUOR, quantity_shares=1, cash_fen=1),
        "cash must be at most the 0 fen available, was 1",
    )


def test_sell_that_needs_no_cash_is_accepted_while_tax_is_due() -> None:
    """Selling is how the tax gets paid."""
    ledger = _poor_debtor()
    ledger.freeze_sell(ORDER_2, BANK, quantity_shares=100)

    ledger.fill(ORDER_2, quantity_shares=50, amount_fen=1_500, fees=NO_FEES)
    half_paid = (ledger.tax_payable_fen, ledger.tax_paid_fen, ledger.cash_fen)
    ledger.fill(ORDER_2, quantity_shares=50, amount_fen=1_500, fees=NO_FEES)

    ledger.check()
    assert half_paid == (500, 1_500, 30_000)
    assert (ledger.tax_payable_fen, ledger.tax_paid_fen, ledger.available_fen) == (0, 2_000, 1_000)


def test_end_of_an_order_pays_the_tax_that_is_due() -> None:
    """Cash that comes free goes to the tax first."""
    ledger = _poor_debtor()

    ledger.unfreeze(ORDER)

    ledger.check()
    assert (ledger.tax_payable_fen, ledger.available_fen) == (0, 28_000)


def test_dividend_that_is_paid_pays_the_tax_that_is_due() -> None:
    """So does cash that comes in on the pay date."""
    ledger = _poor_debtor()

    ledger.roll_day(JULY)

    ledger.check()
    assert (ledger.tax_payable_fen, ledger.available_fen) == (0, 18_000)
