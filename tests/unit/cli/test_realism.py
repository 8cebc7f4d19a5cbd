"""The simulator beside a recorded order stream: a small day, made by hand."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.cli.recorded_streams import (
    DELETE,
    MOUTAI,
    TRADE_DATE,
    Message,
    add,
    delete,
    stream_of,
    trade,
)

from tidegate_cli.realism.book import RecordedBook
from tidegate_cli.realism.children import Child, ChildKind, ReferenceOrder, Result
from tidegate_cli.realism.day import RecordedDay, Sent, replay
from tidegate_cli.realism.figures import FilledFigures, figures_of
from tidegate_cli.realism.plot import Pair, bar_chart
from tidegate_cli.realism.simulation import Compared, simulate
from tidegate_cli.realism.streams import Stream, read_streams
from tidegate_common.domain.enums import Side
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import ExecutionSpec
from tidegate_common.market.sessions import shanghai_ns


def book_of(*messages: Message) -> RecordedBook:
    """Return the book after some messages."""
    book = RecordedBook()
    for message in messages:
        book.apply(message)
    return book


def order_of(side: Side, price_e4: int, quantity_shares: int = 100) -> ReferenceOrder:
    """Return a child that rests."""
    return ReferenceOrder(Child(ChildKind.JOIN, side, 0, price_e4, quantity_shares))


def test_recorded_book_after_adds_cancels_and_trades_shows_what_rests() -> None:
    """An order that traded all on arrival was never in it."""
    book = book_of(
        add(1, 99_900, 300, is_buy=True),
        add(2, 99_900, 200, is_buy=True),
        add(3, 99_800, 100, is_buy=True),
        add(4, 100_100, 100, is_buy=False),
        trade(99_900, 250, buy=1, sell=5, is_buy=False),
        delete(2, 200),
    )

    assert book.levels(is_buy=True) == [(99_900, 50), (99_800, 100)]
    assert book.levels(is_buy=False) == [(100_100, 100)]
    assert (book.last_e4, book.volume_shares, book.amount_fen) == (99_900, 250, 249_750)


def test_reference_order_fills_by_what_trades_with_those_behind_it() -> None:
    """The one ahead trades first, whoever trades with the one behind would have met the child."""
    book = book_of(add(1, 99_900, 300, is_buy=True))
    order = order_of(Side.BUY, 99_900)
    order.arrive(book, 0)

    order.see(add(2, 99_900, 500, is_buy=True))
    order.see(trade(99_900, 300, buy=1, sell=9, is_buy=False, at=1))
    ahead = order.result.filled_shares
    order.see(trade(99_900, 60, buy=2, sell=9, is_buy=False, at=2))
    order.see(trade(99_900, 500, buy=2, sell=9, is_buy=False, at=3))

    assert ahead == 0
    assert order.result == Result(100, 9_990_000, 2, 3)


@pytest.mark.parametrize(
    ("message", "filled_shares"),
    [
        (trade(99_800, 70, buy=3, sell=9, is_buy=False), 70),
        (trade(100_100, 70, buy=9, sell=4, is_buy=True), 0),
        (trade(100_000, 70, buy=3, sell=9, is_buy=False), 0),
        (add(5, 99_900, 80, is_buy=False), 80),
        (add(5, 100_000, 80, is_buy=False), 0),
        (add(5, 99_800, 80, is_buy=True), 0),
        (delete(1, 300), 0),
    ],
)
def test_reference_order_fills_by_who_comes_to_a_price_that_it_accepts(
    message: Message,
    filled_shares: int,
) -> None:
    """Below its price, or to rest at it; never by buyers, never above."""
    order = order_of(Side.BUY, 99_900)
    order.arrive(book_of(add(1, 99_900, 300, is_buy=True)), 0)

    order.see(message)

    assert order.result.filled_shares == filled_shares


def test_reference_order_whose_queue_was_cancelled_is_first() -> None:
    """A cancel ahead of it moves it on."""
    order = order_of(Side.SELL, 100_100)
    order.arrive(book_of(add(1, 100_100, 300, is_buy=False)), 0)

    order.see(delete(1, 300))
    order.see(trade(100_100, 100, buy=9, sell=1, is_buy=True))

    assert order.result.filled_shares == 100


@pytest.mark.parametrize(("price_e4", "value_e4"), [(100_100, 5_005_000), (0, 10_015_000)])
def test_reference_order_that_crosses_pays_level_by_level(price_e4: int, value_e4: int) -> None:
    """Up to its limit; a market order as far as five levels go."""
    book = book_of(add(1, 100_100, 50, is_buy=False), add(2, 100_200, 80, is_buy=False))
    order = order_of(Side.BUY, price_e4)

    order.arrive(book, 7)

    assert order.result.value_e4 == value_e4


def quiet_book() -> list[Message]:
    """Return three levels on either side of 10.00, of a million shares each."""
    return [
        message
        for order in range(1, 4)
        for message in (
            add(order, 100_000 - 100 * order, 1_000_000, is_buy=True),
            add(order + 10, 100_000 + 100 * order, 1_000_000, is_buy=False),
        )
    ]


def make_stream() -> Stream:
    """Return a day on which somebody sells 100 shares at the bid in every beat."""
    messages = quiet_book()
    start = shanghai_ns(TRADE_DATE, 34_260)
    for beat in range(2_380):
        at = start + 3_000_000_000 * beat + 1
        messages.append(trade(99_900, 100, buy=1, sell=20 + beat, is_buy=False, at=at))
    return stream_of(messages)


@pytest.fixture(scope="module")
def day() -> RecordedDay:
    """Return the day in beats, with its children."""
    return replay(make_stream())


@pytest.fixture(scope="module")
def compared(day: RecordedDay) -> list[Compared]:
    """Return the day's children beside the simulator."""
    few = replace(day, sent=day.sent[:60])
    return simulate(few, ExecutionSpec(participation_bps_max=10_000))


