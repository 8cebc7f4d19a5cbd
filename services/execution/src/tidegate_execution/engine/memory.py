"""All that the execution engine remembers, and how it is written down."""

from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, cast

from tidegate_common.domain.enums import (
    Board,
    Exchange,
    OrderReason,
    OrderStatus,
    OrderType,
    Phase,
    Side,
    TimeInForce,
)
from tidegate_common.domain.ids import EXCHANGE_STEP
from tidegate_common.engine import EngineState, JsonDict
from tidegate_common.errors import InvariantError
from tidegate_common.events.orders import CancelOrder, SubmitOrder
from tidegate_execution.engine.admission import Listing
from tidegate_execution.engine.orders import OrderBook, WorkingOrder
from tidegate_execution.engine.quotes import UNSEEN, LastQuotes
from tidegate_execution.engine.reference import DayReference, DayVolumes, find_row
from tidegate_execution.engine.snapshots import BookMemory, TakenLevels

# A JSON object whose members have the types that `dump_memory` wrote.
_Values = dict[str, Any]

_ENUMS = {
    "side": Side,
    "order_type": OrderType,
    "time_in_force": TimeInForce,
    "status": OrderStatus,
    "reason": OrderReason,
    "board": Board,
}
_SUBMIT_FIELDS = SubmitOrder.__struct_fields__
_ORDER_FIELDS = tuple(field.name for field in fields(WorkingOrder) if field.name != "submit")
_REFERENCE_FIELDS = tuple(field.name for field in fields(DayReference))
_QUOTE_FIELDS = tuple(field.name for field in fields(LastQuotes))
_VOLUME_FIELDS = tuple(field.name for field in fields(DayVolumes))


