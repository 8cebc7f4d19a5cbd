"""What the exchange checks when an order or a cancel arrives."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tidegate_common.domain.enums import (
    Board,
    OrderReason,
    OrderStatus,
    OrderType,
    Phase,
    Side,
)
from tidegate_common.market.sessions import shanghai_ns

if TYPE_CHECKING:
    from tests.unit.execution.conftest import Exchange, Quote, Reference

    from tidegate_execution.engine import ExecutionReport

# The main board has a price cage of 2% from 2023-04-10.
CAGE_DATE = 2023_07_11
BIDS = ((99_900, 500),)
ASKS = ((100_100, 300),)


def states(report: "ExecutionReport") -> list[tuple[OrderStatus, OrderReason]]:
    """Return state and reason of each update."""
    return [(update.status, update.reason) for update in report.updates]


def test_price_between_two_ticks_is_rejected(exchange: "Exchange", quote: "type[Quote]") -> None:
    """A share moves in steps of 0.01 CNY."""
    exchange.submit(100, 100_050)

    report = exchange.tick(quote(BIDS, ASKS))

    assert states(report) == [(OrderStatus.REJECTED, OrderReason.BAD_PRICE_TICK)]


@pytest.mark.parametrize(
    ("board", "order_type", "most_shares"),
    [
        (Board.MAIN, OrderType.LIMIT, 1_000_000),
        (Board.STAR, OrderType.LIMIT, 100_000),
        (Board.STAR, OrderType.MARKET, 50_000),
        (Board.STAR, OrderType.FIXED_PRICE, 1_000_000),
        (Board.MAIN, OrderType.FIXED_PRICE, 0),
    ],
)
def test_quantity_above_the_boards_maximum_is_rejected(
    exchange_of: "Callable[..., Exchange]",
    reference: "type[Reference]",
    quote: "type[Quote]",
    board: Board,
    order_type: OrderType,
    most_shares: int,
) -> None:
    """Each kind of order has a maximum; 0 where the kind does not exist."""
    exchange = exchange_of()
    exchange.open(reference(board=board))
    price_e4 = 0 if order_type.is_market else 100_000
    for quantity_shares in {most_shares, most_shares + 1} - {0}:
        exchange.submit(quantity_shares, price_e4, order_type=order_type)

    report = exchange.tick(quote((), ()))

    refused = {update.leaves_shares or update.reason for update in report.updates}
    assert OrderReason.ABOVE_QUANTITY_MAX in refused
    assert len(refused) == len(report.updates)


@pytest.mark.parametrize(
    ("side", "price_e4", "is_taken"),
    [
        (Side.BUY, 102_100, True),
        (Side.BUY, 102_200, False),
        (Side.BUY, 90_000, True),
        (Side.SELL, 97_900, True),
        (Side.SELL, 97_800, False),
        (Side.SELL, 110_000, True),
    ],
)
def test_limit_price_is_held_against_the_cage_of_the_last_quote(
    exchange_of: "Callable[..., Exchange]",
    reference: "type[Reference]",
    quote: "type[Quote]",
    *,
    side: Side,
    price_e4: int,
    is_taken: bool,
) -> None:
    """2% from the best of the other side: 10.01 gives 10.21, 9.99 gives 9.79."""
    exchange = exchange_of(trade_date=CAGE_DATE)
    exchange.open(reference())
    exchange.tick(quote(BIDS, ASKS))
    exchange.submit(100, price_e4, side=side)

    report = exchange.tick(quote())

    expected = (
        (OrderStatus.NEW, OrderReason.NONE)
        if is_taken
        else (OrderStatus.REJECTED, OrderReason.OUTSIDE_PRICE_CAGE)
    )
    assert states(report) == [expected]


def test_limit_price_under_a_cage_without_a_row_is_rejected(
    exchange_of: "Callable[..., Exchange]",
    reference: "type[Reference]",
    quote: "type[Quote]",
) -> None:
    """The rule book does not know Beijing before it began."""
    exchange = exchange_of(trade_date=2021_11_15)
    exchange.open(reference(board=Board.BSE))
    exchange.tick(quote(BIDS, ASKS))
    exchange.submit(100, 100_000)
    known = exchange.tick(quote(BIDS, ASKS))
    exchange.trade_date = 2021_11_14
    exchange.submit(100, 100_000)

    report = exchange.tick(quote(BIDS, ASKS))

    assert states(known) == [(OrderStatus.NEW, OrderReason.NONE)]
    assert states(report)[-1][0] is OrderStatus.REJECTED


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        (Phase.CLOSED, (OrderStatus.REJECTED, OrderReason.MARKET_CLOSED)),
        (Phase.OPEN_CALL, (OrderStatus.NEW, OrderReason.NONE)),
        (Phase.PAUSE, (OrderStatus.NEW, OrderReason.NONE)),
        (Phase.CONTINUOUS, (OrderStatus.NEW, OrderReason.NONE)),
        (Phase.LUNCH, (OrderStatus.NEW, OrderReason.NONE)),
        (Phase.CLOSE_CALL, (OrderStatus.NEW, OrderReason.NONE)),
        (Phase.HALTED, (OrderStatus.REJECTED, OrderReason.SUSPENDED)),
        (Phase.AFTER_HOURS, (OrderStatus.REJECTED, OrderReason.MARKET_CLOSED)),
    ],
)
def test_limit_order_after_a_quote_of_a_phase_is_taken_or_not(
    exchange: "Exchange",
    quote: "type[Quote]",
    phase: Phase,
    expected: tuple[OrderStatus, OrderReason],
) -> None:
    """Over a break it is held, as brokers do; a halted share takes none."""
    exchange.tick(quote(BIDS, ASKS, phase=phase))
    exchange.submit(100, 99_000)

    assert states(exchange.tick(quote(BIDS, ASKS, phase=phase))) == [expected]


@pytest.mark.parametrize(
    ("phase", "is_taken"),
    [
        (Phase.OPEN_CALL, True),
        (Phase.PAUSE, True),
        (Phase.CONTINUOUS, True),
        (Phase.LUNCH, True),
        (Phase.CLOSE_CALL, False),
        (Phase.HALTED, False),
    ],
)
def test_cancel_after_a_quote_of_a_phase_is_taken_or_refused(
    exchange: "Exchange",
    quote: "type[Quote]",
    *,
    phase: Phase,
    is_taken: bool,
) -> None:
    """A refused cancel is told, and the order works on."""
    order = exchange.submit(100, 99_000)
    exchange.tick(quote(BIDS, ASKS, phase=phase))
    exchange.cancel(order)

    report = exchange.tick(quote(BIDS, ASKS, phase=phase))

    expected = (
        (OrderStatus.CANCELED, OrderReason.REQUESTED)
        if is_taken
        else (OrderStatus.NEW, OrderReason.NOT_CANCELABLE)
    )
    assert states(report) == [expected]


@pytest.mark.parametrize(
    ("seconds_of_day", "status"),
    [(33_599, OrderStatus.CANCELED), (33_600, OrderStatus.NEW)],
)
def test_cancel_in_the_locked_part_of_the_opening_call_is_refused(
    exchange: "Exchange",
    quote: "type[Quote]",
    seconds_of_day: int,
    status: OrderStatus,
) -> None:
    """From 09:20 on, which no feed tells."""
    exchange.ts_event_ns = shanghai_ns(exchange.trade_date, seconds_of_day)
    order = exchange.submit(100, 99_000)
    exchange.tick(quote(BIDS, BIDS, phase=Phase.OPEN_CALL))
    exchange.cancel(order)

    report = exchange.tick(quote(BIDS, BIDS, phase=Phase.OPEN_CALL))

    assert [update.status for update in report.updates] == [status]


def test_quote_without_reference_data_is_left_out(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """Nobody can have orders in it."""
    exchange.tick(quote(BIDS, ASKS), quote(instrument=2000333))
    exchange.submit(100, 100_100)

    assert states(exchange.tick(quote(BIDS, ASKS))) == [(OrderStatus.FILLED, OrderReason.NONE)]


def test_replacement_is_a_cancel_and_a_new_order_in_one_beat(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """Only the new one meets the market."""
    order = exchange.submit(100, 99_000)
    exchange.tick(quote(BIDS, ASKS))
    exchange.cancel(order)
    exchange.submit(200, 100_100)

    report = exchange.tick(quote(BIDS, ASKS))

    assert states(report) == [
        (OrderStatus.CANCELED, OrderReason.REQUESTED),
        (OrderStatus.FILLED, OrderReason.NONE),
    ]
