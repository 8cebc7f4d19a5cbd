"""States and priorities of orders."""

from itertools import product

import pytest

from tidegate_common.domain.enums import OrderStatus, OrderType, Side, TimeInForce
from tidegate_common.domain.ids import AccountId, DecisionId, OrderId
from tidegate_common.errors import InvariantError
from tidegate_common.events.orders import SubmitOrder
from tidegate_execution.engine.orders import OrderBook, OrderEvent, WorkingOrder, next_status

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


def make_order(
    *,
    account: str = "a",
    beat: int = 0,
    sequence: int = 0,
    price_e4: int = 100_000,
    side: Side = Side.BUY,
    instrument: int = 1600519,
    order_type: OrderType = OrderType.LIMIT,
    time_in_force: TimeInForce = TimeInForce.DAY,
) -> WorkingOrder:
    """Return an order that has not been accepted yet."""
    submit = SubmitOrder(
        order_id=OrderId(f"run.{beat}.{account}.{sequence}"),
        decision_id=DecisionId(f"run.{beat}.{account}.{sequence}"),
        beat=beat,
        account_id=AccountId(account),
        sequence=sequence,
        instrument=instrument,
        side=side,
        order_type=order_type,
        time_in_force=time_in_force,
        price_e4=price_e4,
        quantity_shares=100,
        ts_event_ns=0,
    )
    return WorkingOrder(submit, price_e4)


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


def test_order_book_sorts_buys_by_price_then_beat_then_account_then_sequence() -> None:
    """Price goes before time, and time is the beat before the account's name."""
    wanted = [
        make_order(account="z", beat=9, price_e4=100_100),
        make_order(account="b", beat=1, sequence=7),
        make_order(account="a", beat=2, sequence=0),
        make_order(account="a", beat=2, sequence=1),
        make_order(account="b", beat=2, sequence=0),
        make_order(account="a", beat=0, price_e4=99_900),
    ]
    book = OrderBook()

    for order in (wanted[4], wanted[1], wanted[5], wanted[0], wanted[3], wanted[2]):
        book.add(order)

    assert book.at(1600519).buys == wanted


def test_order_book_sorts_sells_with_the_lowest_price_first() -> None:
    """The better sell is the cheaper one."""
    cheap = make_order(side=Side.SELL, price_e4=99_900, sequence=1)
    dear = make_order(side=Side.SELL, price_e4=100_100)
    book = OrderBook()

    book.add(dear)
    book.add(cheap)

    assert book.at(1600519).sells == [cheap, dear]
    assert list(book) == [cheap, dear]


def test_order_book_on_a_second_order_of_one_id_fails() -> None:
    """Ids are unique by construction; a second one is our own fault."""
    book = OrderBook()
    book.add(make_order())

    with pytest.raises(InvariantError, match=r"must be new, was run\.0\.a\.0"):
        book.add(make_order())


def test_order_book_after_removals_forgets_order_and_instrument() -> None:
    """A book that kept empty instruments would grow for ever."""
    buy, sell = make_order(), make_order(sequence=1, side=Side.SELL)
    other = make_order(sequence=2, instrument=2000333)
    book = OrderBook()
    for order in (other, buy, sell):
        book.add(order)

    book.remove(buy)

    assert book.instruments() == [1600519, 2000333]
    assert book.find(buy.submit.order_id) is None

    book.remove(sell)

    assert book.instruments() == [2000333]
    assert 1600519 not in book
    assert list(book.at(1600519)) == []
    assert list(book) == [other]


def test_order_book_removes_the_very_order_among_others() -> None:
    """Orders of one side are told apart by identity."""
    first, second = make_order(), make_order(sequence=1)
    book = OrderBook()
    book.add(first)
    book.add(second)

    book.remove(second)

    assert book.at(1600519).buys == [first]


@pytest.mark.parametrize(
    ("order_type", "time_in_force", "is_immediate"),
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
    is_immediate: bool,
) -> None:
    """A market order never rests, whatever its time in force says."""
    order = make_order(order_type=order_type, time_in_force=time_in_force)

    assert order.is_immediate is is_immediate