def test_replayed_day_sends_children_that_can_work_to_the_end(day: RecordedDay) -> None:
    """None in the last five minutes of a session, each kind on each side."""
    beats = {sent.child.beat for sent in day.sent}

    assert len(day.frames) == (41_400 - 34_260) // 3 + (53_820 - 46_800) // 3
    assert max(beats) < len(day.frames) - 100
    assert {(sent.child.kind, sent.child.side) for sent in day.sent} == {
        (kind, side) for kind in ChildKind for side in Side if kind is not ChildKind.MARKET
    } | {(ChildKind.MARKET, side) for side in Side}


def test_children_of_a_quiet_day_end_alike_in_both_books(compared: list[Compared]) -> None:
    """Behind a million shares nobody fills; a better bid gets what is sold, a taker all at once."""
    filled = {
        (each.child.kind, each.child.side, each.reference.filled_shares > 0)
        for each in compared
        if isinstance(each.child.kind, ChildKind) and each.child.kind.is_passive
    }

    assert filled == {
        (kind, side, kind is ChildKind.IMPROVE and side is Side.BUY)
        for kind in (ChildKind.JOIN, ChildKind.BEHIND, ChildKind.IMPROVE)
        for side in Side
    }
    assert [each.simulated.filled_shares for each in compared] == [
        each.reference.filled_shares for each in compared
    ]


def test_children_together_fill_as_each_alone(
    day: RecordedDay,
    compared: list[Compared],
) -> None:
    """One engine serves all of them, and they share nothing."""
    spec = ExecutionSpec(participation_bps_max=10_000)
    short = replace(day, frames=day.frames[:130])

    alone = [simulate(replace(short, sent=[sent]), spec)[0] for sent in day.sent[:10]]

    assert alone == compared[:10]


def test_child_fills_within_its_horizon_only() -> None:
    """Sold at 9.99 on the last beat of it, and a beat later."""
    start = shanghai_ns(TRADE_DATE, 34_260)
    sold = [
        trade(99_900, 100, buy=1, sell=20, is_buy=False, at=start + 3_000_000_000 * beat)
        for beat in (100, 101)
    ]
    whole = replay(stream_of([*quiet_book(), *sold]))
    child = Child(ChildKind.IMPROVE, Side.BUY, 0, 100_000, 1_000)

    (compared,) = simulate(
        replace(whole, frames=whole.frames[:110], sent=[Sent(child, Result())]),
        ExecutionSpec(participation_bps_max=10_000),
    )

    assert compared.simulated.filled_shares == 100


