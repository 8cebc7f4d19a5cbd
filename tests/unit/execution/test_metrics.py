"""What operators see of the exchange."""

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from tidegate_common.domain.enums import OrderStatus, Side
from tidegate_execution.metrics import ExecutionMetrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.execution.conftest import Exchange, Quote, Reference

BIDS = ((99_900, 500),)
ASKS = ((100_100, 300),)


def test_orders_and_fills_are_counted_by_state_and_side(
    exchange: "Exchange",
    quote: "type[Quote]",
) -> None:
    """Turnover is in yuan: 300 shares at 10.01 bought, 100 at 9.99 sold."""
    registry = CollectorRegistry()
    metrics = ExecutionMetrics(registry)

    exchange.submit(300, 100_100)
    exchange.submit(100, 99_900, side=Side.SELL)
    exchange.submit(100, 89_000)
    metrics.take(exchange.tick(quote(BIDS, ASKS)))
    metrics.take(exchange.tick(quote(BIDS, ASKS)))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"tidegate_execution_{name}", labels)

    orders = {status: value("orders_total", outcome=status.value) for status in OrderStatus}
    assert orders == dict.fromkeys(OrderStatus, 0) | {
        OrderStatus.FILLED: 2,
        OrderStatus.REJECTED: 1,
    }
    assert [value("fills_total", side=side.value) for side in Side] == [1, 1]
    assert [value("turnover_yuan_total", side=side.value) for side in Side] == [3_003, 999]


def test_open_orders_are_those_that_work_and_those_on_their_way(
    exchange_of: "Callable[..., Exchange]",
    reference: "type[Reference]",
    quote: "type[Quote]",
) -> None:
    """With a latency an order is open before the exchange has it."""
    exchange = exchange_of(latency_beats=1)
    exchange.open(reference())
    counts = [exchange.engine.open_order_count]

    exchange.submit(100, 95_000)
    for _ in range(2):
        exchange.tick(quote(BIDS, ASKS))
        counts.append(exchange.engine.open_order_count)
    exchange.close()
    counts.append(exchange.engine.open_order_count)

    assert counts == [0, 1, 1, 0]
