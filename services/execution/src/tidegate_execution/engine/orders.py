"""Orders at the exchange: their states, and what became of each so far.

States follow FIX 4.4 (appendix D, tag 39), as far as a simulated exchange needs them:

    PENDING_NEW ── accept ──► NEW ── fill part ──► PARTIALLY_FILLED ──┐ fill part
         │                     │                     │      ▲────────┘
       reject                  └──── fill rest, cancel, expire ─────► FILLED, CANCELED, EXPIRED
         ▼
      REJECTED

Where an order stands at the exchange is in the rows of `tables.py`; here is what is told of it.
"""

from dataclasses import dataclass
from enum import StrEnum, unique

from tidegate_common.domain.enums import (
    Board,
    OrderReason,
    OrderStatus,
    OrderType,
    TimeInForce,
)
from tidegate_common.errors import InvariantError
from tidegate_common.events.orders import SubmitOrder


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

    board : of its instrument, as the day's reference data say; fees depend on it.
    amount_fen : turnover of its fills.
    slot : its row among the working orders.
    """

    submit: SubmitOrder
    board: Board = Board.UNKNOWN
    status: OrderStatus = OrderStatus.PENDING_NEW
    reason: OrderReason = OrderReason.NONE
    filled_shares: int = 0
    amount_fen: int = 0
    fill_count: int = 0
    slot: int = -1

    @property
    def leaves_shares(self) -> int:
        """Shares that still want a fill, whatever the state."""
        return self.submit.quantity_shares - self.filled_shares

    def apply(self, event: OrderEvent) -> None:
        """Move to the state after an event."""
        self.status = next_status(self.status, event)


def is_immediate(submit: SubmitOrder) -> bool:
    """Tell whether what does not fill at the first try is cancelled."""
    is_day = submit.time_in_force is TimeInForce.DAY
    return submit.order_type is OrderType.MARKET or not is_day
