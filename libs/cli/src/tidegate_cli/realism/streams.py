"""Recorded days of an exchange's own messages: every order, every cancel and every trade.

Shanghai's streams until 2023-11-27 tell of an order only what was left of it in the book: what it
traded on arrival is in the trades alone. So orders and trades together, in the exchange's one
sequence, are the day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, unique
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidegate_cli.realism.columns import integers, prices_e4, read_columns, times_ns, words
from tidegate_common.domain.ids import parse_symbol
from tidegate_common.domain.units import Int64Array

_CODE: Final = "SecurityID"


@unique
class MessageKind(IntEnum):
    """What a message of the stream says."""

    ADD = 0
    DELETE = 1
    TRADE = 2


@dataclass(frozen=True, slots=True)
class Stream:
    """All messages of one instrument's day, in the exchange's order.

    Columns are (n,) int64. kind : `MessageKind`.
    ts_event_ns : UTC epoch.
    is_buy : 1 for a buy: the order of ADD and DELETE, the order that came last in a TRADE.
    order : number of an order that is added or deleted, else 0.
    buy, sell : numbers of the two orders of a trade, else 0.
    """

    instrument: int
    trade_date: int
    kind: Int64Array
    ts_event_ns: Int64Array
    is_buy: Int64Array
    price_e4: Int64Array
    shares: Int64Array
    order: Int64Array
    buy: Int64Array
    sell: Int64Array

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        """Yield kind, time, is_buy, price, shares, order, buy and sell of each message."""
        columns = (
            self.kind,
            self.ts_event_ns,
            self.is_buy,
            self.price_e4,
            self.shares,
            self.order,
            self.buy,
            self.sell,
        )
        return zip(*(column.tolist() for column in columns), strict=True)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Two files of a day, and what their columns are called.

    symbol : of the only instrument, where the files' own code lacks the exchange.
    add, buy : words for an order that is added, and for a buy.
    """

    orders: str
    trades: str
    trade_date: int
    symbol: str
    sequence: str
    order_columns: tuple[str, str, str, str, str, str]
    trade_columns: tuple[str, str, str, str, str, str]
    add: str
    buy: str


# Time, type, side, price, shares and number of an order; time, side, price, shares and both
# numbers of a trade.
_LAYOUTS: Final = (
    _Layout(
        orders="sse_600519_orders_20230201.parquet",
        trades="sse_600519_trades_20230201.parquet",
        trade_date=2023_02_01,
        symbol="600519.SH",
        sequence="BizIndex",
        order_columns=("OrderTime", "OrderType", "OrderBSFlag", "OrderPrice", "Balance", "OrderNO"),
        trade_columns=(
            "TradTime",
            "TradeBSFlag",
            "TradPrice",
            "TradVolume",
            "TradeBuyNo",
            "TradeSellNo",
        ),
        add="A",
        buy="B",
    ),
    _Layout(
        orders="sse_orders_20230711.parquet",
        trades="sse_trades_20230711.parquet",
        trade_date=2023_07_11,
        symbol="",
        sequence="ApplSeqNum",
        order_columns=("MDTime", "OrderType", "OrderBSFlag", "OrderPrice", "OrderQty", "OrderNO"),
        trade_columns=(
            "MDTime",
            "TradeBSFlag",
            "TradePrice",
            "TradeQty",
            "TradeBuyNo",
            "TradeSellNo",
        ),
        add="2",
        buy="1",
    ),
)


def read_streams(directory: Path) -> list[Stream]:
    """Return the recorded days of a directory, by date and instrument.

    Raises
    ------
    ConfigError
        If a file is missing or is not laid out as expected.
    """
    return [stream for layout in _LAYOUTS for stream in _read_day(directory, layout)]


def _read_day(directory: Path, layout: _Layout) -> Iterator[Stream]:
    common = (layout.sequence, _CODE)
    orders = read_columns(directory / layout.orders, (*layout.order_columns, *common))
    trades = read_columns(directory / layout.trades, (*layout.trade_columns, *common))
    symbols = [layout.symbol] if layout.symbol else _symbols(orders)
    for symbol in symbols:
        chosen = [
            table if layout.symbol else table.filter(pc.equal(table[_CODE], symbol))
            for table in (orders, trades)
        ]
        yield _stream(chosen[0], chosen[1], parse_symbol(symbol), layout)


def _symbols(orders: pa.Table) -> list[str]:
    return sorted(pc.unique(orders[_CODE]).to_pylist())


def _stream(orders: pa.Table, trades: pa.Table, instrument: int, layout: _Layout) -> Stream:
    time, kind, side, price, shares, number = (orders[name] for name in layout.order_columns)
    is_add = words(kind) == layout.add
    order_columns = [
        np.where(is_add, MessageKind.ADD, MessageKind.DELETE),
        times_ns(time, layout.trade_date),
        (words(side) == layout.buy).astype(np.int64),
        prices_e4(price),
        integers(shares),
        integers(number),
        np.zeros(len(orders), np.int64),
        np.zeros(len(orders), np.int64),
    ]
    time, side, price, shares, buy, sell = (trades[name] for name in layout.trade_columns)
    trade_columns = [
        np.full(len(trades), MessageKind.TRADE, np.int64),
        times_ns(time, layout.trade_date),
        (words(side) == layout.buy).astype(np.int64),
        prices_e4(price),
        integers(shares),
        np.zeros(len(trades), np.int64),
        integers(buy),
        integers(sell),
    ]
    sequence = [integers(table[layout.sequence]) for table in (orders, trades)]
    in_order = np.argsort(np.concatenate(sequence), kind="stable")
    joined = [
        np.concatenate(pair)[in_order] for pair in zip(order_columns, trade_columns, strict=True)
    ]
    return Stream(instrument, layout.trade_date, *joined)
