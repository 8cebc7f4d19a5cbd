"""Market orders as the exchanges define them, and fill-or-kill."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tidegate_common.domain.enums import (
    OrderReason,
    OrderStatus,
    OrderType,
    Phase,
    Side,
    TimeInForce,
)

if TYPE_CHECKING:
    from tests.unit.execution.conftest import Exchange, Quote, Reference

    from tidegate_execution.engine import ExecutionReport

# A day on which Shanghai takes all its kinds.
TRADE_DATE = 2023_07_11
MIDEA = 2000333
BIDS = ((99_900, 500), (99_800, 600))
ASKS = ((100_100, 300), (100_200, 400))


@pytest.fixture
def exchange(exchange_of: "Callable[..., Exchange]", reference: "type[Reference]") -> "Exchange":
    """Return an exchange in 2023, with one instrument of Shanghai and one of Shenzhen."""
    exchange = exchange_of(trade_date=TRADE_DATE)
    exchange.open(reference(), reference(MIDEA))
    return exchange


def trades(report: "ExecutionReport") -> list[tuple[int, int]]:
    """Return price and quantity of each fill."""
    return [(fill.price_e4, fill.quantity_shares) for fill in report.fills]


def states(report: "ExecutionReport") -> list[tuple[OrderStatus, OrderReason]]:
    """Return state and reason of each update."""
    return [(update.status, update.reason) for update in report.updates]


def test_market_to_limit_order_rests_at_the_last_price_that_it_paid(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """What five levels do not fill works on as a limit order."""
    exchange.submit(1_000, order_type=OrderType.MARKET_TO_LIMIT)

    swept = exchange.tick(quote(BIDS, ASKS))
    above = exchange.tick(quote(BIDS, ((100_300, 900),), last_e4=100_250, volume_shares=500))
    back = exchange.tick(quote(BIDS, ((100_200, 900),), volume_shares=500))

    assert trades(swept) == [(100_100, 300), (100_200, 400)]
    assert states(swept) == [(OrderStatus.PARTIALLY_FILLED, OrderReason.NONE)]
    assert trades(above) == []
    assert trades(back) == [(100_200, 300)]


def test_market_to_limit_order_without_a_fill_rests_at_its_own_best_price(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """An empty other side leaves the own side to take a price from."""
    exchange.submit(100, order_type=OrderType.MARKET_TO_LIMIT)
    rests = exchange.tick(quote(BIDS))

    report = exchange.tick(quote(BIDS, ((99_900, 100),)))

    assert states(rests) == [(OrderStatus.NEW, OrderReason.NONE)]
    assert trades(report) == [(99_900, 100)]


@pytest.mark.parametrize(
    ("order_type", "bids", "asks"),
    [
        (OrderType.MARKET_TO_LIMIT, (), ()),
        (OrderType.COUNTERPARTY_BEST, BIDS, ()),
        (OrderType.COUNTERPARTY_BEST, BIDS, ((110_100, 100),)),
        (OrderType.OWN_BEST, (), ASKS),
    ],
)
def test_market_order_without_a_price_to_take_is_cancelled(
    exchange: "Exchange",
    quote: "type[Quote]",
    order_type: OrderType,
    bids: tuple[tuple[int, int], ...],
    asks: tuple[tuple[int, int], ...],
) -> None:
    """No price, no order; and a price beyond the day's limit is a fault of the feed."""
    exchange.submit(100, order_type=order_type)

    report = exchange.tick(quote(bids, asks))

    assert trades(report) == []
    assert states(report) == [(OrderStatus.CANCELED, OrderReason.NO_BEST_PRICE)]


