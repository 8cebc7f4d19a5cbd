"""All that the execution engine remembers, and how it is written down."""

from dataclasses import dataclass, field, fields
from enum import Enum
from itertools import count
from typing import Any, cast

import numpy as np

from tidegate_common.domain.enums import (
    Board,
    Exchange,
    LimitState,
    OrderReason,
    OrderStatus,
    OrderType,
    Phase,
    Side,
    TimeInForce,
)
from tidegate_common.domain.ids import EXCHANGE_STEP
from tidegate_common.domain.units import Int64Array
from tidegate_common.engine import EngineState, JsonDict
from tidegate_common.errors import InvariantError
from tidegate_common.events.orders import CancelOrder, SubmitOrder
from tidegate_execution.engine import layout
from tidegate_execution.engine.admission import Listing
from tidegate_execution.engine.orders import WorkingOrder
from tidegate_execution.engine.reference import DayReference, DayVolumes
from tidegate_execution.engine.tables import OrderTables

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
_RECORD_FIELDS = ("board", "status", "reason", "filled_shares", "amount_fen", "fill_count")
_REFERENCE_FIELDS = tuple(field.name for field in fields(DayReference))
_VOLUME_FIELDS = tuple(field.name for field in fields(DayVolumes))
_EXCHANGES = {int(exchange): exchange for exchange in Exchange}
_BOARDS = {int(board): board for board in Board}
_PHASES = {int(phase): phase for phase in Phase} | {layout.UNSEEN: None}
_NO_LIMITS = int(LimitState.UNKNOWN)
# Columns of the last quotes, as they are written down; the phase is a small number.
_QUOTE_COLUMNS = {
    "phase": layout.PHASE,
    "volume_shares": layout.VOLUME,
    "bid_e4": layout.BID,
    "ask_e4": layout.ASK,
    "last_e4": layout.LAST,
}


@dataclass(slots=True)
class EngineMemory:
    """State of the engine between two beats.

    orders : those that work, and of each instrument the last quote of the day, what our orders got
        at the last open, and the displayed shares that count as gone.
    submits, cancels : still on their way.
    has_intraday : whether the day had a TICK or BAR beat, so that its CLOSE bar is old news.
    rows : of the instruments with reference data, by instrument.
    """

    reference: DayReference = field(default_factory=DayReference.empty)
    volumes: DayVolumes = field(default_factory=DayVolumes.empty)
    orders: OrderTables = field(default_factory=OrderTables)
    submits: list[SubmitOrder] = field(default_factory=list)
    cancels: list[CancelOrder] = field(default_factory=list)
    has_intraday: bool = False
    rows: dict[int, int] = field(default_factory=dict)

    def begin_day(self, reference: DayReference) -> None:
        """Forget the day before: reference data, quotes, books, fills at the open."""
        self.reference = reference
        self.rows = dict(zip(reference.instrument.tolist(), count(), strict=False))
        self.orders.begin_day(reference)
        self.has_intraday = False

    def listing(self, row: int, trade_date: int) -> Listing:
        """Return what an order finds on arrival in the instrument of a row."""
        values = self.orders.listings[row].tolist()
        # Positional and by tables: every order that arrives asks.
        return Listing(
            _EXCHANGES[values[layout.INSTRUMENT] // EXCHANGE_STEP],
            _BOARDS[values[layout.BOARD]],
            trade_date,
            bool(values[layout.IS_SUSPENDED]),
            values[layout.LIMIT_STATE] != _NO_LIMITS,
            values[layout.LIMIT_DOWN],
            values[layout.LIMIT_UP],
            _PHASES[values[layout.PHASE]],
            values[layout.BID],
            values[layout.ASK],
            values[layout.LAST],
            values[layout.PREV_CLOSE],
        )

    def phase_of(self, instrument: int) -> Phase | None:
        """Return the phase of the last quote of a known instrument, None before the first."""
        return _PHASES[int(self.orders.listings[self.rows[instrument], layout.PHASE])]


def dump_memory(memory: EngineMemory) -> EngineState:
    """Return a memory as values and arrays; equal memories give equal states."""
    orders = memory.orders
    values: JsonDict = {
        "has_intraday": memory.has_intraday,
        "open_shares": _dump_open_shares(orders.listings),
        "books": _dump_books(orders),
        "orders": [_dump_order(order, orders.orders[order.slot].tolist()) for order in orders],
        "submits": [_dump_command(submit) for submit in memory.submits],
        "cancels": [_dump_command(cancel) for cancel in memory.cancels],
    }
    arrays = {f"reference_{name}": getattr(memory.reference, name) for name in _REFERENCE_FIELDS}
    arrays |= {f"volumes_{name}": getattr(memory.volumes, name) for name in _VOLUME_FIELDS}
    arrays |= {
        f"quotes_{name}": orders.listings[:, column].astype(_quote_type(name))
        for name, column in _QUOTE_COLUMNS.items()
    }
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
            volumes=DayVolumes(*(arrays[f"volumes_{name}"] for name in _VOLUME_FIELDS)),
            submits=[_load_submit(submit) for submit in values["submits"]],
            cancels=[CancelOrder(**cancel) for cancel in values["cancels"]],
        )
        memory.begin_day(
            DayReference(*(arrays[f"reference_{name}"] for name in _REFERENCE_FIELDS)),
        )
        memory.has_intraday = values["has_intraday"]
        listings = memory.orders.listings
        for name, column in _QUOTE_COLUMNS.items():
            listings[:, column] = arrays[f"quotes_{name}"]
        for instrument, shares in values["open_shares"]:
            listings[memory.rows[instrument], layout.OPEN_SHARES] = shares
        for book in values["books"]:
            _load_book(memory.orders, memory.rows[book["instrument"]], book)
        for order in values["orders"]:
            _load_order(memory, order)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        message = f"expected a memory of the execution engine, found: {error!r}"
        raise InvariantError(message) from error
    return memory