@dataclass(slots=True)
class EngineMemory:
    """State of the engine between two beats.

    quotes : the last of each instrument today, one row as the reference data have them.
    submits, cancels : still on their way.
    open_shares : by instrument, what our orders got at the open of the day or of the last bar.
    books : by instrument, where orders work or displayed shares count as gone.
    has_intraday : whether the day had a TICK or BAR beat, so that its CLOSE bar is old news.
    """

    reference: DayReference = field(default_factory=DayReference.empty)
    volumes: DayVolumes = field(default_factory=DayVolumes.empty)
    quotes: LastQuotes = field(default_factory=lambda: LastQuotes.unseen(0))
    orders: OrderBook = field(default_factory=OrderBook)
    submits: list[SubmitOrder] = field(default_factory=list)
    cancels: list[CancelOrder] = field(default_factory=list)
    books: dict[int, BookMemory] = field(default_factory=dict)
    open_shares: dict[int, int] = field(default_factory=dict)
    has_intraday: bool = False

    def begin_day(self, reference: DayReference) -> None:
        """Forget the day before: reference data, quotes, books, fills at the open."""
        self.reference = reference
        self.quotes = LastQuotes.unseen(len(reference.instrument))
        self.books = {}
        self.open_shares = {}
        self.has_intraday = False

    def listing(self, instrument: int, trade_date: int) -> Listing | None:
        """Return what an order in an instrument finds on arrival, None where nobody knows it."""
        reference, quotes = self.reference, self.quotes
        row = find_row(reference.instrument, instrument)
        if row is None:
            return None
        return Listing(
            exchange=Exchange(instrument // EXCHANGE_STEP),
            board=Board(reference.board[row]),
            trade_date=trade_date,
            is_suspended=bool(reference.is_suspended[row]),
            limits=reference.limits_at(row),
            phase=_phase(int(quotes.phase[row])),
            bid_e4=int(quotes.bid_e4[row]),
            ask_e4=int(quotes.ask_e4[row]),
            last_e4=int(quotes.last_e4[row]),
            prev_close_e4=int(reference.prev_close_e4[row]),
        )

    def phase_of(self, instrument: int) -> Phase | None:
        """Return the phase of the last quote of a known instrument, None before the first."""
        row = find_row(self.reference.instrument, instrument)
        assert row is not None, "orders in unknown instruments are not admitted"
        return _phase(int(self.quotes.phase[row]))


def _phase(number: int) -> Phase | None:
    return None if number == UNSEEN else Phase(number)


def dump_memory(memory: EngineMemory) -> EngineState:
    """Return a memory as values and arrays; equal memories give equal states."""
    values: JsonDict = {
        "has_intraday": memory.has_intraday,
        "open_shares": [list(pair) for pair in sorted(memory.open_shares.items())],
        "books": [_dump_book(number, memory.books[number]) for number in sorted(memory.books)],
        "orders": [_dump_order(order) for order in memory.orders],
        "submits": [_dump_command(submit) for submit in memory.submits],
        "cancels": [_dump_command(cancel) for cancel in memory.cancels],
    }
    arrays = {f"reference_{name}": getattr(memory.reference, name) for name in _REFERENCE_FIELDS}
    arrays |= {f"volumes_{name}": getattr(memory.volumes, name) for name in _VOLUME_FIELDS}
    arrays |= {f"quotes_{name}": getattr(memory.quotes, name) for name in _QUOTE_FIELDS}
    return EngineState(values, arrays)


def load_memory(state: EngineState) -> EngineMemory:
    """Return the memory that `dump_memory` wrote down.

    Raises
    ------
    InvariantError
        If it is not such a state.
    """
    values, arrays = cast("_Values", state.values), cast("_Values", state.arrays)
    try:
        memory = EngineMemory(
            reference=DayReference(*(arrays[f"reference_{name}"] for name in _REFERENCE_FIELDS)),
            volumes=DayVolumes(*(arrays[f"volumes_{name}"] for name in _VOLUME_FIELDS)),
            quotes=LastQuotes(*(arrays[f"quotes_{name}"] for name in _QUOTE_FIELDS)),
            submits=[_load_submit(submit) for submit in values["submits"]],
            cancels=[CancelOrder(**cancel) for cancel in values["cancels"]],
            books={book["instrument"]: _load_book(book) for book in values["books"]},
            open_shares=dict(values["open_shares"]),
            has_intraday=values["has_intraday"],
        )
        for order in values["orders"]:
            memory.orders.add(_load_order(order))
    except (KeyError, TypeError, ValueError) as error:
        message = f"expected a memory of the execution engine, found: {error!r}"
        raise InvariantError(message) from error
    return memory


def _dump_order(order: WorkingOrder) -> JsonDict:
    return _dump_command(order.submit) | {
        name: _plain(getattr(order, name)) for name in _ORDER_FIELDS
    }


def _dump_command(command: SubmitOrder | CancelOrder) -> JsonDict:
    return {name: _plain(getattr(command, name)) for name in command.__struct_fields__}


def _plain(value: Any) -> Any:  # noqa: ANN401  # whatever a field of an order holds
    """Return a member of an enum as the text or number that JSON gives back."""
    return value.value if isinstance(value, Enum) else value


def _load_order(values: _Values) -> WorkingOrder:
    members = {name: _ENUMS.get(name, _same)(values[name]) for name in _ORDER_FIELDS}
    return WorkingOrder(_load_submit(values), **members)


def _load_submit(values: _Values) -> SubmitOrder:
    return SubmitOrder(
        **{name: _ENUMS.get(name, _same)(values[name]) for name in _SUBMIT_FIELDS},
    )


def _same(value: Any) -> Any:  # noqa: ANN401  # whatever a field of an order holds
    return value


def _dump_book(instrument: int, book: BookMemory) -> JsonDict:
    return {
        "instrument": instrument,
        "taken_bids": _dump_taken(book.taken_bids),
        "taken_asks": _dump_taken(book.taken_asks),
    }


def _load_book(values: _Values) -> BookMemory:
    return BookMemory(
        _load_taken(values["taken_bids"]),
        _load_taken(values["taken_asks"]),
    )


def _dump_taken(taken: TakenLevels) -> list[list[int]]:
    return [[price_e4, *shares] for price_e4, shares in sorted(taken.by_price.items())]


def _load_taken(rows: list[tuple[int, int, int]]) -> TakenLevels:
    return TakenLevels({price_e4: (displayed, gone) for price_e4, displayed, gone in rows})
