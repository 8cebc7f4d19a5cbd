"""Books as JSON-ready values, and back; the round trip is exact."""

from dataclasses import astuple
from typing import TypedDict, cast

from tidegate_common.domain.enums import Side
from tidegate_common.domain.ids import AccountId, OrderId
from tidegate_common.engine import JsonDict
from tidegate_common.ledger.books import Books, Position, Receivable
from tidegate_common.ledger.lots import Lot
from tidegate_common.ledger.reservations import Reservation, Reservations
from tidegate_common.ledger.taxation import Dividend, TaxLot
from tidegate_common.ledger.values import Values
from tidegate_common.market.fees import Fees

_Row = list[int]

_NUMBERS = (
    "initial_fen",
    "trade_date",
    "cash_fen",
    "opening_nav_fen",
    "high_water_fen",
    "realised_pnl_fen",
    "dividends_fen",
    "tax_payable_fen",
    "tax_paid_fen",
    "day_proceeds_fen",
)


class _TaxLotDump(TypedDict):
    acquired: int
    quantity_shares: int
    dividends: list[_Row]


class _PositionDump(TypedDict):
    instrument: int
    day_change_shares: int
    traded_on: int
    acted_on: int
    lots: list[_Row]
    tax_lots: list[_TaxLotDump]


class _ReservationDump(TypedDict):
    order_id: OrderId
    instrument: int
    side: str
    quantity_shares: int
    cash_fen: int
    is_for_next_day: bool
    has_same_day_resale: bool


class _Dump(TypedDict):
    account_id: AccountId
    numbers: dict[str, int]
    fees: _Row
    receivables: list[_Row]
    positions: list[_PositionDump]
    reservations: list[_ReservationDump]
    marks_e4: list[_Row]
    unmarked: _Row


def dump_books(books: Books) -> JsonDict:
    """Return all that the books hold, in the order in which they hold it."""
    values = books.values
    dump: _Dump = {
        "account_id": books.account_id,
        "numbers": {name: getattr(books, name) for name in _NUMBERS},
        "fees": list(astuple(books.fees)),
        "receivables": [list(astuple(receivable)) for receivable in books.receivables],
        "positions": [_dump_position(*item) for item in books.positions.items()],
        "reservations": [_dump_reservation(each) for each in books.reservations],
        "marks_e4": [
            [instrument, values.mark_of(instrument)] for instrument in values.instruments.tolist()
        ],
        "unmarked": sorted(values.unmarked),
    }
    return cast("JsonDict", dump)


def load_books(values: JsonDict) -> Books:
    """Return the books that `dump_books` wrote down."""
    dump = cast("_Dump", values)
    positions = {each["instrument"]: _load_position(each) for each in dump["positions"]}
    for position in positions.values():
        position.count(dump["numbers"]["trade_date"])
    reservations = Reservations()
    for each in dump["reservations"]:
        reservations.add(_load_reservation(each))
    marked = Values()
    for instrument, mark_e4 in dump["marks_e4"]:
        quantity_shares = positions[instrument].quantity_shares
        marked.put(instrument, quantity_shares=quantity_shares, mark_e4=mark_e4)
    marked.unmarked = set(dump["unmarked"])
    return Books(
        account_id=dump["account_id"],
        **dump["numbers"],
        fees=Fees(*dump["fees"]),
        receivables=[Receivable(*each) for each in dump["receivables"]],
        positions=positions,
        reservations=reservations,
        values=marked,
    )


def _dump_position(instrument: int, position: Position) -> _PositionDump:
    return {
        "instrument": instrument,
        "day_change_shares": position.day_change_shares,
        "traded_on": position.traded_on,
        "acted_on": position.acted_on,
        "lots": [list(astuple(lot)) for lot in position.lots],
        "tax_lots": [
            {
                "acquired": lot.acquired,
                "quantity_shares": lot.quantity_shares,
                "dividends": [list(astuple(dividend)) for dividend in lot.dividends],
            }
            for lot in position.tax_lots
        ],
    }


def _load_position(dump: _PositionDump) -> Position:
    return Position(
        lots=[Lot(*lot) for lot in dump["lots"]],
        tax_lots=[
            TaxLot(
                lot["acquired"],
                lot["quantity_shares"],
                tuple(Dividend(*dividend) for dividend in lot["dividends"]),
            )
            for lot in dump["tax_lots"]
        ],
        day_change_shares=dump["day_change_shares"],
        traded_on=dump["traded_on"],
        acted_on=dump["acted_on"],
    )


def _dump_reservation(reservation: Reservation) -> _ReservationDump:
    return {
        "order_id": reservation.order_id,
        "instrument": reservation.instrument,
        "side": reservation.side.value,
        "quantity_shares": reservation.quantity_shares,
        "cash_fen": reservation.cash_fen,
        "is_for_next_day": reservation.is_for_next_day,
        "has_same_day_resale": reservation.has_same_day_resale,
    }


def _load_reservation(dump: _ReservationDump) -> Reservation:
    return Reservation(
        order_id=dump["order_id"],
        instrument=dump["instrument"],
        side=Side(dump["side"]),
        quantity_shares=dump["quantity_shares"],
        cash_fen=dump["cash_fen"],
        is_for_next_day=dump["is_for_next_day"],
        has_same_day_resale=dump["has_same_day_resale"],
    )
