"""What an operation must find in the books before it may change them."""

from datetime import date
from typing import NoReturn

from tidegate_common.domain.ids import OrderId
from tidegate_common.ledger.books import Books, Position
from tidegate_common.ledger.errors import LedgerError
from tidegate_common.ledger.reservations import Reservation
from tidegate_common.market.corporate_actions import CorporateAction
from tidegate_common.market.fees import Fees


def refuse(books: Books, message: str, *, cause: Exception | None = None) -> NoReturn:
    """Raise `LedgerError`, naming the account."""
    full = f"{message} (account_id={books.account_id})"
    raise LedgerError(full) from cause


def require_date(books: Books, trade_date: int) -> None:
    """Refuse what is no date."""
    year, rest = divmod(trade_date, 10_000)
    try:
        date(year, *divmod(rest, 100))
    except ValueError as error:
        message = f"trade_date must be a date as YYYYMMDD, was {trade_date}"
        refuse(books, message, cause=error)


def require_open(books: Books, order_id: OrderId) -> Reservation:
    """Return the reservation of an open order; refuse any other order."""
    reservation = books.reservations.get(order_id)
    if reservation is None:
        refuse(books, f"order_id must be of an open order, was {order_id!r}")
    return reservation


def require_sellable(books: Books, order: Reservation) -> None:
    """Refuse to freeze more shares than a new sell may."""
    sellable = books.sellable_shares(order.instrument, is_for_next_day=order.is_for_next_day)
    if order.quantity_shares > sellable:
        refuse(
            books,
            f"quantity_shares must be at most the {sellable} sellable shares, was "
            f"{order.quantity_shares} (order_id={order.order_id}, instrument={order.instrument})",
        )


def require_available(books: Books, cash_fen: int, what: str) -> None:
    """Refuse to take more cash than is available."""
    available_fen = max(0, books.available_fen)
    if cash_fen > available_fen:
        message = f"cash must be at most the {available_fen} fen available, was {cash_fen} ({what})"
        refuse(books, message)


def refuse_new(books: Books, reservation: Reservation) -> NoReturn:
    """Refuse an order that is open already, or that reserves nothing sensible."""
    name = f"order_id={reservation.order_id}, instrument={reservation.instrument}"
    if reservation.order_id in books.reservations.by_order:
        refuse(books, f"order_id must be new, is of an open order ({name})")
    refuse(
        books,
        "quantity_shares must be > 0 and cash_fen >= 0, were "
        f"{reservation.quantity_shares} shares and {reservation.cash_fen} fen ({name})",
    )


def require_fillable(books: Books, order: Reservation, quantity_shares: int) -> None:
    """Refuse a fill that the order cannot have today."""
    name = f"order_id={order.order_id}"
    if books.trade_date == 0:
        refuse(books, f"a fill must be on a trading day, none has begun ({name})")
    if order.is_for_next_day:
        refuse(books, f"a sell for the next day must fill on it, not today ({name})")
    if not 0 < quantity_shares <= order.quantity_shares:
        refuse(
            books,
            f"quantity_shares must be 1 to the order's {order.quantity_shares}, "
            f"was {quantity_shares} ({name})",
        )


def require_no_negative(books: Books, *, amount_fen: int, fees: Fees) -> None:
    """Refuse a fill that gives money for a purchase, or fees back."""
    items = (
        amount_fen,
        fees.commission_fen,
        fees.stamp_duty_fen,
        fees.transfer_fee_fen,
        fees.handling_fee_fen,
        fees.regulatory_fee_fen,
    )
    if min(items) < 0:
        refuse(books, f"amount_fen and each fee must be >= 0, were {items} fen")


def require_ex_date(books: Books, action: CorporateAction, position: Position) -> None:
    """Refuse an action on another day than its own, and after anything else of that day."""
    today = books.trade_date
    name = f"instrument={action.instrument}"
    if action.ex_date != today:
        refuse(books, f"ex_date must be the day {today}, was {action.ex_date} ({name})")
    if today in (position.traded_on, position.acted_on):
        refuse(books, f"an action must come before all else of {today}, did not ({name})")
