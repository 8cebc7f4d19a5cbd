"""Orders at the exchange: their states, their priority, and where they are kept.

States follow FIX 4.4 (appendix D, tag 39), as far as a simulated exchange needs them:

    PENDING_NEW ── accept ──► NEW ── fill part ──► PARTIALLY_FILLED ──┐ fill part
         │                     │                     │      ▲────────┘
       reject                  └──── fill rest, cancel, expire ─────► FILLED, CANCELED, EXPIRED
         ▼
      REJECTED

Priority on one side of an instrument is price, then time, and time is (beat, account, sequence):
the order of an earlier beat goes first, and orders of one beat go by account and sequence,
whichever risk partition sent them.
"""

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum, unique

from tidegate_common.domain.enums import (
    Board,
    OrderReason,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from tidegate_common.domain.ids import OrderId
from tidegate_common.errors import InvariantError
from tidegate_common.events.orders import SubmitOrder

# Price, beat, account, sequence; the smallest goes first.
Priority = tuple[int, int, str, int]


@unique
class OrderEvent(StrEnum):
    """What can happen to an order."""

    ACCEPT = "accept"
    REJECT = "reject"
    FILL_PART = "fill_part"
    FILL_REST = "fill_rest"
    CANCEL = "cancel"
    EXPIRE = "expire"


TRANSITIONS: dict[tuple[OrderStatus, OrderEvent], OrderStatus] = {
    (OrderStatus.PENDING_NEW, OrderEvent.ACCEPT): OrderStatus.NEW,
    (OrderStatus.PENDING_NEW, OrderEvent.REJECT): OrderStatus.REJECTED,
    (OrderStatus.NEW, OrderEvent.FILL_PART): OrderStatus.PARTIALLY_FILLED,
    (OrderStatus.NEW, OrderEvent.FILL_REST): OrderStatus.FILLED,
    (OrderStatus.NEW, OrderEvent.CANCEL): OrderStatus.CANCELED,
    (OrderStatus.NEW, OrderEvent.EXPIRE): OrderStatus.EXPIRED,
    (OrderStatus.PARTIALLY_FILLED, OrderEvent.FILL_PART): OrderStatus.PARTIALLY_FILLED,
    (OrderStatus.PARTIALLY_FILLED, OrderEvent.FILL_REST): OrderStatus.FILLED,
    (OrderStatus.PARTIALLY_FILLED, OrderEvent.CANCEL): OrderStatus.CANCELED,
    (OrderStatus.PARTIALLY_FILLED, OrderEvent.EXPIRE): OrderStatus.EXPIRED,
}


def next_status(status: OrderStatus, event: OrderEvent) -> OrderStatus:
    """Return the state after an event.

    Raises
    ------
    InvariantError
        If the event cannot happen in the state.
    """
    try:
        return TRANSITIONS[status, event]
    except KeyError:
        possible = ", ".join(known for state, known in TRANSITIONS if state is status) or "nothing"
        message = f"an order that is {status} allows {possible}, was told {event}"
        raise InvariantError(message) from None


@dataclass(slots=True)
class WorkingOrder:
    """An order and what became of it so far.

    limit_e4 : worst price that it may trade at: its limit price, or for a market order the day's
        price limit, until it has taken a price of the book for its own.
    board : of its instrument, as the day's reference data say; fees depend on it.
    amount_fen : turnover of its fills.
    is_placed : whether it has met a book or an auction, and so is not new to the next one.
    ahead_shares : shares before it in the queue; None while its price is beyond the five levels
        or in an auction, so that nobody can tell.
    shown_shares : what the book showed at its price last; None as above.
    """

    submit: SubmitOrder
    limit_e4: int
    board: Board = Board.UNKNOWN
    status: OrderStatus = OrderStatus.PENDING_NEW
    reason: OrderReason = OrderReason.NONE
    filled_shares: int = 0
    amount_fen: int = 0
    fill_count: int = 0
    is_placed: bool = False
    ahead_shares: int | None = None
    shown_shares: int | None = None

    @property
    def leaves_shares(self) -> int:
        """Shares that still want a fill, whatever the state."""
        return self.submit.quantity_shares - self.filled_shares

    @property
    def is_buy(self) -> bool:
        """Whether it buys."""
        return self.submit.side is Side.BUY

    @property
    def rank(self) -> tuple[str, int, int]:
        """Account, beat and sequence: the order in which orders are reported."""
        return (self.submit.account_id, self.submit.beat, self.submit.sequence)

    @property
    def is_immediate(self) -> bool:
        """Whether what does not fill at the first try is cancelled."""
        submit = self.submit
        is_day = submit.time_in_force is TimeInForce.DAY
        return submit.order_type is OrderType.MARKET or not is_day

    @property
    def is_fill_or_kill(self) -> bool:
        """Whether it fills at the first try as a whole or not at all."""
        return self.submit.time_in_force is TimeInForce.FOK

    def accepts(self, price_e4: int) -> bool:
        """Tell whether it may trade at a price."""
        return price_e4 <= self.limit_e4 if self.is_buy else price_e4 >= self.limit_e4

    def is_better_than(self, price_e4: int) -> bool:
        """Tell whether it would trade at a price worse for it than this one."""
        return self.limit_e4 != price_e4 and self.accepts(price_e4)

    def apply(self, event: OrderEvent) -> None:
        """Move to the state after an event."""
        self.status = next_status(self.status, event)


@dataclass(slots=True)
class InstrumentOrders:
    """Working orders of one instrument, each side in priority order.

    fixed_price : those of after-hours trading, both sides, in order of time.
    """

    buys: list[WorkingOrder] = field(default_factory=list)
    sells: list[WorkingOrder] = field(default_factory=list)
    fixed_price: list[WorkingOrder] = field(default_factory=list)

    def queue_of(self, order: WorkingOrder) -> list[WorkingOrder]:
        """Return the queue that an order stands in."""
        if order.submit.order_type is OrderType.FIXED_PRICE:
            return self.fixed_price
        return self.buys if order.is_buy else self.sells

    def ordinary(self) -> Iterator[WorkingOrder]:
        """Yield the buys, then the sells: where both share a cap, buys go first."""
        yield from self.buys
        yield from self.sells

    def sort(self) -> None:
        """Put orders that took another price at their places."""
        self.buys.sort(key=priority)
        self.sells.sort(key=priority)

    def __iter__(self) -> Iterator[WorkingOrder]:
        """Yield all orders."""
        yield from self.ordinary()
        yield from self.fixed_price

    def __bool__(self) -> bool:
        """Tell whether there is an order."""
        return bool(self.buys or self.sells or self.fixed_price)


class OrderBook:
    """All working orders by id and by instrument."""

    def __init__(self) -> None:
        self._by_id: dict[OrderId, WorkingOrder] = {}
        self._by_instrument: dict[int, InstrumentOrders] = {}

    def __contains__(self, instrument: int) -> bool:
        """Tell whether an instrument has working orders."""
        return instrument in self._by_instrument

    def __iter__(self) -> Iterator[WorkingOrder]:
        """Yield every order, by instrument, side and priority."""
        for instrument in self.instruments():
            yield from self._by_instrument[instrument]

    def instruments(self) -> list[int]:
        """Return the instruments that have working orders, sorted."""
        return sorted(self._by_instrument)

    def at(self, instrument: int) -> InstrumentOrders:
        """Return the orders of an instrument, possibly none."""
        return self._by_instrument.get(instrument) or InstrumentOrders()

    def find(self, order_id: OrderId) -> WorkingOrder | None:
        """Return a working order, None if there is no such one."""
        return self._by_id.get(order_id)

    def add(self, order: WorkingOrder) -> None:
        """Keep an order at its place in the priority.

        Raises
        ------
        InvariantError
            If an order with its id is kept already.
        """
        submit = order.submit
        if submit.order_id in self._by_id:
            message = f"an order id must be new, was {submit.order_id} a second time"
            raise InvariantError(message)
        self._by_id[submit.order_id] = order
        orders = self._by_instrument.setdefault(submit.instrument, InstrumentOrders())
        insort(orders.queue_of(order), order, key=priority)

    def remove(self, order: WorkingOrder) -> None:
        """Forget an order that is kept."""
        submit = order.submit
        del self._by_id[submit.order_id]
        orders = self._by_instrument[submit.instrument]
        queue = orders.queue_of(order)
        # A list compares by value, which is slow and could meet an equal order.
        del queue[next(at for at, kept in enumerate(queue) if kept is order)]
        if not orders:
            del self._by_instrument[submit.instrument]


def priority(order: WorkingOrder) -> Priority:
    """Return the key by which the orders of one queue are sorted; after hours price is nothing."""
    submit = order.submit
    if submit.order_type is OrderType.FIXED_PRICE:
        price = 0
    else:
        price = -order.limit_e4 if order.is_buy else order.limit_e4
    return (price, submit.beat, submit.account_id, submit.sequence)
