"""Working orders by id, and at their places in the queues."""

import numpy as np
import pytest

from tidegate_common.domain.enums import Board, OrderType, Side, TimeInForce
from tidegate_common.domain.ids import AccountId, DecisionId, OrderId
from tidegate_common.errors import InvariantError
from tidegate_common.events.orders import SubmitOrder
from tidegate_common.testing.builders import make_reference_rows
from tidegate_execution.engine.layout import BUY
from tidegate_execution.engine.orders import WorkingOrder
from tidegate_execution.engine.reference import DayReference
from tidegate_execution.engine.tables import OrderTables

LISTING, OTHER = 0, 1


@pytest.fixture
def tables() -> OrderTables:
    """Return the tables of a day with two instruments."""
    tables = OrderTables()
    tables.begin_day(DayReference.from_rows(make_reference_rows(2)))
    return tables


def make_order(
    *,
    account: str = "a",
    beat: int = 0,
    sequence: int = 0,
    price_e4: int = 100_000,
    side: Side = Side.BUY,
    order_type: OrderType = OrderType.LIMIT,
) -> WorkingOrder:
    """Return an order that no table keeps yet."""
    submit = SubmitOrder(
        order_id=OrderId(f"run.{beat}.{account}.{sequence}"),
        decision_id=DecisionId(f"run.{beat}.{account}.{sequence}"),
        beat=beat,
        account_id=AccountId(account),
        sequence=sequence,
        instrument=1600519,
        side=side,
        order_type=order_type,
        time_in_force=TimeInForce.DAY,
        price_e4=price_e4,
        quantity_shares=100,
        ts_event_ns=0,
    )
    return WorkingOrder(submit, Board.MAIN)


def add(tables: OrderTables, *orders: WorkingOrder, listing: int = LISTING) -> None:
    """Let orders work."""
    for order in orders:
        tables.add(order, order.submit.price_e4, listing=listing, is_placed=False)


def test_tables_sort_buys_by_price_then_beat_then_account_then_sequence(
    tables: OrderTables,
) -> None:
    """Price goes before time, and time is the beat before the account's name."""
    wanted = [
        make_order(account="z", beat=9, price_e4=100_100),
        make_order(account="b", beat=1, sequence=7),
        make_order(account="a", beat=2, sequence=0),
        make_order(account="a", beat=2, sequence=1),
        make_order(account="b", beat=2, sequence=0),
        make_order(account="a", beat=0, price_e4=99_900),
    ]

    add(tables, wanted[4], wanted[1], wanted[5], wanted[0], wanted[3], wanted[2])

    assert list(tables) == wanted


def test_tables_sort_sells_with_the_lowest_price_first(tables: OrderTables) -> None:
    """The better sell is the cheaper one."""
    cheap = make_order(side=Side.SELL, price_e4=99_900, sequence=1)
    dear = make_order(side=Side.SELL, price_e4=100_100)

    add(tables, dear, cheap)

    assert list(tables) == [cheap, dear]


def test_tables_sort_after_hours_orders_by_time_alone(tables: OrderTables) -> None:
    """Both sides and all prices trade at the close, one after the other."""
    dear = make_order(order_type=OrderType.FIXED_PRICE, price_e4=100_100, sequence=2)
    cheap = make_order(order_type=OrderType.FIXED_PRICE, price_e4=99_900, sequence=1)
    sell = make_order(order_type=OrderType.FIXED_PRICE, side=Side.SELL, beat=1)

    add(tables, sell, dear, cheap)

    assert list(tables) == [cheap, dear, sell]


def test_accounts_that_come_later_sort_by_their_names(tables: OrderTables) -> None:
    """An account's number must not tell who was seen first."""
    names = ["m", "Z", "b", "a10", "z", "a9", "m_"]

    add(tables, *(make_order(account=name) for name in names))

    assert [order.submit.account_id for order in tables] == sorted(names)


def test_tables_on_a_second_order_of_one_id_fail(tables: OrderTables) -> None:
    """Ids are unique by construction; a second one is our own fault."""
    add(tables, make_order())

    with pytest.raises(InvariantError, match=r"must be new, was run\.0\.a\.0"):
        add(tables, make_order())


def test_removed_orders_are_forgotten_and_the_others_stay(tables: OrderTables) -> None:
    """From the front, from the back and from between."""
    orders = [make_order(sequence=number) for number in range(5)]
    other = make_order(sequence=9)
    add(tables, *orders)
    add(tables, other, listing=OTHER)

    for order in (orders[2], orders[0], orders[4]):
        tables.remove(order)

    assert list(tables) == [orders[1], orders[3], other]
    assert len(tables) == 3
    assert tables.find(orders[2].submit.order_id) is None
    assert tables.find(orders[3].submit.order_id) is orders[3]


def test_tables_grow_with_their_orders(tables: OrderTables) -> None:
    """However many work at once, and rows that are free again are used again."""
    orders = [make_order(sequence=number) for number in range(300)]
    add(tables, *orders)
    for order in orders[:200]:
        tables.remove(order)
    others = [make_order(sequence=number) for number in range(1_000, 1_200)]

    add(tables, *others)

    assert list(tables) == [*orders[200:], *others]
    assert len(tables.orders) == 512


def test_cleared_tables_return_all_orders_and_keep_none(tables: OrderTables) -> None:
    """Nothing works over night."""
    orders = [make_order(account=account) for account in "cab"]
    add(tables, *orders)

    cleared = tables.clear()

    assert cleared == orders
    assert list(tables) == []
    assert len(tables) == 0
    add(tables, *orders)
    assert [order.submit.account_id for order in tables] == ["a", "b", "c"]


def test_taken_levels_are_kept_however_many(tables: OrderTables) -> None:
    """A memory that is taken up may have more of them than a new table has room for."""
    levels = [(100_000 + number, 500, 100) for number in range(200)]

    for level in levels:
        tables.take(level, listing=LISTING, side=BUY)

    assert np.array_equal(tables.taken[:200, :3], levels)
