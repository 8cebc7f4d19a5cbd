"""What a ledger says that it booked beside trades: why cash and shares changed."""

from tests.unit.common.ledger.desk import BANK, THURSDAY, TUESDAY, WEDNESDAY, holder, sell

from tidegate_common.domain.enums import BookingKind
from tidegate_common.ledger import Booked
from tidegate_common.market.corporate_actions import CorporateAction


def test_action_says_claim_shares_and_lapsed_rights() -> None:
    """All that an account gets and lets go, on what it held."""
    ledger = holder(300, 300_000)
    action = CorporateAction(
        BANK,
        TUESDAY,
        cash_e6=500_000,
        bonus_e6=100_000,
        transfer_e6=200_000,
        rights_e6=300_000,
        rights_price_e4=50_000,
        pay_date=WEDNESDAY,
        listing_date=THURSDAY,
    )

    booked = ledger.apply_action(action)

    assert booked == (
        Booked(BookingKind.DIVIDEND_CLAIM, BANK, 15_000, 0, 300, WEDNESDAY),
        Booked(BookingKind.NEW_SHARES, BANK, 0, 90, 300, THURSDAY),
        Booked(BookingKind.RIGHTS_LAPSED, BANK, 0, 90, 300, 0),
    )


def test_action_that_pays_at_once_says_so_last() -> None:
    """The claim, then the cash; rights that are taken up do not lapse."""
    ledger = holder(300, 300_000)
    action = CorporateAction(
        BANK, TUESDAY, cash_e6=500_000, rights_e6=300_000, rights_price_e4=50_000
    )

    booked = ledger.apply_action(action, subscribed_shares=90)

    assert booked == (
        Booked(BookingKind.DIVIDEND_CLAIM, BANK, 15_000, 0, 300, TUESDAY),
        Booked(BookingKind.DIVIDEND_PAID, BANK, 15_000),
    )


def test_action_of_what_is_not_held_books_nothing() -> None:
    """Most actions of a market concern nobody."""
    assert holder().apply_action(CorporateAction(BANK + 1, TUESDAY, cash_e6=500_000)) == ()


def test_day_says_its_taxes_then_the_dividends_that_came() -> None:
    """A dividend that was sold out of within the month is taxed at a fifth."""
    ledger = holder(300, 300_000)
    ledger.apply_action(CorporateAction(BANK, TUESDAY, cash_e6=500_000, pay_date=WEDNESDAY))
    sell(ledger, 300, 285_000)

    booked = ledger.roll_day(WEDNESDAY)
    later = ledger.roll_day(THURSDAY)

    assert booked == (
        Booked(BookingKind.DIVIDEND_TAX, BANK, -3_000),
        Booked(BookingKind.DIVIDEND_PAID, BANK, 15_000),
    )
    assert later == ()
