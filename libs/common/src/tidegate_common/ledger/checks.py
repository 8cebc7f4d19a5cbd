"""The invariants of the books, each as a line that can fail."""

from collections.abc import Iterator
from dataclasses import replace

from tidegate_common.ledger.books import Books, Position
from tidegate_common.ledger.errors import LedgerError
from tidegate_common.ledger.lots import unlocked_shares
from tidegate_common.ledger.taxation import registered_shares


def check_books(books: Books) -> None:
    """Verify every invariant.

    Conservation, to the fen: cash + receivables + cost of holdings + fees of all kinds + dividend
    tax paid = initial cash + realised P&L + dividends. Tax that is due and not yet paid is in no
    term: it is still cash, and only NAV and available cash are less for it.

    Raises
    ------
    LedgerError
        Naming all that do not hold.
    """
    broken = [*_cash_faults(books), *_value_faults(books)]
    for instrument, position in books.positions.items():
        faults = _position_faults(books, instrument, position)
        broken.extend(f"{fault} (instrument={instrument})" for fault in faults)
    if broken:
        message = f"books of account {books.account_id} must add up: {'; '.join(broken)}"
        raise LedgerError(message)


def _cash_faults(books: Books) -> Iterator[str]:
    assets_fen = books.cash_fen + books.receivable_fen + books.cost_fen
    gone_fen = books.fees.total_fen + books.tax_paid_fen
    earned_fen = books.realised_pnl_fen + books.dividends_fen
    if assets_fen + gone_fen != books.initial_fen + earned_fen:
        yield (
            "assets at cost, fees and tax paid must be initial cash and income, were "
            f"{assets_fen + gone_fen} and {books.initial_fen + earned_fen} fen"
        )
    frozen_fen = sum(reservation.cash_fen for reservation in books.reservations)
    if not books.reservations.frozen_fen == frozen_fen <= books.cash_fen:
        yield (
            f"frozen cash must be the {frozen_fen} fen of open orders and at most the cash, "
            f"was {books.reservations.frozen_fen} of {books.cash_fen} fen"
        )
    is_tax_late = books.tax_payable_fen > 0 and books.cash_fen > frozen_fen
    if is_tax_late or books.tax_payable_fen < 0:
        yield f"tax due must be paid from free cash, {books.tax_payable_fen} fen are due"
    if any(receivable.pay_date <= books.trade_date for receivable in books.receivables):
        yield f"receivables must fall due after {books.trade_date}"


def _value_faults(books: Books) -> Iterator[str]:
    held = {
        instrument: position.quantity_shares
        for instrument, position in books.positions.items()
        if position.lots
    }
    values = books.values
    valued = dict(zip(values.instruments.tolist(), values.quantities.tolist(), strict=True))
    if list(valued.items()) != sorted(held.items()):
        yield f"valued shares must be the held ones, sorted: {held}, were {valued}"
    if values.gross_fen != int(values.values_fen.sum()):
        yield f"gross must be the sum of the values, was {values.gross_fen} fen"


def _position_faults(books: Books, instrument: int, position: Position) -> Iterator[str]:
    if any(lot.quantity_shares <= 0 or lot.cost_fen < 0 for lot in position.lots):
        yield "lots must have shares and no negative cost"
    counted = replace(position)
    counted.count(books.trade_date)
    if counted != position:
        yield f"the lots must be counted as {counted}, are as {position}"
    registered = registered_shares(position.tax_lots) + position.day_change_shares
    if registered != position.quantity_shares:
        yield (
            "registered shares and the day's change must be the holding, were "
            f"{registered} and {position.quantity_shares} shares"
        )
    frozen = books.reservations.shares_of(instrument)
    today_shares = unlocked_shares(position.lots, trade_date=books.trade_date)
    if frozen.total_shares - frozen.next_day_shares > today_shares:
        yield f"today's sells must freeze at most {today_shares} shares, freeze {frozen}"
    tomorrow_shares = unlocked_shares(position.lots, trade_date=books.trade_date + 1)
    if frozen.total_shares > tomorrow_shares:
        yield f"sells must freeze at most {tomorrow_shares} shares, freeze {frozen}"