def _quote_type(name: str) -> type[np.unsignedinteger[Any] | np.signedinteger[Any]]:
    return np.uint8 if name == "phase" else np.int64


def _dump_open_shares(listings: Int64Array) -> list[list[int]]:
    columns = listings[:, [layout.INSTRUMENT, layout.OPEN_SHARES]]
    rows: list[list[int]] = columns[columns[:, 1] > 0].tolist()
    return rows


def _dump_order(order: WorkingOrder, row: list[int]) -> JsonDict:
    record = {name: _plain(getattr(order, name)) for name in _RECORD_FIELDS}
    place: JsonDict = {
        "limit_e4": row[layout.LIMIT],
        "is_placed": bool(row[layout.IS_PLACED]),
        "ahead_shares": _told(row[layout.AHEAD]),
        "shown_shares": _told(row[layout.SHOWN]),
    }
    return _dump_command(order.submit) | record | place


def _told(shares: int) -> int | None:
    return None if shares == layout.UNTOLD else shares


def _dump_command(command: SubmitOrder | CancelOrder) -> JsonDict:
    return {name: _plain(getattr(command, name)) for name in command.__struct_fields__}


def _plain(value: Any) -> Any:  # noqa: ANN401  # whatever a field of an order holds
    """Return a member of an enum as the text or number that JSON gives back."""
    return value.value if isinstance(value, Enum) else value


def _load_order(memory: EngineMemory, values: _Values) -> None:
    members = {name: _ENUMS.get(name, _same)(values[name]) for name in _RECORD_FIELDS}
    order = WorkingOrder(_load_submit(values), **members)
    memory.orders.add(
        order,
        values["limit_e4"],
        listing=memory.rows[order.submit.instrument],
        is_placed=values["is_placed"],
    )
    row = memory.orders.orders[order.slot]
    for column, shares in (
        (layout.AHEAD, values["ahead_shares"]),
        (layout.SHOWN, values["shown_shares"]),
    ):
        row[column] = layout.UNTOLD if shares is None else shares


def _load_submit(values: _Values) -> SubmitOrder:
    return SubmitOrder(
        **{name: _ENUMS.get(name, _same)(values[name]) for name in _SUBMIT_FIELDS},
    )


def _same(value: Any) -> Any:  # noqa: ANN401  # whatever a field of an order holds
    return value


def _dump_books(orders: OrderTables) -> list[JsonDict]:
    """Return what counts as gone, of instruments where something does."""
    firsts = orders.listings[:, layout.FIRST_TAKEN : layout.BOARD]
    at = np.flatnonzero((firsts != layout.NOBODY).any(axis=1))
    return [
        {
            "instrument": int(orders.listings[row, layout.INSTRUMENT]),
            "taken_bids": _dump_taken(orders.taken, int(firsts[row, layout.BUY])),
            "taken_asks": _dump_taken(orders.taken, int(firsts[row, layout.SELL])),
        }
        for row in at.tolist()
    ]


def _dump_taken(taken: Int64Array, row: int) -> list[list[int]]:
    """Return price, displayed and taken shares of the rows of a chain, by price."""
    levels = []
    while row != layout.NOBODY:
        *level, row = taken[row].tolist()
        levels.append(level)
    return sorted(levels)


def _load_book(orders: OrderTables, row: int, values: _Values) -> None:
    for side, levels in (
        (layout.BUY, values["taken_bids"]),
        (layout.SELL, values["taken_asks"]),
    ):
        for price_e4, displayed_shares, gone_shares in levels:
            orders.take((price_e4, displayed_shares, gone_shares), listing=row, side=side)
