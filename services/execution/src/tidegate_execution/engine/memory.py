"""All that the execution engine remembers, and how it is written down."""

from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, cast

from tidegate_common.domain.enums import (
    Board,
    OrderReason,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from tidegate_common.engine import EngineState, JsonDict
from tidegate_common.errors import InvariantError
from tidegate_common.events.orders import SubmitOrder
from tidegate_execution.engine.orders import OrderBook, WorkingOrder
from tidegate_execution.engine.reference import DayReference, DayVolumes
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
_VOLUME_FIELDS = tuple(field.name for field in fields(DayVolumes))


@dataclass(slots=True)
class EngineMemory:
    """State of the engine between two beats.

    open_shares : by instrument, what our orders got at today's opening price.
    books : by instrument, where orders work or displayed shares count as gone.
    has_intraday : whether the day had a TICK or BAR beat, so that its CLOSE bar is old news.
    """

    reference: DayReference = field(default_factory=DayReference.empty)
    volumes: DayVolumes = field(default_factory=DayVolumes.empty)
    orders: OrderBook = field(default_factory=OrderBook)
    books: dict[int, BookMemory] = field(default_factory=dict)
    open_shares: dict[int, int] = field(default_factory=dict)
    has_intraday: bool = False

    def begin_day(self, reference: DayReference) -> None:
        """Forget the day before: its reference data, its books, its fills at the open."""
        self.reference = reference
        self.books = {}
        self.open_shares = {}
        self.has_intraday = False


def dump_memory(memory: EngineMemory) -> EngineState:
    """Return a memory as values and arrays; equal memories give equal states."""
    values: JsonDict = {
        "has_intraday": memory.has_intraday,
        "open_shares": [list(pair) for pair in sorted(memory.open_shares.items())],
        "books": [_dump_book(number, memory.books[number]) for number in sorted(memory.books)],
        "orders": [_dump_order(order) for order in memory.orders],
    }
    arrays = {f"reference_{name}": getattr(memory.reference, name) for name in _REFERENCE_FIELDS}
    arrays |= {f"volumes_{name}": getattr(memory.volumes, name) for name in _VOLUME_FIELDS}
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
    values: JsonDict = {name: getattr(order.submit, name) for name in _SUBMIT_FIELDS}
    values |= {name: getattr(order, name) for name in _ORDER_FIELDS}
    # As plain text and numbers, which is what JSON gives back.
    return {
        name: value.value if isinstance(value, Enum) else value for name, value in values.items()
    }


def _load_order(values: _Values) -> WorkingOrder:
    members = values | {name: enum(values[name]) for name, enum in _ENUMS.items()}
    submit = SubmitOrder(**{name: members[name] for name in _SUBMIT_FIELDS})
    return WorkingOrder(submit, **{name: members[name] for name in _ORDER_FIELDS})


def _dump_book(instrument: int, book: BookMemory) -> JsonDict:
    return {
        "instrument": instrument,
        "volume_shares": book.volume_shares,
        "taken_bids": _dump_taken(book.taken_bids),
        "taken_asks": _dump_taken(book.taken_asks),
    }


def _load_book(values: _Values) -> BookMemory:
    return BookMemory(
        values["volume_shares"],
        _load_taken(values["taken_bids"]),
        _load_taken(values["taken_asks"]),
    )


def _dump_taken(taken: TakenLevels) -> list[list[int]]:
    return [[price_e4, *shares] for price_e4, shares in sorted(taken.by_price.items())]


def _load_taken(rows: list[tuple[int, int, int]]) -> TakenLevels:
    return TakenLevels({price_e4: (displayed, gone) for price_e4, displayed, gone in rows})
