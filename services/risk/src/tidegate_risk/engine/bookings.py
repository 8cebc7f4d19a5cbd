"""What changes an account's books and is no trade: corporate actions, dividends and their tax.

An action is booked at the OPEN of its ex-date, before anything else of that day: what is held then
is what was held as the record date ended, because the ex-date is the next trading day. The claim to
cash counts in the NAV until it is paid, new shares count and cannot be sold until they are listed.

Rights are not taken up: nobody can be asked, and to spend an account's cash unasked would be worse
than the loss of value, which is real.
"""

from collections.abc import Iterator, Sequence

from tidegate_common.domain.enums import BookingKind
from tidegate_common.events.portfolio import Booking
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.ledger import LedgerError
from tidegate_risk.engine.portfolio import Account
from tidegate_risk.engine.state import TickedAction


def book_actions(account: Account, actions: Sequence[TickedAction]) -> None:
    """Book what goes ex today; an action that the ledger cannot carry halts the account."""
    ledger = account.ledger
    for action, tick_e4 in actions:
        if not ledger.quantity_shares(action.instrument):
            continue
        try:
            booked = ledger.apply_action(action, tick_e4=tick_e4)
        except LedgerError:
            account.standing.is_in_doubt = True
            continue
        account.booked += booked
        for each in booked:
            if each.kind is BookingKind.NEW_SHARES:
                account.sleeves.grow(
                    each.instrument,
                    new_shares=each.quantity_shares,
                    held_shares=each.held_shares,
                )


def bookings_of(account: Account, stamp: BeatStamp) -> Iterator[Booking]:
    """Yield what was booked in a beat that is no trade."""
    for sequence, booked in enumerate(account.booked):
        yield Booking(
            account_id=account.account_id,
            beat=stamp.beat,
            sequence=sequence,
            trade_date=stamp.trade_date,
            ts_event_ns=stamp.ts_event_ns,
            kind=booked.kind,
            instrument=booked.instrument,
            cash_fen=booked.cash_fen,
            quantity_shares=booked.quantity_shares,
            held_shares=booked.held_shares,
            effective_date=booked.effective_date,
        )