def test_figures_of_children_tell_rates_prices_and_delays() -> None:
    """Against us is positive, on either side."""
    buy = Child(ChildKind.CROSS, Side.BUY, 0, 100_100, 100)
    sell = Child(ChildKind.CROSS, Side.SELL, 0, 99_900, 100)
    second = 1_000_000_000
    figures = figures_of(
        [
            Compared(buy, Result(100, 10_010_000, 1, 1), Result(50, 5_010_000, 3 * second + 1, 0)),
            Compared(sell, Result(100, 9_990_000, 1, 1), Result(100, 9_970_000, second + 1, 0)),
            Compared(buy, Result(), Result(100, 10_010_000, 1, 1)),
            Compared(sell, Result(100, 9_990_000, 1, 1), Result(), 50),
        ],
        tick_e4=100,
    )

    assert figures.count == 4
    assert (figures.recorded_rate, figures.simulated_rate) == (0.75, 0.625)
    assert figures.unknown_rate == 0.125
    assert figures.rate_error == -0.125
    assert (figures.only_simulated, figures.only_recorded) == (0.25, 0.25)
    assert figures.filled == FilledFigures(1.5, 2.0, 2.0)


def test_bar_chart_draws_rates_to_scale() -> None:
    """A rate of one is as high as the chart, words are escaped."""
    chart = bar_chart("a < b", [("day", [Pair("x", 1.0, 0.5)])])

    assert "a &lt; b" in chart
    assert 'y="40" width="22" height="200"' in chart
    assert 'y="140" width="22" height="100"' in chart


def test_streams_of_a_directory_without_recordings_are_a_mistake(tmp_path: Path) -> None:
    """A slip in the directory's name must not write an empty report."""
    with pytest.raises(ConfigError, match="expected a recorded day of orders or trades"):
        read_streams(tmp_path)


def test_streams_are_read_in_the_exchanges_order(tmp_path: Path) -> None:
    """Orders and trades share one sequence; a file may hold several shares."""
    _write(
        tmp_path / "sse_600519_orders_20230201.parquet",
        OrderTime=["09:30:00.010", "09:30:03.000"],
        OrderType=["A", "D"],
        OrderBSFlag=["B", "B"],
        OrderPrice=[1850.009999, 1850.01],
        Balance=[300, 100],
        OrderNO=[5, 5],
        BizIndex=[1, 3],
        SecurityID=["600519", "600519"],
    )
    _write(
        tmp_path / "sse_600519_trades_20230201.parquet",
        TradTime=["09:30:01.500"],
        TradeBSFlag=["S"],
        TradPrice=[1850.01],
        TradVolume=[200],
        TradeBuyNo=[5],
        TradeSellNo=[6],
        BizIndex=[2],
        SecurityID=["600519"],
    )
    _write(
        tmp_path / "sse_orders_20230711.parquet",
        MDTime=["09:30:00.000", "09:30:00.000"],
        OrderType=[2, 2],
        OrderBSFlag=[2, 1],
        OrderPrice=[15.93, 50.01],
        OrderQty=[100, 200],
        OrderNO=[1, 2],
        ApplSeqNum=[1, 2],
        SecurityID=["605580.SH", "600536.SH"],
    )
    _write(
        tmp_path / "sse_trades_20230711.parquet",
        MDTime=["09:30:00.000"],
        TradeBSFlag=[1],
        TradePrice=[15.93],
        TradeQty=[100],
        TradeBuyNo=[7],
        TradeSellNo=[1],
        ApplSeqNum=[3],
        SecurityID=["605580.SH"],
    )

    streams = read_streams(tmp_path)

    assert [stream.instrument for stream in streams] == [MOUTAI, 1600536, 1605580]
    at = shanghai_ns(TRADE_DATE, 34_200)
    assert list(streams[0]) == [
        add(5, 18_500_100, 300, is_buy=True, at=at + 10_000_000),
        trade(18_500_100, 200, buy=5, sell=6, is_buy=False, at=at + 1_500_000_000),
        (DELETE, at + 3_000_000_000, 1, 18_500_100, 100, 5, 0, 0),
    ]
    assert [len(stream.kind) for stream in streams] == [3, 1, 2]


def _write(path: Path, **columns: list[object]) -> None:
    pq.write_table(pa.table(columns), path)
