"""Layouts that we know and that hold no quotes or bars: they are told apart, never replayed."""

from tidegate_ingest.adapters.layouts import Layout

_ORDERS = "an order stream, without quotes"
_TRADES = "a stream of trades, without quotes"
_TRADES_AND_CANCELS = "a stream of trades and cancels, without quotes"
_PRICES = "single prices, neither quotes nor bars"


def _layout(name: str, *columns: str) -> Layout[int]:
    return Layout(name, columns, (), len)


# From the one with most columns to the one with fewest: what has more is told first.
OTHER_LAYOUTS: tuple[Layout[int], ...] = (
    _layout(f"SSE orders: {_ORDERS}", "OrderTime", "OrderType", "OrderNO", "OrderPrice", "Balance"),
    _layout(f"orders with date: {_ORDERS}", "MDDate", "MDTime", "OrderType", "OrderPrice"),
    _layout(f"SZSE trades: {_TRADES_AND_CANCELS}", "TradeTime", "TradePrice", "ExecType"),
    _layout(f"SSE trades: {_TRADES}", "TradTime", "TradPrice", "TradVolume", "TradeBSFlag"),
    _layout(f"trades with date: {_TRADES}", "MDDate", "MDTime", "TradePrice", "TradeQty"),
    _layout(f"hikyuu trades: {_PRICES}", "symbol", "datetime", "price", "vol", "buyorsell"),
    _layout(f"hikyuu minutes: {_PRICES}", "symbol", "datetime", "price", "vol"),
)
