"""What execution counts."""

from collections import Counter as Counts

from prometheus_client import CollectorRegistry, Counter, Gauge

from tidegate_common.domain.enums import OrderStatus, Side
from tidegate_execution.engine import ExecutionReport

_FEN_PER_YUAN = 100


class ExecutionMetrics:
    """Metrics of one shard's exchange."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.orders = Counter(
            "tidegate_execution_orders_total",
            "Changes of orders, at most one an order and beat, by the state that they led to.",
            ["outcome"],
            registry=registry,
        )
        self.fills = Counter(
            "tidegate_execution_fills_total",
            "Fills.",
            ["side"],
            registry=registry,
        )
        self.turnover = Counter(
            "tidegate_execution_turnover_yuan_total",
            "Value of the fills, without fees.",
            ["side"],
            registry=registry,
        )
        self.open_orders = Gauge(
            "tidegate_execution_open_orders",
            "Orders that work, or are on their way to the exchange.",
            registry=registry,
        )
        for status in OrderStatus:
            self.orders.labels(status.value)
        for side in Side:
            self.fills.labels(side.value)
            self.turnover.labels(side.value)

    def take(self, report: ExecutionReport) -> None:
        """Count what became of orders in a beat."""
        if not report.updates and not report.fills:
            return
        for status, count in Counts(update.status for update in report.updates).items():
            self.orders.labels(status.value).inc(count)
        for side in Side:
            amounts_fen = [fill.amount_fen for fill in report.fills if fill.side is side]
            self.fills.labels(side.value).inc(len(amounts_fen))
            self.turnover.labels(side.value).inc(sum(amounts_fen) / _FEN_PER_YUAN)