def test_counterparty_best_order_takes_one_level_and_rests_there(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """Its price is the best of the other side, and stays so."""
    exchange.submit(500, order_type=OrderType.COUNTERPARTY_BEST)

    report = exchange.tick(quote(BIDS, ASKS))

    assert trades(report) == [(100_100, 300)]
    assert states(report) == [(OrderStatus.PARTIALLY_FILLED, OrderReason.NONE)]
    assert trades(exchange.tick(quote(BIDS, ((100_100, 200),)))) == [(100_100, 200)]


def test_own_best_sell_joins_the_best_ask(exchange: "Exchange", quote: "type[Quote]") -> None:
    """It waits behind the shares that are displayed there."""
    exchange.submit(100, order_type=OrderType.OWN_BEST, side=Side.SELL)
    exchange.tick(quote(BIDS, ASKS))

    early = exchange.tick(quote(BIDS, ASKS, last_e4=100_100, volume_shares=300))
    report = exchange.tick(quote(BIDS, ASKS, last_e4=100_100, volume_shares=400))

    assert trades(early) == []
    assert trades(report) == [(100_100, 100)]


def test_own_best_order_takes_its_price_from_the_book_that_it_meets(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """Not from the quote before: its price is that of its arrival in the book."""
    exchange.tick(quote(BIDS, ASKS))
    exchange.submit(100, order_type=OrderType.OWN_BEST)
    exchange.tick(quote(((100_000, 500),), ASKS))

    report = exchange.tick(quote(BIDS, ((100_000, 100),)))

    assert trades(report) == [(100_000, 100)]


def test_orders_that_took_a_price_stand_at_their_places(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """A market order goes first only until it has a price of its own."""
    exchange.submit(100, order_type=OrderType.OWN_BEST)
    better = exchange.submit(100, 100_000)
    exchange.tick(quote(BIDS, ASKS))

    report = exchange.tick(quote(BIDS, ((99_900, 100),)))

    assert [fill.order_id for fill in report.fills] == [better]


@pytest.mark.parametrize("order_type", [OrderType.MARKET, OrderType.LIMIT])
def test_fill_or_kill_order_that_fits_is_filled(
    exchange: "Exchange",
    quote: "type[Quote]",
    order_type: OrderType,
) -> None:
    """All of it is on display."""
    price_e4 = 100_200 if order_type is OrderType.LIMIT else 0
    exchange.submit(
        700,
        price_e4,
        order_type=order_type,
        time_in_force=TimeInForce.FOK,
        instrument=MIDEA,
    )

    report = exchange.tick(quote(BIDS, ASKS, instrument=MIDEA))

    assert trades(report) == [(100_100, 300), (100_200, 400)]
    assert states(report) == [(OrderStatus.FILLED, OrderReason.NONE)]


def test_fill_or_kill_order_that_does_not_fit_takes_nothing(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """A share less on display than wanted, and all are left to the others."""
    exchange.submit(701, 100_200, time_in_force=TimeInForce.FOK)
    exchange.submit(700, 100_200, time_in_force=TimeInForce.IOC)

    report = exchange.tick(quote(BIDS, ASKS))

    assert states(report)[0] == (OrderStatus.CANCELED, OrderReason.FOK_NOT_FILLED)
    assert trades(report) == [(100_100, 300), (100_200, 400)]


@pytest.mark.parametrize(
    ("instrument", "order_type", "time_in_force"),
    [
        (MIDEA, OrderType.MARKET_TO_LIMIT, TimeInForce.DAY),
        (1600519, OrderType.MARKET, TimeInForce.FOK),
        (1600519, OrderType.FIXED_PRICE, TimeInForce.IOC),
    ],
)
def test_order_that_its_exchange_does_not_know_is_rejected(
    exchange: "Exchange",
    quote: "type[Quote]",
    instrument: int,
    order_type: OrderType,
    time_in_force: TimeInForce,
) -> None:
    """Each exchange has kinds of its own; nothing is filled at once after hours."""
    price_e4 = 0 if order_type.is_market else 100_000
    exchange.submit(
        100,
        price_e4,
        instrument=instrument,
        order_type=order_type,
        time_in_force=time_in_force,
    )

    report = exchange.tick(quote(BIDS, ASKS))

    assert states(report) == [(OrderStatus.REJECTED, OrderReason.BAD_ORDER_TYPE)]


@pytest.mark.parametrize(
    "order_type",
    [order_type for order_type in OrderType if order_type.is_market],
)
def test_market_order_before_a_call_is_cancelled_by_it_and_rejected_in_it(
    exchange: "Exchange",
    quote: "type[Quote]",
    order_type: OrderType,
) -> None:
    """Market orders are for continuous trading only."""
    exchange.submit(100, order_type=order_type, instrument=_home(order_type))
    call = quote(BIDS, ASKS, phase=Phase.OPEN_CALL, instrument=_home(order_type))

    before = exchange.tick(call)
    exchange.submit(100, order_type=order_type, instrument=_home(order_type))
    within = exchange.tick(call)

    assert states(before) == [(OrderStatus.CANCELED, OrderReason.IOC_REMAINDER)]
    assert states(within) == [(OrderStatus.REJECTED, OrderReason.MARKET_CLOSED)]


def _home(order_type: OrderType) -> int:
    """Return an instrument whose exchange knows a type."""
    return 1600519 if order_type is OrderType.MARKET_TO_LIMIT else MIDEA
