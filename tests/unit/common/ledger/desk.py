"""A ledger at work: short forms of what tests do again and again."""

import json
from collections.abc import Callable

import pytest

from tidegate_common.domain.enums import Exchange
from tidegate_common.domain.ids import EXCHANGE_STEP, AccountId, OrderId
from tidegate_common.ledger import Ledger, LedgerError
from tidegate_common.market.fees import NO_FEES, Fees

BANK = Exchange.SH * EXCHANGE_STEP + 600_000
LIQUOR = Exchange.SH * EXCHANGE_STEP + 600_519
FUND = Exchange.SH * EXCHANGE_STEP + 518_880

MONDAY, TUESDAY, WEDNESDAY, THURSDAY = 2024_06_03, 2024_06_04, 2024_06_05, 2024_06_06
ORDER = OrderId("order")
CASH_FEN = 1_000_000


def new_ledger(*, cash_fen: int = CASH_FEN, trade_date: int = MONDAY) -> Ledger:
    """Return a ledger that holds nothing but cash."""
    return Ledger(AccountId("alpha"), cash_fen=cash_fen, trade_date=trade_date)


def buy(
    ledger: Ledger,
    quantity_shares: int,
    amount_fen: int,
    *,
    instrument: int = BANK,
    fees: Fees = NO_FEES,
    has_same_day_resale: bool = False,
) -> None:
    """Buy in one order and one fill."""
    ledger.freeze_buy(
        ORDER,
        instrument,
        quantity_shares=quantity_shares,
        cash_fen=amount_fen + fees.total_fen,
        has_same_day_resale=has_same_day_resale,
    )
    ledger.fill(ORDER, quantity_shares=quantity_shares, amount_fen=amount_fen, fees=fees)
    ledger.unfreeze(ORDER)
    ledger.check()


def sell(
    ledger: Ledger,
    quantity_shares: int,
    amount_fen: int,
    *,
    instrument: int = BANK,
    fees: Fees = NO_FEES,
) -> None:
    """Sell in one order and one fill."""
    ledger.freeze_sell(ORDER, instrument, quantity_shares=quantity_shares)
    ledger.fill(ORDER, quantity_shares=quantity_shares, amount_fen=amount_fen, fees=fees)
    ledger.unfreeze(ORDER)
    ledger.check()


def holder(quantity_shares: int = 300, amount_fen: int = 300_000) -> Ledger:
    """Return a ledger that bought BANK on Monday and stands on Tuesday."""
    ledger = new_ledger()
    buy(ledger, quantity_shares, amount_fen)
    ledger.roll_day(TUESDAY)
    return ledger


def refused(ledger: Ledger, operation: Callable[[], object], match: str) -> None:
    """Expect a refusal that leaves every number of the books as it was."""
    before = json.dumps(ledger.dump())
    with pytest.raises(LedgerError, match=match):
        operation()
    assert json.dumps(ledger.dump()) == before
    ledger.check()
