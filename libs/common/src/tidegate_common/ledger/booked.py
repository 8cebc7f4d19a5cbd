"""What an operation booked that is no trade: why cash or shares changed."""

from dataclasses import dataclass

from tidegate_common.domain.enums import BookingKind


@dataclass(frozen=True, slots=True)
class Booked:
    """One booking.

    cash_fen : of a claim its amount, of a payment what came, of a tax what is owed, negative.
    quantity_shares : new ones, or rights that lapsed.
    held_shares : on which an action gave them; 0 of payments and taxes.
    effective_date : when a claim is paid or new shares may be sold; 0 of all else.
    """

    kind: BookingKind
    instrument: int
    cash_fen: int = 0
    quantity_shares: int = 0
    held_shares: int = 0
    effective_date: int = 0


def paid(instrument: int, cash_fen: int) -> Booked:
    """Return the booking of a dividend that came."""
    return Booked(BookingKind.DIVIDEND_PAID, instrument, cash_fen=cash_fen)


def taxed(instrument: int, tax_fen: int) -> Booked:
    """Return the booking of a dividend tax that was charged."""
    return Booked(BookingKind.DIVIDEND_TAX, instrument, cash_fen=-tax_fen)
