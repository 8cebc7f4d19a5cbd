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
import pyarrow.parquet as pq

from tidegate_common.domain.ids import parse_symbol
from tidegate_common.domain.units import PRICE_SCALE, Int64Array
from tidegate_common.errors import ConfigError
from tidegate_common.market.sessions import shanghai_ns

_NS_PER_MS: Final = 1_000_000
_CENTS_PER_YUAN: Final = 100
_E4_PER_CENT: Final = PRICE_SCALE // _CENTS_PER_YUAN
# Digits of 'HH:MM:SS.mmm', and how many milliseconds one of each is.
_CLOCK_PARTS: Final = ((0, 2, 3_600_000), (3, 5, 60_000), (6, 8, 1_000), (9, 12, 1))


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
    orders = _read(directory / layout.orders, (*layout.order_columns, layout.sequence))
    trades = _read(directory / layout.trades, (*layout.trade_columns, layout.sequence))
    symbols = [layout.symbol] if layout.symbol else _symbols(orders)
    for symbol in symbols:
        chosen = [
            table if layout.symbol else table.filter(pc.equal(table["SecurityID"], symbol))
            for table in (orders, trades)
        ]
        yield _stream(chosen[0], chosen[1], parse_symbol(symbol), layout)


def _symbols(orders: pa.Table) -> list[str]:
    return sorted(pc.unique(orders["SecurityID"]).to_pylist())


def _read(path: Path, columns: tuple[str, ...]) -> pa.Table:
    try:
        return pq.read_table(path, columns=[*columns, "SecurityID"])
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        message = f"expected a recorded day of orders or trades in {path.name}, found: {error}"
        raise ConfigError(message) from error


def _stream(orders: pa.Table, trades: pa.Table, instrument: int, layout: _Layout) -> Stream:
    time, kind, side, price, shares, number = (orders[name] for name in layout.order_columns)
    is_add = _words(kind) == layout.add
    order_columns = [
        np.where(is_add, MessageKind.ADD, MessageKind.DELETE),
        _times_ns(time, layout.trade_date),
        (_words(side) == layout.buy).astype(np.int64),
        _prices_e4(price),
        _integers(shares),
        _integers(number),
        np.zeros(len(orders), np.int64),
        np.zeros(len(orders), np.int64),
    ]
    time, side, price, shares, buy, sell = (trades[name] for name in layout.trade_columns)
    trade_columns = [
        np.full(len(trades), MessageKind.TRADE, np.int64),
        _times_ns(time, layout.trade_date),
        (_words(side) == layout.buy).astype(np.int64),
        _prices_e4(price),
        _integers(shares),
        np.zeros(len(trades), np.int64),
        _integers(buy),
        _integers(sell),
    ]
    sequence = [_integers(table[layout.sequence]) for table in (orders, trades)]
    in_order = np.argsort(np.concatenate(sequence), kind="stable")
    joined = [
        np.concatenate(pair)[in_order] for pair in zip(order_columns, trade_columns, strict=True)
    ]
    return Stream(instrument, layout.trade_date, *joined)


def _words(column: pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    return np.array(pc.cast(column, pa.string()).to_pylist(), np.str_)


def _integers(column: pa.ChunkedArray) -> Int64Array:
    return np.asarray(column.to_numpy(), np.int64)


def _prices_e4(column: pa.ChunkedArray) -> Int64Array:
    # The recorder left float noise behind the second digit: shares move in steps of 0.01 CNY.
    cents = np.rint(np.asarray(column.to_numpy(), np.float64) * _CENTS_PER_YUAN)
    return cents.astype(np.int64) * _E4_PER_CENT


def _times_ns(column: pa.ChunkedArray, trade_date: int) -> Int64Array:
    ms = np.zeros(len(column), np.int64)
    for start, end, unit_ms in _CLOCK_PARTS:
        digits = pc.utf8_slice_codeunits(column, start, end)
        ms += _integers(pc.cast(digits, pa.int64())) * unit_ms
    return shanghai_ns(trade_date, 0) + ms * _NS_PER_MS
