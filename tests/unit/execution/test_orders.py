"""States of orders."""

from itertools import product

import pytest

from tidegate_common.domain.enums import OrderStatus, OrderType, Side, TimeInForce
from tidegate_common.domain.ids import AccountId, DecisionId, OrderId
from tidegate_common.errors import InvariantError
from tidegate_common.events.orders import SubmitOrder
from tidegate_execution.engine.orders import OrderEvent, is_immediate, next_status

# Spelled out once more, so that the table is not its own witness.
WORKING_MOVES = {
    OrderEvent.FILL_PART: OrderStatus.PARTIALLY_FILLED,
    OrderEvent.FILL_REST: OrderStatus.FILLED,
    OrderEvent.CANCEL: OrderStatus.CANCELED,
    OrderEvent.EXPIRE: OrderStatus.EXPIRED,
}
EXPECTED = {
    OrderStatus.PENDING_NEW: {
        OrderEvent.ACCEPT: OrderStatus.NEW,
        OrderEvent.REJECT: OrderStatus.REJECTED,
    },
    OrderStatus.NEW: WORKING_MOVES,
    OrderStatus.PARTIALLY_FILLED: WORKING_MOVES,
}


@pytest.mark.parametrize(("status", "event"), list(product(OrderStatus, OrderEvent)))
def test_order_in_any_state_on_any_event_moves_as_fix_says_or_fails(
    status: OrderStatus,
    event: OrderEvent,
) -> None:
    """A state machine is right only if all of its table is."""
    expected = EXPECTED.get(status, {}).get(event)

    if expected is None:
        with pytest.raises(InvariantError, match=f"is {status} allows .*, was told {event}"):
            next_status(status, event)
    else:
        assert next_status(status, event) is expected


@pytest.mark.parametrize("status", OrderStatus)
def test_order_in_a_terminal_state_allows_nothing(status: OrderStatus) -> None:
    """What the enum calls terminal must have no way out, and the rest must have one."""
    assert status.is_terminal == (status not in EXPECTED)


@pytest.mark.parametrize(
    ("order_type", "time_in_force", "expected"),
    [
        (OrderType.LIMIT, TimeInForce.DAY, False),
        (OrderType.LIMIT, TimeInForce.IOC, True),
        (OrderType.MARKET, TimeInForce.DAY, True),
        (OrderType.MARKET, TimeInForce.IOC, True),
    ],
)
def test_order_is_immediate_if_market_or_ioc(
    order_type: OrderType,
    time_in_force: TimeInForce,
    *,
    expected: bool,
) -> None:
    """A market order never rests, whatever its time in force says."""
    submit = SubmitOrder(
        order_id=OrderId("run.0.a.0"),
        decision_id=DecisionId("run.0.a.0"),
        beat=0,
        account_id=AccountId("a"),
        sequence=0,
        instrument=1600519,
        side=Side.BUY,
        order_type=order_type,
        time_in_force=time_in_force,
        price_e4=100_000,
        quantity_shares=100,
        ts_event_ns=0,
    )

    assert is_immediate(submit) is expected
