"""Days of which only trades and cancels are told: what can be rebuilt of them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.cli.recorded_streams import (
    DELETE,
    TRADE,
    TRADE_DATE,
    add,
    delete,
    seconds_ns,
    stream_of,
    trade,
)

from tidegate_cli.realism.rebuilding import rebuild
from tidegate_cli.realism.trades import (
    TradesAndCancels,
    read_trades_and_cancels,
    without_orders,
)
from tidegate_common.errors import ConfigError

PING_AN = 2000001
OPEN, MORNING, CLOSE = seconds_ns(9, 25), seconds_ns(9, 31), seconds_ns(15, 0)
Row = tuple[int, int, int, int, int, int, int]


def traded(sequence: int, at: int, price_e4: int, shares: int, *, buy: int, sell: int) -> Row:
    """Return a trade."""
    return (sequence, TRADE, at, price_e4, shares, buy, sell)


def cancelled(sequence: int, at: int, shares: int, *, buy: int = 0, sell: int = 0) -> Row:
    """Return a cancel."""
    return (sequence, DELETE, at, 0, shares, buy, sell)


def record_of(*rows: Row) -> TradesAndCancels:
    """Return a day."""
    return TradesAndCancels(PING_AN, TRADE_DATE, *np.array(rows, np.int64).T)


def test_rebuilt_order_that_traded_while_it_rested_has_the_trades_price() -> None:
    """It came where its number is, with what it traded and cancelled later."""
    record = record_of(
        cancelled(2, MORNING, 100, buy=1),
        cancelled(6, MORNING + 4_000, 100, sell=3),
        traded(9, MORNING + 5_000, 99_900, 100, buy=4, sell=8),
        cancelled(12, MORNING + 8_000, 50, buy=4),
    )

    messages = list(rebuild(record))

    assert messages == [
        add(4, 99_900, 150, is_buy=True, at=MORNING + 2_000),
        trade(99_900, 100, buy=4, sell=8, is_buy=False, at=MORNING + 5_000),
        delete(4, 50, at=MORNING + 8_000),
    ]


def test_rebuilt_order_that_traded_on_arrival_rests_from_its_last_trade() -> None:
    """Only what was left of it was in the book, at the price of those that it met later."""
    record = record_of(
        traded(21, MORNING, 99_800, 30, buy=15, sell=20),
        traded(22, MORNING, 99_700, 40, buy=14, sell=20),
        traded(31, MORNING + 5_000, 99_600, 70, buy=30, sell=20),
    )

    messages = list(rebuild(record))

    assert messages == [
        add(14, 99_700, 40, is_buy=True, at=MORNING),
        add(15, 99_800, 30, is_buy=True, at=MORNING),
        trade(99_800, 30, buy=15, sell=20, is_buy=False, at=MORNING),
        trade(99_700, 40, buy=14, sell=20, is_buy=False, at=MORNING),
        add(20, 99_600, 70, is_buy=False, at=MORNING),
        trade(99_600, 70, buy=30, sell=20, is_buy=True, at=MORNING + 5_000),
    ]


def test_rebuilt_order_of_a_call_has_the_price_of_continuous_trading_only() -> None:
    """An auction's price is nobody's own; what an order traded in the closing one it displayed."""
    record = record_of(
        traded(5, OPEN, 100_000, 200, buy=3, sell=4),
        traded(41, MORNING, 100_100, 60, buy=3, sell=40),
        traded(61, CLOSE, 99_000, 10, buy=3, sell=60),
    )

    messages = list(rebuild(record))

    assert messages == [
        trade(100_000, 200, buy=3, sell=4, is_buy=False, at=OPEN),
        add(3, 100_100, 70, is_buy=True, at=OPEN),
        trade(100_100, 60, buy=3, sell=40, is_buy=False, at=MORNING),
        trade(99_000, 10, buy=3, sell=60, is_buy=False, at=CLOSE),
    ]


def test_whole_stream_without_its_orders_numbers_them_as_they_came() -> None:
    """One that trades on arrival came before the trade."""
    stream = stream_of(
        [
            add(70, 99_900, 300, is_buy=True, at=MORNING),
            add(10, 100_000, 100, is_buy=False, at=MORNING),
            trade(99_900, 200, buy=70, sell=50, is_buy=False, at=MORNING),
            delete(10, 100, at=MORNING, is_buy=False),
            delete(70, 100, at=MORNING),
        ]
    )

    record = without_orders(stream)

    assert record.sequence.tolist() == [6, 8, 10]
    assert record.kind.tolist() == [TRADE, DELETE, DELETE]
    assert record.price_e4.tolist() == [99_900, 0, 0]
    assert record.shares.tolist() == [200, 100, 100]
    assert record.buy.tolist() == [1, 0, 1]
    assert record.sell.tolist() == [5, 3, 0]


def test_stream_rebuilt_without_its_orders_lacks_only_those_that_never_traded() -> None:
    """What a day of Shenzhen can tell, told of a day that is known."""
    whole = [
        add(1, 99_900, 300, is_buy=True, at=MORNING),
        add(3, 99_800, 500, is_buy=True, at=MORNING),
        trade(99_900, 200, buy=1, sell=5, is_buy=False, at=MORNING),
        delete(3, 500, at=MORNING),
        delete(1, 100, at=MORNING),
    ]

    messages = list(rebuild(without_orders(stream_of(whole))))

    assert messages == [whole[0], whole[2], whole[4]]


def test_trades_and_cancels_are_read_as_the_exchange_told_them(tmp_path: Path) -> None:
    """Times begin with the date, prices have float noise, a cancel has no price."""
    columns: dict[str, list[object]] = {
        "ApplSeqNum": [7, 9],
        "ExecType": ["4", "F"],
        "TradeTime": ["2023.02.01T09:15:00.040", "2023.02.01T09:31:00.000"],
        "TradePrice": [0.0, 15.029999999999999],
        "TradeQty": [200, 100],
        "BidApplSeqNum": [6, 5],
        "OfferApplSeqNum": [0, 8],
    }
    pq.write_table(pa.table(columns), tmp_path / "szse_000001_trades_20230201.parquet")

    record = read_trades_and_cancels(tmp_path)

    expected = record_of(
        cancelled(7, seconds_ns(9, 15) + 40_000_000, 200, buy=6),
        traded(9, MORNING, 150_300, 100, buy=5, sell=8),
    )
    for name in ("sequence", "kind", "ts_event_ns", "price_e4", "shares", "buy", "sell"):
        assert getattr(record, name).tolist() == getattr(expected, name).tolist()


def test_trades_and_cancels_without_a_recording_are_a_mistake(tmp_path: Path) -> None:
    """A slip in the directory's name must not write an empty report."""
    with pytest.raises(ConfigError, match="expected a recorded day of orders or trades"):
        read_trades_and_cancels(tmp_path)
