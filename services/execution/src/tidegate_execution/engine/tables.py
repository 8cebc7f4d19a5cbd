"""Working orders by id, and the rows in which the kernels find them and the day's instruments."""

from bisect import bisect_left
from collections.abc import Iterator

import numpy as np

from tidegate_common.domain.enums import (
    LimitState,
    OrderReason,
    OrderType,
    QueueCancels,
    Side,
    TimeInForce,
)
from tidegate_common.domain.ids import OrderId
from tidegate_common.domain.units import Int64Array
from tidegate_common.errors import InvariantError
from tidegate_common.events.run import ExecutionSpec
from tidegate_common.frames.rows import LEVELS
from tidegate_execution.engine import layout
from tidegate_execution.engine.kernels import place, withdraw
from tidegate_execution.engine.layout import Tables
from tidegate_execution.engine.orders import WorkingOrder, is_immediate
from tidegate_execution.engine.reference import DayReference

_CAPACITY = 64


class OrderTables:
    """All working orders, and the instruments of the day.

    orders : (m, ORDER_COLUMNS) int64, rows of working orders, and of none.
    listings : (n, LISTING_COLUMNS) int64, as the day's reference data have them.
    taken : (k, TAKEN_COLUMNS) int64.
    tally : (TALLY_COLUMNS,) int64.
    """

    def __init__(self) -> None:
        self.orders = np.zeros((_CAPACITY, layout.ORDER_COLUMNS), np.int64)
        self.taken = np.zeros((_CAPACITY, layout.TAKEN_COLUMNS), np.int64)
        self.tally = np.zeros(layout.TALLY_COLUMNS, np.int64)
        self._make_outputs()
        self._book = np.zeros((2, layout.BOOK_COLUMNS), np.int64)
        self._quote = np.zeros(layout.QUOTE_COLUMNS, np.int64)
        self._records: list[WorkingOrder | None] = [None] * _CAPACITY
        self._free = list(range(_CAPACITY))
        self._by_id: dict[OrderId, WorkingOrder] = {}
        # Sorted, so that a name's place compares as the name does.
        self._accounts: list[str] = []
        self.begin_day(DayReference.empty())

    def __len__(self) -> int:
        """Return the number of working orders."""
        return len(self._by_id)

    def __iter__(self) -> Iterator[WorkingOrder]:
        """Yield every order, by instrument, side and priority; after-hours orders last."""
        following = self.orders[:, layout.NEXT].tolist()
        queues = slice(layout.FIRST_ORDER, layout.FIRST_TAKEN)
        for first in self.listings[:, queues].ravel().tolist():
            slot = first
            while slot != layout.NOBODY:
                yield self.at(slot)
                slot = following[slot]

    def begin_day(self, reference: DayReference) -> None:
        """Take the instruments of a day; no order works, no quote was seen, nothing was taken."""
        assert not self._by_id, "orders end with their day"
        self.listings = _listings(reference)
        self.tally[:] = 0
        self.tally[layout.TAKEN_FREE] = layout.NOBODY

    def at(self, slot: int) -> WorkingOrder:
        """Return the working order in a row."""
        order = self._records[slot]
        assert order is not None, "a row in a queue is a working order's"
        return order

    def find(self, order_id: OrderId) -> WorkingOrder | None:
        """Return a working order, None if there is no such one."""
        return self._by_id.get(order_id)

    def add(self, order: WorkingOrder, limit_e4: int, *, listing: int, is_placed: bool) -> None:
        """Keep an order at its place in the priority.

        Parameters
        ----------
        limit_e4 : worst price that it may trade at.
        listing : row of its instrument.
        is_placed : whether it is in the book already, at a place that the next quote tells.

        Raises
        ------
        InvariantError
            If an order with its id is kept already.
        """
        submit = order.submit
        if submit.order_id in self._by_id:
            message = f"an order id must be new, was {submit.order_id} a second time"
            raise InvariantError(message)
        if not self._free:
            self._grow()
        slot = order.slot = self._free.pop()
        self._records[slot] = order
        self._by_id[submit.order_id] = order
        side = layout.BUY if submit.side is Side.BUY else layout.SELL
        is_fixed = submit.order_type is OrderType.FIXED_PRICE
        self.orders[slot] = (
            listing,
            layout.FIXED_PRICE_QUEUE if is_fixed else side,
            side,
            limit_e4,
            order.leaves_shares,
            layout.UNTOLD,
            layout.UNTOLD,
            is_placed,
            layout.KINDS.index(submit.order_type),
            is_immediate(submit),
            submit.time_in_force is TimeInForce.FOK,
            submit.beat,
            self._account_rank(submit.account_id),
            submit.sequence,
            layout.WORKING,
            layout.NOBODY,
        )
        place(self.orders, self.listings, slot)

    def remove(self, order: WorkingOrder) -> None:
        """Forget an order that works."""
        withdraw(self.orders, self.listings, order.slot)
        self._forget(order)

    def clear(self) -> list[WorkingOrder]:
        """Forget all orders and return them."""
        orders = list(self._by_id.values())
        self.listings[:, layout.FIRST_ORDER : layout.FIRST_TAKEN] = layout.NOBODY
        for order in orders:
            self._forget(order)
        self._accounts = []
        return orders

    def take(self, level: tuple[int, int, int], *, listing: int, side: int) -> None:
        """Remember what was taken of a side of an instrument, where nothing is remembered yet.

        Parameters
        ----------
        level : price, shares displayed there, and how many of them count as gone.
        """
        top = int(self.tally[layout.TAKEN_TOP])
        if top == len(self.taken):
            self.taken = np.concatenate([self.taken, np.zeros_like(self.taken)])
        first = layout.FIRST_TAKEN + side
        self.taken[top] = (*level, self.listings[listing, first])
        self.listings[listing, first] = top
        self.tally[layout.TAKEN_TOP] = top + 1

    def tables(self, spec: ExecutionSpec) -> Tables:
        """Return what the kernels work on, with room for whatever a beat may bring."""
        # An order takes at most every level of the other side.
        needed = LEVELS * len(self)
        top = int(self.tally[layout.TAKEN_TOP])
        if len(self.taken) - top < needed:
            taken = np.zeros((top + 2 * needed, layout.TAKEN_COLUMNS), np.int64)
            taken[:top] = self.taken[:top]
            self.taken = taken
        is_proportional = spec.queue_cancels is QueueCancels.PROPORTIONAL
        return Tables(
            orders=self.orders,
            listings=self.listings,
            taken=self.taken,
            fills=self._fills,
            ended=self._ended,
            tally=self.tally,
            book=self._book,
            quote=self._quote,
            rules=np.array([spec.participation_bps_max, is_proportional], np.int64),
        )

    def drain_fills(self) -> list[list[int]]:
        """Return the fills that the kernels wrote since the last time, rows of FILL_COLUMNS."""
        rows: list[list[int]] = self._fills[: self.tally[layout.FILLS]].tolist()
        self.tally[layout.FILLS] = 0
        return rows

    def drain_ended(self) -> list[tuple[WorkingOrder, OrderReason]]:
        """Return and forget the orders that the kernels ended; the reason is NONE if by a fill."""
        slots = self._ended[: self.tally[layout.ENDS]]
        self.tally[layout.ENDS] = 0
        codes = self.orders[slots, layout.END].tolist()
        reasons = [layout.END_REASONS[code] for code in codes]
        ended = list(zip(map(self.at, slots.tolist()), reasons, strict=True))
        for order, _ in ended:
            self._forget(order)
        return ended

    def _forget(self, order: WorkingOrder) -> None:
        del self._by_id[order.submit.order_id]
        self._records[order.slot] = None
        self._free.append(order.slot)

    def _account_rank(self, account_id: str) -> int:
        rank = bisect_left(self._accounts, account_id)
        if self._accounts[rank : rank + 1] != [account_id]:
            self._accounts.insert(rank, account_id)
            ranks = self.orders[:, layout.ACCOUNT]
            ranks += ranks >= rank
        return rank

    def _grow(self) -> None:
        count = len(self._records)
        self.orders = np.concatenate([self.orders, np.zeros_like(self.orders)])
        self._records += [None] * count
        self._free = list(range(count, 2 * count))
        self._make_outputs()

    def _make_outputs(self) -> None:
        """Make room for what can happen to them; pages that nobody writes cost nothing."""
        count = len(self.orders)
        self._fills = np.empty((count * layout.FILLS_MAX, layout.FILL_COLUMNS), np.int64)
        self._ended = np.empty(count, np.int64)


def _listings(reference: DayReference) -> Int64Array:
    rows = np.zeros((len(reference.instrument), layout.LISTING_COLUMNS), np.int64)
    is_limited = reference.limit_state == LimitState.LIMITED
    rows[:, layout.INSTRUMENT] = reference.instrument
    rows[:, layout.PHASE] = layout.UNSEEN
    rows[:, layout.LIMIT_DOWN] = np.where(is_limited, reference.limit_down_e4, 0)
    most_e4 = np.where(is_limited, reference.limit_up_e4, layout.PRICE_MAX_E4)
    rows[:, layout.LIMIT_UP] = np.minimum(most_e4, layout.PRICE_MAX_E4)
    rows[:, layout.FIRST_ORDER : layout.BOARD] = layout.NOBODY
    rows[:, layout.BOARD] = reference.board
    rows[:, layout.IS_SUSPENDED] = reference.is_suspended
    rows[:, layout.LIMIT_STATE] = reference.limit_state
    rows[:, layout.PREV_CLOSE] = reference.prev_close_e4
    return rows
