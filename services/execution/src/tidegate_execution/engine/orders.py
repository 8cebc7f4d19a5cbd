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

    limit_e4 : worst price that it may trade at: its limit price, or the day's price limit for a
        market order.
    board : of its instrument, as the day's reference data say; fees depend on it.
    amount_fen : turnover of its fills.
    is_placed : whether it has met a continuous book, and stands in the queue at its price.
    ahead_shares : shares before it in the queue; None while its price is beyond the five levels,
        so that nobody can tell.
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
        return submit.order_type is OrderType.MARKET or submit.time_in_force is TimeInForce.IOC

    def accepts(self, price_e4: int) -> bool:
        """Tell whether it may trade at a price."""
        return price_e4 <= self.limit_e4 if self.is_buy else price_e4 >= self.limit_e4

    def apply(self, event: OrderEvent) -> None:
        """Move to the state after an event."""
        self.status = next_status(self.status, event)


@dataclass(slots=True)
class InstrumentOrders:
    """Working orders of one instrument, each side in priority order."""

    buys: list[WorkingOrder] = field(default_factory=list)
    sells: list[WorkingOrder] = field(default_factory=list)

    def side_of(self, order: WorkingOrder) -> list[WorkingOrder]:
        """Return the side that an order stands on."""
        return self.buys if order.is_buy else self.sells

    def __iter__(self) -> Iterator[WorkingOrder]:
        """Yield the buys, then the sells: where both share a cap, buys go first."""
        yield from self.buys
        yield from self.sells


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
        insort(orders.side_of(order), order, key=priority)

    def remove(self, order: WorkingOrder) -> None:
        """Forget an order that is kept."""
        submit = order.submit
        del self._by_id[submit.order_id]
        orders = self._by_instrument[submit.instrument]
        side = orders.side_of(order)
        # A list compares by value, which is slow and could meet an equal order.
        del side[next(at for at, kept in enumerate(side) if kept is order)]
        if not orders.buys and not orders.sells:
            del self._by_instrument[submit.instrument]


def priority(order: WorkingOrder) -> Priority:
    """Return the key by which the orders of one side are sorted."""
    submit = order.submit
    price = -order.limit_e4 if order.is_buy else order.limit_e4
    return (price, submit.beat, submit.account_id, submit.sequence)
