"""Recorded days of trades and cancels alone, as Shenzhen's are.

Shenzhen numbers orders, trades and cancels of a channel in one sequence, and every trade and cancel
names its orders by their numbers. Nothing tells an order itself: neither its price nor its time.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from tidegate_cli.realism.columns import integers, prices_e4, read_columns, times_ns, words
from tidegate_cli.realism.streams import MessageKind, Stream
from tidegate_common.domain.ids import parse_symbol
from tidegate_common.domain.units import Int64Array

_FILE: Final = "szse_000001_trades_20230201.parquet"
_SYMBOL: Final = "000001.SZ"
_TRADE_DATE: Final = 2023_02_01
_COLUMNS: Final = (
    "ApplSeqNum",
    "ExecType",
    "TradeTime",
    "TradePrice",
    "TradeQty",
    "BidApplSeqNum",
    "OfferApplSeqNum",
)
_TRADE: Final = "F"


@dataclass(frozen=True, slots=True)
class TradesAndCancels:
    """All trades and cancels of one instrument's day, in the exchange's order.

    Columns are (n,) int64. sequence : rising; orders are numbered in the same sequence.
    kind : `MessageKind` TRADE or DELETE.
    ts_event_ns : UTC epoch.
    price_e4 : of a trade; 0 of a cancel.
    buy, sell : numbers of the two orders of a trade; of a cancel the other one is 0.
    """

    instrument: int
    trade_date: int
    sequence: Int64Array
    kind: Int64Array
    ts_event_ns: Int64Array
    price_e4: Int64Array
    shares: Int64Array
    buy: Int64Array
    sell: Int64Array


def read_trades_and_cancels(directory: Path) -> TradesAndCancels:
    """Return the recorded day of a directory.

    Raises
    ------
    ConfigError
        If the file is missing or is not laid out as expected.
    """
    table = read_columns(directory / _FILE, _COLUMNS)
    sequence, kind, time, price, shares, buy, sell = (table[name] for name in _COLUMNS)
    return TradesAndCancels(
        instrument=parse_symbol(_SYMBOL),
        trade_date=_TRADE_DATE,
        sequence=integers(sequence),
        kind=np.where(words(kind) == _TRADE, MessageKind.TRADE, MessageKind.DELETE),
        ts_event_ns=times_ns(time, _TRADE_DATE),
        price_e4=prices_e4(price),
        shares=integers(shares),
        buy=integers(buy),
        sell=integers(sell),
    )


def without_orders(stream: Stream) -> TradesAndCancels:
    """Return what would be left of a whole stream if it told no orders.

    Orders get the number of the place at which the stream first speaks of them.
    """
    numbers = {0: 0}
    rows = []
    for place, message in enumerate(stream):
        kind, ts_event_ns, is_buy, price_e4, shares, order, buy, sell = message
        for each in (order, buy, sell):
            numbers.setdefault(each, 2 * place + 1)
        if kind == MessageKind.TRADE:
            rows.append((place, kind, ts_event_ns, price_e4, shares, numbers[buy], numbers[sell]))
        elif kind == MessageKind.DELETE:
            both = (numbers[order], 0) if is_buy else (0, numbers[order])
            rows.append((place, kind, ts_event_ns, 0, shares, *both))
    columns = np.array(rows, np.int64).reshape(-1, 7).T
    # A message comes after the order that it is the first to speak of.
    sequence = 2 * columns[0] + 2
    return TradesAndCancels(stream.instrument, stream.trade_date, sequence, *columns[1:])
